"""What the pictures of Open Clip Art show, from their titles and file names, and which of them are of use.

Titles are free text. Many are those of a collection ("Various Cliparts"), in Italian or French, or a person's name. A title
counts where every word of it is English; else the file's name does, without the author's, where its words are.
"""
import collections
import html
import os
import re
import unicodedata

import captions
import colours

# Folders of interface elements, shapes, flags, signs, letters, maps and other pictures that show no thing.
LEFT_OUT = (
    "buttons", "computer/buttons", "computer/icons", "computer/diagrams", "computer/folders", "computer/network", "geography",
    "logos", "people/clothing/pantyhose", "people/stickmen", "recreation/games/cards", "recreation/religion", "shapes",
    "signs_and_symbols", "special", "tools/weapons", "transportation/aiga-symbols", "transportation/boating",
    "transportation/grounded", "transportation/roadsigns", "unsorted/duplicates")
# Parts of those that do.
KEPT = ("geography/astronomy", "signs_and_symbols/weather", "signs_and_symbols/clocks", "signs_and_symbols/money")
# Words that the list of English words lacks.
ADDED = set("echidna lightbulb paperclip sledge smiley watercolor".split())
GROUPS = {
    "animals": "Animals & Nature", "plants": "Animals & Nature", "food": "Food & Drink", "people": "People & Body",
    "transportation": "Travel & Places", "buildings": "Travel & Places", "geography": "Travel & Places",
    "recreation": "Activities", "signs_and_symbols": "Symbols"}
PUBLIC_DOMAIN = ("http://web.resource.org/cc/PublicDomain", "http://creativecommons.org/licenses/publicdomain/")
# Words about the drawing, not about what it shows.
NOISE = set("""art arts b bitmap black-and-white bw clip clipart cliparts collection color colour draw drawing drawn file free
icon icons illustration image images inkscape large lineart logo menu new no number open openclipart outline picture project
round scalable schwoo sheet simple small style stylised stylized svg symbol symbols test the theme vector version web""".split())
# Words that a list of English words has and that are Italian or French here, or that make a name no thing.
STRANGE = set("""abstract ad advertising al animate architect architecture art bar boar boating boy's cane character christ cross
cuppa dada design diner elegant etiquette example flourish france gift01 gramme hash head1 hitler jesus kilo laser mare my naked negative nazi nude offset ours pane
panel pin porn quit rant religion rose's russia's sans script sex sexy swastika sketch straight tiles toro topless torso umbra various vase1""".split())
LINE_ART = re.compile(r"(?<![a-z])(?:b(?:lack)?[ _]*(?:and|&|n|-)[ _]*w(?:hite)?|bw|line[_ ]?art|outline|contour)(?![a-z])", re.I)
SIGN = re.compile(r"roads? signs", re.I)
GENERIC = re.compile(r"clip ?arts? (by|von)|cliparts?$|collection|sub?mission|etiquette|illustration", re.I)


class Metadata:
    """What an SVG of Open Clip Art says of itself."""

    def __init__(self, text):
        work = re.search(r"<cc:Work.*?</cc:Work>", text, re.S)
        work = work.group(0) if work else ""
        licence = re.search(r'<cc:license[^>]*rdf:resource="([^"]*)"', text)
        self.licence = licence.group(1) if licence else ""
        titles = re.findall(r"<dc:title>([^<]*)</dc:title>", work)
        self.title = html.unescape(titles[0]).strip() if titles else ""
        self.authors = " ".join(html.unescape(title) for title in titles[1:])
        keywords = [html.unescape(word).strip().lower() for word in re.findall(r"<rdf:li>([^<]*)</rdf:li>", work)]
        self.keywords = [word for word in keywords if word]
        # Text is not drawn alike everywhere, and a picture within one is no drawing.
        self.has_text = re.search(r"<(?:\w+:)?(?:text|flowRoot)\b", text) is not None
        self.has_picture = re.search(r"<(?:\w+:)?image\b", text) is not None


def plain(text):
    """Lower case without accents."""
    text = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in text if not unicodedata.combining(letter)).lower()


def words(text):
    """The words of a title or a file's name; `AppleCore2` has two."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+(?:'s)?", plain(text))


def english(path):
    """Words that are written in lower case, as names are not."""
    with open(path, encoding="utf-8") as file:
        return {word.strip() for word in file if word[:1].islower()}


def of_file(path, authors):
    """The words of a file's name without its author's, which stand at the end and may be cut off."""
    found, known = words(os.path.basename(path).removesuffix(".svg")), words(authors)

    def names_author(word):
        return any(name == word or len(word) >= 4 and name.startswith(word) for name in known)

    while len(found) > 1 and (len(found[-1]) == 1 or found[-1] == "ganson" or names_author(found[-1])):
        found.pop()
    return found


class Names:
    """Names of many pictures, of which a title that many files of different names have is that of a collection.

    The word that says what is there must be one of `things`, of several pictures' keywords, or of the picture's own.
    """

    def __init__(self, dictionary, things, entries):
        self.known = (dictionary | ADDED | things) - STRANGE
        keywords = collections.Counter(word for _, metadata in entries for word in set(metadata.keywords))
        self.things = things | {word for word, count in keywords.items() if count > 2}
        stems = collections.defaultdict(set)
        for path, metadata in entries:
            stems[plain(metadata.title)].add(tuple(of_file(path, metadata.authors)))
        self.generic = {title for title, files in stems.items() if len(files) > 3}

    def name(self, path, metadata):
        """What a picture shows in one to four words; `None` where it cannot be told."""
        title, things = re.sub(r"\([^)]*\)", " ", metadata.title), self.things | set(metadata.keywords)
        candidates = [of_file(path, metadata.authors)]
        if plain(metadata.title) not in self.generic and not GENERIC.search(title):
            candidates.insert(0, words(re.sub(r"^clipart by [^-]* - ", "", title, flags=re.I)))
        for found in candidates:
            found = [word for word in found if word not in NOISE and word not in ("a", "an") and len(word) > 1]
            while len(found) > 1 and found[-1] in colours.WORDS:
                # "magnolia white"
                found = found[-1:] + found[:-1] if found[0] not in colours.WORDS else found[:-1]
            if 1 <= len(found) <= 4 and all(word in self.known for word in found) and any(len(word) > 2 for word in found):
                name = " ".join(found)
                if captions.noun(name) in things or captions.noun(name).removesuffix("s") in things:
                    return name
        return None


def is_left_out(path):
    return path.startswith(LEFT_OUT) and not path.startswith(KEPT)


def group(path):
    return GROUPS.get(path.split("/")[0], "Objects")


def is_word(keyword):
    """Whether a keyword of a drawing is a word, and not a program's mistake."""
    return re.fullmatch(r"[a-z]{3,}(?: [a-z]+)?", keyword) is not None and keyword not in NOISE | {"hash", "unsorted"}
