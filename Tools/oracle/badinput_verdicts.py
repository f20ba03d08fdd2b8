"""What the promises of RELIABILITY say of a run of the program, and what it broke (see badinput_campaign.py)."""
import dataclasses
import json
import re
import unicodedata

LONGEST = 1200   # letters of a line
WRITES_FAIL = ("closed", "full", "no reader", "read-only")
# Words of libraries, languages and systems, which no sentence for people has.
RAW = re.compile(
    r"c10::|\bat::|aten::|Exception raised|TORCH_|NSCocoa|NSPOSIX|Error Domain|couldn.t be|Optional[<(]|Fatal error|terminate called|"
    r"\.swift\b|\.cpp\b|DecodingError|CodingKey|typeMismatch|keyNotFound|valueNotFound|dataCorrupted|Swift\.|std::|basic_string|"
    r"bad_alloc|Unsafe\w*Pointer|Cannot initialize|of the type [A-Z]|out of range\b.*Index|\bnil\b|The operation|libc\+\+|"
    r"Runtime Error|__\w+__\(")
COMMANDS_WITH_JSON = (b"inspect", b"sample", b"generate", b"train", b"evaluate", b"order")
# What only the work itself can show, whose memory and time are then those of the work.
KNOWN_LATE = re.compile(r"numbers that are not finite|no longer finite|gradient was not finite")
IN_PLACE = "a file that was written in place"
UNFINISHED = re.compile(r"\.tmp\b|tmp-|\.incomplete|\.partial")


@dataclasses.dataclass
class Limits:
    """Processor seconds and mebibytes beyond what `--version` needs, for what is refused; wall seconds for all."""
    processor: float
    mebibytes: float
    wall: float = 20
    stop: float = 2048


@dataclasses.dataclass
class Said:
    """What a run left: its streams (None where nothing was kept) and the folder before and after."""
    output: bytes | None
    errors: bytes | None
    before: dict
    after: dict
    home: list = dataclasses.field(default_factory=list)
    temporary: list = dataclasses.field(default_factory=list)

    @property
    def changed(self):
        return sorted(path for path in self.before.keys() | self.after.keys() if self.before.get(path) != self.after.get(path))


def text_problems(name, content):
    """(label, detail) of what is wrong with a stream whatever the exit code."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        yield f"{name} is not UTF-8", repr(content[:200])
        return
    if found := sorted({letter for letter in text if unicodedata.category(letter) == "Cc" and letter not in "\n\t"}):
        yield f"control characters on {name}", f"{found[:5]} in {text[:300]!r}"
    if name == "standard error" and "\t" in text:
        yield f"control characters on {name}", f"tab in {text[:300]!r}"
    if longest := max((line for line in text.split("\n") if len(line) > LONGEST), key=len, default=None):
        if name == "standard error":
            yield "a long message", f"{len(longest)} letters: {longest[:300]}"
    if name == "standard error" and (found := RAW.search(text)):
        yield "raw text of a library", f"{found.group()!r} in {text.strip()[:400]}"


def is_late(errors):
    """Whether a refusal is one that only the work itself can show."""
    lines = (errors or b"").decode(errors="replace").strip().split("\n")
    return bool(KNOWN_LATE.search(lines[-1]))


def asks_for_json(words):
    return b"--json" in words and words[0] in COMMANDS_WITH_JSON and not {b"-h", b"--help", b"--version"} & set(words)


def several(lines):
    """What the lines before the last one are; None where the work alone could show what is wrong."""
    if KNOWN_LATE.search(lines[-1]):
        return None
    if any(re.match(r"\s*\d+%", line) for line in lines[:-1]):
        return "refused after the work had begun"
    return "notes before a refusal" if all(re.match("note: |warning: |seed ",
                                                    line) for line in lines[:-1]) else "several lines where refused"


def message_problems(case, run, said):
    """What is wrong with what was said, given the exit code."""
    kept = said.errors is not None
    lines = said.errors.decode(errors="replace").split("\n") if kept else []
    spoken = [line for line in lines if line.strip()]
    if kept and run.code in (1, 2):
        if not spoken:
            yield f"no message with exit code {run.code}", ""
        elif run.code == 2 and len(spoken) > 1 and (label := several(spoken)):
            yield label, f"{spoken[-1][:300]} after {' / '.join(spoken[:-1])[:300]}"
        elif not spoken[-1].startswith("error: "):
            yield "a message that is no error", spoken[-1][:300]
        elif len(spoken[-1]) < 15:
            yield "an empty message", spoken[-1]
        elif lines[-1]:
            yield "a message without its end of line", lines[-1][:300]
    if run.code == 2 and said.output:
        yield "standard output with exit code 2", repr(said.output[:300])
    if run.code == 0 and said.output and asks_for_json(case.bytes):
        try:
            json.loads(said.output)
        except ValueError as problem:
            yield "standard output is no JSON", f"{problem}: {said.output[:200]!r}"


def trap(text):
    """What Swift's own report of a crash says of its cause, and where it was; the end of the text where there is none."""
    cause = re.findall(r"(?:runtime failure|[Ff]atal error): (.*?)(?: \*\*\*| in \w+ at |\n)", text)
    places = re.findall(r"Sources/\S+?\.swift:\d+", text)
    return "; ".join([*cause[-1:], *places[:3]]) or text[-600:]


def problems(case, run, said, limits, idle):
    """(label, detail) of every promise that a run broke. `idle` is a run of `--version`."""
    if run.stopped:
        yield f"stopped: {run.stopped}", f"{run.seconds:.1f} s, {run.processor:.1f} s of processor time, {run.mebibytes:.0f} MiB"
        return
    if run.code < 0 or run.code >= 128:
        yield f"signal {-run.code if run.code < 0 else run.code - 128}", trap((said.errors or b"").decode(errors="replace"))
        return
    if run.code not in case.codes:
        yield f"exit code {run.code}", (said.errors or b"").decode(errors="replace")[-400:]
    if run.survivors:
        yield "a process that outlives the program", ""
    for name, content in (("standard error", said.errors), ("standard output", said.output)):
        yield from text_problems(name, content) if content else ()
    yield from message_problems(case, run, said)
    yield from file_problems(case, run, said)
    if (run.code == 2 and not is_late(said.errors)) or case.measured:
        processor, memory = run.processor - idle.processor, run.mebibytes - idle.mebibytes - case.held
        word = "refused" if run.code == 2 else "served"
        if processor > limits.processor:
            yield f"processor time where {word}", f"{processor:.2f} s"
        if memory > limits.mebibytes:
            yield f"memory where {word}", f"{memory:.0f} MiB"


def in_place(before, after):
    """Whether a file with a name was changed itself, so that its name held half of it for a while."""
    return bool(before and after) and before[:2] == after[:2]


def file_problems(case, run, said):
    """What lies where it should not, or does not where it should."""
    if run.code == 2 and said.changed:
        yield "written with exit code 2", str(said.changed[:5])
    if found := [path for path in said.changed if in_place(said.before.get(path), said.after.get(path))
                 and not path.startswith(("run/", "made/"))]:
        yield IN_PLACE, str(found[:5])
    if run.code == 2 and said.home:
        yield "written to the home with exit code 2", str(said.home[:5])
    new = [path for path in said.changed if path in said.after]
    if left := [path for path in new if UNFINISHED.search(path.rsplit("/", 1)[-1]) and path not in said.before] + said.temporary:
        yield "an unfinished file that stayed", str(left[:5])
    if run.code == 0 and case.output and case.output not in said.after:
        yield "served without an output", f"no {case.output}; {said.changed[:5]}"


# --- beside a good run ---------------------------------------------------------------------------------------------


def twin_problems(case, run, good, files, good_files, said_output):
    """What differs from `good`, a run of the same command with good streams and no limits. `files` are the contents of what
    each has written."""
    if good.stopped:
        yield f"stopped: {good.stopped}", "with good streams"
        return
    if run.stopped or run.code < 0 or run.code >= 128:
        return
    expected = {good.code}
    if case.manner.most_file_bytes and good.code == 0:
        expected = {0, 1}
    elif good.code == 0 and said_output:
        if case.streams[1] in WRITES_FAIL:
            expected = {1}
        elif case.streams[1] == "short reader":
            expected = {0, 1}
    if run.code not in expected:
        yield f"exit code {run.code} in place of {' or '.join(map(str, sorted(expected)))}", f"streams {case.streams}"
    for name in sorted(files.keys() | good_files.keys()):
        # What a run says of its times differs; a limit on files may keep some from being there.
        if name.startswith(("run", "made")) and not name.endswith((".safetensors", ".yaml", ".webp")):
            continue
        if name not in files:
            if not case.manner.most_file_bytes:
                yield "an output is missing", name
        elif name not in good_files:
            yield "an output that no good run has", name
        elif files[name] != good_files[name]:
            yield "an output differs from a good run's", name
