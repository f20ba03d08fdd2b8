#!/usr/bin/env python3
"""What swift-format does not check: imports against the rows of Package.swift, switches over kinds, families and names,
names that two files or public types share, and words that mean something to their author alone.

Usage: scripts/lint_sources.py [--root FOLDER]. Prints each fault with its file and line; exit code 1 where there is one.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

# Modules of the toolchain, which no row lists.
TOOLCHAIN = {"Foundation", "Dispatch", "Synchronization", "Glibc", "Darwin", "Testing", "Swift"}

# Words of a private vocabulary, with what the field says instead.
WORDS = [
    (r"\btold\b(?! apart)", "given, set, shown"),
    (r"\bbelie(f|fs|ve|ves|ved)\b", "estimate, estimated, trusted"),
    (r"\b(is|are|was|were|be|been|being) asked\b(?! for)", "is called, is read, is evaluated"),
    (r"\b(say|says|said) of\b", "describe, state about"),
]

KIND = r"[A-Z]\w*(?:Kind|Family|Name)|Kind|Family|Name"


def swift_files(root, *folders):
    """The Swift files below folders, without those that a generator wrote."""
    for folder in folders:
        yield from sorted(path for path in (root / folder).rglob("*.swift") if not path.name.endswith(".pb.swift"))


def place(root, path, text, offset):
    return f"{path.relative_to(root)}:{text.count(chr(10), 0, offset) + 1}"


def without_comments(text):
    """The code with comments and the contents of strings blanked, at the same offsets."""
    def blank(match):
        found = match.group()
        return found if found.startswith('"') and len(found) < 3 else re.sub(r"[^\n]", " ", found)
    return re.sub(r'"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*[\s\S]*?\*/', blank, text)


# --- imports -------------------------------------------------------------------------------------------------------


def rows(root):
    """For each room its folder and the modules that its row in Package.swift lists."""
    package = json.loads(subprocess.run(
        ["swift", "package", "--package-path", str(root), "dump-package"], check=True, capture_output=True).stdout)
    listed = {}
    for target in package["targets"]:
        if target["type"] in ("regular", "executable"):
            folder = target.get("path") or f"Sources/{target['name']}"
            listed[target["name"]] = folder, {next(iter(entry.values()))[0] for entry in target["dependencies"]}
    return listed


def import_faults(root):
    for room, (folder, listed) in rows(root).items():
        files = list(swift_files(root, folder)) if folder.startswith("Sources/") else []
        if not files:
            continue
        used = {}
        for path in files:
            text = path.read_text()
            pattern = r"^(?:@\w+ )*(?:(?:public|package|internal|private|fileprivate) )?import (?:\w+ (?=\w+\.))?(\w+)"
            for match in re.finditer(pattern, text, re.M):
                used.setdefault(match.group(1), place(root, path, text, match.start()))
        for module, where in sorted(used.items()):
            if module not in listed and module not in TOOLCHAIN:
                yield f"{where}: imports {module}, which the row of {room} in Package.swift does not list"
        for module in sorted(listed - set(used)):
            yield f"Package.swift: the row of {room} lists {module}, which {folder} never imports"


# --- switches ------------------------------------------------------------------------------------------------------


def operands(subject):
    """The values of a switch, each reduced to its last name: `(a.kind, b)` has `kind` and `b`."""
    subject = subject.strip()
    while subject.startswith("(") and subject.endswith(")"):
        subject = subject[1:-1]
    depth, parts = 0, [""]
    for letter in subject:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    for part in parts:
        part = re.sub(r"^(try\?? |await )", "", part.strip())
        made = re.match(rf"({KIND})\(", part)
        yield made.group(1) if made else re.sub(r"[?!]", "", part).rsplit(".", 1)[-1]


def switch_faults(root):
    texts = {path: without_comments(path.read_text()) for path in swift_files(root, "Sources")}
    # Values that are declared with such a type anywhere: `var network: NetworkKind`.
    declared = re.compile(rf"\b(\w+): (?:\w+\.)*({KIND})\b\??")
    typed = {match.group(1) for text in texts.values() for match in declared.finditer(text)}
    for path, text in texts.items():
        owned = set(re.findall(rf"\b(?:enum|struct|class) ({KIND})\b", text))
        local = {match.group(1) for match in declared.finditer(text)}
        for match in re.finditer(r"\bswitch ([^{\n]+?) \{", text):
            for value in operands(match.group(1)):
                if value == "self":
                    extended = re.findall(
                        r"^\s*(?:\w+ )*(?:extension|enum|struct|class) ([\w.]+)", text[:match.start()], re.M)
                    found = bool(extended) and re.fullmatch(KIND, extended[-1].rsplit(".", 1)[-1])
                else:
                    named = re.fullmatch(r"\w*([kK]ind|[fF]amily|Name|name)", value) or re.fullmatch(KIND, value)
                    found = named or value in local or ("." in match.group(1) and value in typed)
                if found and not owned:
                    yield (f"{place(root, path, text, match.start())}: a switch over '{match.group(1)}': what sets kinds, "
                           "families and names apart is a value of their rows")


# --- names ---------------------------------------------------------------------------------------------------------


def name_faults(root):
    files, types = {}, {}
    for path in swift_files(root, "Sources"):
        files.setdefault(path.name, []).append(str(path.relative_to(root)))
        text = path.read_text()
        for match in re.finditer(
                r"^(?:@\w+ )*(?:public|open) (?:final )?(?:struct|enum|class|protocol|actor|typealias) (\w+)(?! = (?:\w+\.)*\1\b)\b",
                text, re.M):
            types.setdefault(match.group(1), []).append(place(root, path, text, match.start()))
    for name, places in sorted(files.items()):
        if len(places) > 1:
            yield f"{' and '.join(places)}: two files are called {name}"
    for name, places in sorted(types.items()):
        if len(places) > 1:
            yield f"{' and '.join(places)}: two public types are called {name}"


# --- words ---------------------------------------------------------------------------------------------------------


def word_faults(root):
    paths = list(swift_files(root, "Sources", "Tests"))
    for folder, suffixes in [("Sources", (".cpp", ".h", ".cu", ".md")), ("docs", (".md",)), (".", (".md",))]:
        found = (root / folder).glob("*") if folder == "." else (root / folder).rglob("*")
        paths += sorted(path for path in found if path.suffix in suffixes and path.is_file())
    pattern = re.compile("|".join(f"(?:{word})" for word, _ in WORDS))
    for path in paths:
        text = path.read_text()
        for match in pattern.finditer(text):
            advice = next(instead for word, instead in WORDS if re.fullmatch(word, match.group()) or re.match(
                word, text[match.start():]))
            yield f"{place(root, path, text, match.start())}: '{match.group()}' is private vocabulary: write {advice}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    faults = [fault for check in (import_faults, switch_faults, name_faults, word_faults) for fault in check(root)]
    for fault in faults:
        print(f"lint: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
