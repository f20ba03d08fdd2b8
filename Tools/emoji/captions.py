"""What is said of pictures: their names, and longer captions of group, keywords, colours, position and count.

Every word of a caption is true of its picture: colours are measured, positions and counts are those that were drawn.
"""
import re

import colours

# Singular though they end in s.
SINGULAR = {"bus", "cactus", "christmas", "compass", "cross", "dress", "glass", "grass", "gas", "lens", "lotus", "octopus",
            "hippopotamus", "hibiscus", "walrus", "asparagus", "princess", "mantis", "rhinoceros", "tennis", "iris", "virus"}
MASS = {"bread", "broccoli", "bacon", "cheese", "chocolate", "cloth", "coal", "corn", "fire", "fog", "garlic", "ginger", "grass",
        "gold", "hair", "honey", "ice", "lava", "lightning", "meat", "milk", "money", "paper", "rain", "rice", "salt", "snow",
        "sushi", "spaghetti", "tea", "wheat", "water", "wood", "wool", "yarn"}
IRREGULAR = {"mouse": "mice", "man": "men", "woman": "women", "person": "people", "child": "children", "foot": "feet",
             "tooth": "teeth", "goose": "geese", "ox": "oxen", "sheep": "sheep", "fish": "fish", "deer": "deer", "squid": "squid",
             "leaf": "leaves", "knife": "knives", "wolf": "wolves", "loaf": "loaves", "cactus": "cacti", "bison": "bison",
             "shrimp": "shrimp", "salmon": "salmon", "aircraft": "aircraft", "dice": "dice", "scarf": "scarves"}
COUNTS = {2: "two", 3: "three", 4: "four"}
# Words behind which the thing itself no longer stands: "slice of pizza" has its noun in front.
HEADS = re.compile(r" (?:of|with|on|in|behind|without|and|at|for|from|to) ")


def noun(name):
    """The word of a name that takes the plural."""
    return HEADS.split(name)[0].split(" ")[-1].lower()


def is_plural(name):
    word = noun(name)
    return word.endswith("s") and not word.endswith("ss") and word not in SINGULAR or word in ("people", "dice", "men", "women")


def is_mass(name):
    return noun(name) in MASS


def with_article(name):
    """"an apple", "grapes"."""
    if is_plural(name) or is_mass(name):
        return name
    first = name.lower()
    vowel = first[0] in "aeiou" and not re.match(r"(?:uni|use|uku|eu|one|ufo)", first) or re.match(r"(?:hour|x-ray|mp3|sos)", first)
    return f"{'an' if vowel else 'a'} {name}"


def plural(name):
    """"two slices of pizza" of "slice of pizza"."""
    head = HEADS.split(name)[0]
    rest, words = name[len(head):], head.split(" ")
    word = words[-1]
    if word.lower() in IRREGULAR:
        words[-1] = IRREGULAR[word.lower()]
    elif re.search(r"(?:s|x|z|ch|sh)$", word):
        words[-1] = word + "es"
    elif re.search(r"[^aeiou]y$", word):
        words[-1] = word[:-1] + "ies"
    elif re.search(r"(?:potato|tomato|mango|hero|volcano|tornado)$", word):
        words[-1] = word + "es"
    else:
        words[-1] = word + "s"
    return " ".join(words) + rest


def listed(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def uncoloured(name):
    """A name without its words for colours; `None` where it is such a word, or means something else then."""
    words = [word for word in name.split(" ") if word.lower() not in colours.WORDS]
    return " ".join(words) if words and noun(" ".join(words)) == noun(name) and noun(name) not in colours.WORDS else None


def longer(item, draw):
    """Two captions that say more than the name does."""
    found = colours.main_colours(item.picture, item.inside)
    seen = listed(found) if found else None
    keywords = [word for word in item.keywords if word.lower() not in item.name.lower()][:6]
    draw.shuffle(keywords)
    style = {"emoji": "an emoji", "emoji with skin tone": "an emoji", "clip art": "clip art", "icon": "an icon"}[item.kind]
    name = item.name if ":" in item.name or item.group in ("Flags", "Symbols") else with_article(item.name)
    group = item.group.lower().replace(" & ", " and ")
    forms = [f"{style} of {name}" + (f", {seen}" if seen else "")]
    if seen and not set(item.name.lower().split()) & colours.WORDS:
        forms.append(f"{name}, mostly {found[0]}" if len(found) == 1 else f"{name} in {seen}")
        if len(found) == 1 and ":" not in item.name and item.group not in ("Flags", "People & Body"):
            forms.append(with_article(f"{found[0]} {item.name}"))
    if keywords:
        forms.append(f"{item.name}, {', '.join(keywords[:draw.randint(1, 3)])}")
    forms += [f"{item.name} on a white background", f"a picture of {name}, {group}"]
    if item.subgroup:
        forms.append(f"{item.name}, {item.subgroup.replace('-', ' ').replace('  ', ' ')}")
    return draw.sample(forms, 2)


def of_item(item, draw):
    """As many captions with the bare name as with more, of which training draws one a time."""
    return [item.name, item.name, *longer(item, draw)]
