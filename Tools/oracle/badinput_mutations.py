"""Values that nobody means, and changes of bytes and of JSON that are drawn: what the campaign of badinput.py does to inputs.

Every function takes a `random.Random`, so that a seed decides everything.
"""
import copy
import json
import struct

NUMBERS = [0, -0.0, -1, 1, 2, 3, 7, 0.5, -0.5, 1.5, 0.999, 1 + 1e-7, 5e-324, 1e-300, 1e-38, 1e38, 1e300, -1e300, 2**31 - 1,
           2**31, -2**31 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -2**63, -2**63 - 1, 10**9, 10**12, 10**15, 10**30,
           float("nan"), float("inf"), float("-inf"), 999, 1000, 1001, 65535, 65536, 1_000_000]
# Texts that are written into JSON as they stand, where no value of Python's would be.
LITERALS = ["1e400", "-1e400", "1e-400", "-0", "01", "+1", "0x10", "1.", ".5", "1_000", "nan", "None", "True", "1" * 400,
            "0." + "3" * 400, "[" * 600 + "]" * 600, '{"a":' * 600 + "1" + "}" * 600, "Infinity", "-Infinity", "NaN",
            '"\\ud800"', '"\\u0000"', '"\\x"', "'x'", "[,]", "{,}", "[1,]", "1 2", "undefined", "9" * 5000,
            "1e99999999999999999999"]
ESCAPE, FORGED = "\x1b[2J\x1b[31m", "x\nerror: everything is lost\n"
TEXTS = ["", " ", "\n", FORGED, ESCAPE, "a\x00b", "\u202eabc", "\ud800", "x" * 3000, "é" * 2000, "😀" * 700, "../../x",
         "/etc/passwd", "%s%n%d", "NaN", "null", "true", "1", "-1", "a\tb\r\nc", "\x7f\x9b31m\x85", "\\", '"', "'", "${HOME}",
         "$(id)", "-", "--", ".", "..", "/", "//", "C:\\x", "con", "x" * 256, "\u2028", "e\u0301", "\ufeff", "\uffff",
         "<script>", "{{7*7}}", "a" * 60_000]


def value(random):
    """One of the hostile values that JSON can hold; a `Literal` stands for text that is no JSON of Python's."""
    kind = random.random()
    if kind < 0.4:
        return random.choice(NUMBERS)
    if kind < 0.65:
        return random.choice(TEXTS)
    if kind < 0.75:
        return Literal(random.choice(LITERALS))
    number = random.choice(NUMBERS)
    return random.choice([
        None, True, False, [], {}, [[]], [None], [number], [number] * 2, [number] * random.choice([3, 4, 5, 100, 10_000]),
        {"a": number}, {"": {}}, [random.choice(TEXTS)], {random.choice(TEXTS): number}, [[number] * 3] * 3, [True, False],
        nested(random.choice([5, 60, 400]), random.random() < 0.5)])


def nested(depth, lists):
    found = 1
    for _ in range(depth):
        found = [found] if lists else {"a": found}
    return found


class Literal:
    """Text that `dumped` writes as it stands."""

    def __init__(self, text):
        self.text = text


# --- JSON ----------------------------------------------------------------------------------------------------------


def dumped(tree, **options):
    """JSON of a tree with literals, and with keys that stand twice where they end in `TWICE`."""
    literals = []

    def plain(node):
        if isinstance(node, Literal):
            literals.append(node.text)
            return f"\x01literal {len(literals) - 1}\x01"
        if isinstance(node, dict):
            return {key: plain(inner) for key, inner in node.items()}
        return [plain(inner) for inner in node] if isinstance(node, list) else node

    text = json.dumps(plain(tree), **options).replace(TWICE_IN_JSON, "")
    for index, literal in enumerate(literals):
        text = text.replace(f'"\\u0001literal {index}\\u0001"', literal)
    return text.encode(errors="surrogatepass")


TWICE, TWICE_IN_JSON = "\x02twice", "\\u0002twice"


def places(tree):
    """(container, key) of every value below the top."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, node in list(inner)[:3000]:
        yield tree, key
        yield from places(node)


def changed_tree(random, tree, keys=(), count=None):
    """A copy of the tree with one change, or a few; `keys` are names that may be added."""
    tree = copy.deepcopy(tree)
    for _ in range(count or random.choice([1, 1, 1, 1, 2, 3, 5])):
        found = list(places(tree))
        if not found or random.random() < 0.02:
            return value(random)
        # Near the top half of the time, where the shorter paths are.
        container, key = random.choice(found[:40]) if random.random() < 0.3 else random.choice(found)
        change(random, tree, container, key, found, keys)
    return tree


def change(random, tree, container, key, found, keys):
    node, kind = container[key], random.random()
    if keys and kind < 0.25 and isinstance(tree, dict):
        tree[random.choice(keys)] = random.choice([True, False, value(random), random.choice(NUMBERS), random.choice(NUMBERS)])
    elif kind < 0.55:
        container[key] = value(random)
    elif kind < 0.65:
        del container[key]
    elif kind < 0.72:
        other, place = random.choice(found)
        if place in (other if isinstance(other, dict) else range(len(other))):
            container[key] = copy.deepcopy(other[place])
    elif kind < 0.80 and type(node) in (int, float):
        container[key] = random.choice([-node, node + 1, node - 1, node * 2, node * 1e9, float(node), str(node), [node],
                                        node / 3])
    elif kind < 0.84:
        container[key] = random.choice([[node], {"a": node}, [node, node], str(node)])
    elif isinstance(container, dict):
        name = random.choice([key + "t", key.upper(), key[:-1], random.choice(TEXTS), key + TWICE, " " + key])
        container[name] = node if random.random() < 0.7 else value(random)
        if random.random() < 0.5 and not name.endswith(TWICE):
            del container[key]
    else:
        container.insert(key, random.choice([node, value(random)]))


def changed_json(random, content, keys=()):
    """JSON with a change of its tree (mostly) or of its bytes."""
    try:
        tree = json.loads(content)
    except ValueError:
        return changed_bytes(random, content)
    if random.random() < 0.2:
        return changed_text(random, content)
    return dumped(changed_tree(random, tree, keys), ensure_ascii=random.random() < 0.5, indent=random.choice([None, None, 2]))


# --- bytes ---------------------------------------------------------------------------------------------------------


TOKENS = [b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r\n", b"\x1b[2J", b"{", b"}", b"[", b"]", b'"', b"\\", b"'",
          b",", b":", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0" * 8, b"\xff" * 8, b"%n",
          b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"-", b"1e400", b"NaN", b"\x85", b"\x9b", b"PK\x03\x04",
          b"\x89PNG\r\n\x1a\n", b"\x80\x02", b"../", b"&a ", b"*a "]


def position(random, content):
    """A place in the content: anywhere, or near one of its ends, where headers and tables are."""
    kind, size = random.random(), len(content)
    if kind < 0.4:
        return random.randrange(size + 1)
    near = min(size, 8 << random.randrange(8))
    return random.randrange(near + 1) if kind < 0.8 else size - random.randrange(near + 1)


def changed_bytes(random, content, other=b"", count=None):
    """The content with one change of its bytes, or a few; pieces of `other` may be spliced in."""
    content = bytearray(content)
    for _ in range(count or random.choice([1, 1, 1, 2, 2, 4, 16])):
        at, kind = position(random, content), random.randrange(11)
        span = 1 << random.randrange(random.choice([3, 8, 13]))
        if kind <= 1 and at < len(content):
            content[at] ^= 1 << random.randrange(8)
        elif kind == 2 and at < len(content):
            content[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
        elif kind == 3:
            del content[at:]
        elif kind == 4:
            del content[at:at + span]
        elif kind == 5:
            content[at:at] = content[at:at + span] * random.choice([1, 1, 2, 50])
        elif kind == 6:
            content[at:at] = random.choice(TOKENS) * random.choice([1, 1, 1, 3, 300])
        elif kind == 7:
            token = random.choice(TOKENS)
            content[at:at + len(token)] = token
        elif kind == 8:
            number = random.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, len(content),
                                    random.getrandbits(32)])
            form = random.choice(["<Q", ">Q", "<I", ">I", "<H", ">H", "B"])
            packed = struct.pack(form, number & (1 << 8 * struct.calcsize(form)) - 1)
            content[at:at + len(packed)] = packed
        elif kind == 9 and other:
            start = random.randrange(len(other))
            content[at:at + random.choice([0, span])] = other[start:start + span]
        else:
            content[at:at + span] = random.randbytes(min(span, 64)) if random.random() < 0.5 else b"\0" * span
    return bytes(content)


def changed_text(random, content):
    """A text in which words or lines were exchanged, or its bytes were changed."""
    if random.random() < 0.5:
        return changed_bytes(random, content, count=random.choice([1, 1, 2]))
    lines = content.split(b"\n")
    for _ in range(random.choice([1, 1, 2, 4])):
        at, kind = random.randrange(len(lines)), random.randrange(7)
        if kind == 0:
            lines[at] = random.choice(TEXTS).encode(errors="surrogatepass")
        elif kind == 1:
            lines.insert(at, lines[random.randrange(len(lines))])
        elif kind == 2 and len(lines) > 1:
            del lines[at]
        elif kind == 3:
            times = random.choice([2, 1000])
            lines[at] *= times if len(lines[at]) * times < 1_000_000 else 2
        elif kind == 4:
            lines[at] = b" " * random.choice([1, 2, 40]) + lines[at]
        elif kind == 5:
            lines[at] = lines[at].replace(b" ", random.choice([b"", b"  ", b"\t", b"\0"]), random.choice([-1, 1]))
        else:
            random.shuffle(lines)
    return b"\n".join(lines)


# --- words of a command line ---------------------------------------------------------------------------------------


NUMBER_WORDS = ["0", "-1", "-0", "1", "2", "3", "-3", "1.5", "", " ", "abc", "nan", "NaN", "-nan", "inf", "-inf", "infinity",
                "1e400", "-1e400", "1e-400", "1e2", "0x10", "１", "٣", " 1", "1 ", "+1", "1_000", "1,5", "1.", ".5", "0.5",
                "-0.5", "1.0000001", "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
                "18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809", "1000000000000",
                "1" + "0" * 30, "9" * 400, "1e308", "1e-320", "5e-324", "0.9999999", "1e19", "8", "16", "24", "7", "9"]
TEXT_WORDS = ["", " ", "-", "--", "---", "-x", "--unknown", "-blurry", "-1", "=", "a=b", "a cat", FORGED, ESCAPE + "x", "\x7f",
              "\x85\x9b", "\u202e", "\ufeff", "x" * 2000, "é" * 3000, "😀" * 500, "e\u0301" * 500, "\u200d" * 400, "a" * 100_000,
              " " * 100_000, "(" * 2000, "((a:1.1)" * 300, "(a:1e400)", "(a:nan)", "[a:-1]", "\\(a\\)", "%s%n%d%p", "%d",
              "%99999999d", "%", "%%", "$(id)", "`id`", "~", "*", "..", "/", ".", "\t", "<|endoftext|>" * 30, "<lora:x:1>",
              "BREAK", "\ud800", "1", "nan", "é".encode("latin-1"), b"\xff\xfe", b"\xc0\x80", b"a\xed\xa0\x80b", "_", "none",
              "None", "null", "true", "DDIM", "ddim ", "auto", "max", "1x1", "0x0", "1x", "x", "-1x-1", "1024x1024x3",
              "99999999999x1", "1,1", ",", "-1,-1", "1,2,3", "nanx1"]
