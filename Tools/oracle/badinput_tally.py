"""What the campaign of badinput.py counts, and how a case that fails is written down."""
import dataclasses
import json
import os
import re
import shlex

from badinput_cases import Case
from badinput_verdicts import is_late

PROMISED = {"processor": 1, "mebibytes": 64}    # beyond what --version needs, where an input is refused
WORST = ("processor", "mebibytes")              # columns that are the most of any case, not sums


@dataclasses.dataclass
class Judged:
    """A case that ran, and its problems as (label, detail). `written` are the bytes of its own files."""
    number: int
    kind: str
    case: Case
    run: object
    problems: list
    written: int
    errors: bytes | None


class Tally:
    """Counts by kind, and each way of failing with its smallest case. With a file, those of several calls add up."""

    def __init__(self, path=None):
        self.path, self.kinds, self.failures, self.seconds = path, {}, {}, 0.0
        if path and os.path.exists(path):
            with open(path) as file:
                self.__dict__.update(json.load(file))

    def save(self):
        if self.path:
            with open(self.path, "w") as file:
                json.dump({"kinds": self.kinds, "failures": self.failures, "seconds": self.seconds}, file, indent=1)

    @staticmethod
    def empty_row():
        return dict(cases=0, accepted=0, refused=0, other=0, failures=0, beyond=0, seconds=0.0, processor=0.0, mebibytes=0.0)

    def add(self, judged, idle):
        """The names of the case's ways of failing that are new, or came with a larger input before."""
        run, row = judged.run, self.kinds.setdefault(judged.kind, self.empty_row())
        row["cases"] += 1
        row["accepted" if run.code == 0 else "refused" if run.code == 2 else "other"] += 1
        row["failures"] += bool(judged.problems)
        row["seconds"] += run.seconds
        if run.code == 2 and not is_late(judged.errors):
            cost = {key: max(0.0, getattr(run, key) - getattr(idle, key)) for key in WORST}
            cost["mebibytes"] = max(0.0, cost["mebibytes"] - judged.case.held)
            row.update({key: max(row[key], cost[key]) for key in WORST})
            row["beyond"] += any(cost[key] > PROMISED[key] for key in WORST)
        return [signature(judged.kind, *problem) for problem in judged.problems if self.fails(judged, *problem)]

    def broken(self, number, text):
        """A case that could not be drawn or run."""
        row = self.kinds.setdefault("broken", self.empty_row())
        row["cases"] += 1
        row["failures"] += 1
        name = "broken: " + text.strip().splitlines()[-1][:100]
        known = self.failures.setdefault(name, dict(count=0, written=0, case=number, detail=printable(text[-800:]), command=""))
        known["count"] += 1

    def fails(self, judged, label, detail):
        name = signature(judged.kind, label, detail)
        known = self.failures.setdefault(name, dict(count=0, written=None))
        known["count"] += 1
        smaller = known["written"] is None or judged.written < known["written"]
        if smaller:
            known.update(written=judged.written, case=judged.number, detail=printable(detail)[:1000],
                         command=" ".join(map(quoted, judged.case.bytes))[:1000])
        return smaller

    def lines(self):
        """The ways of failing, most frequent first, then the table."""
        for name, failure in sorted(self.failures.items(), key=lambda item: -item[1]["count"]):
            yield f"FAIL {failure['count']:5} × {name}"
            yield f"      case {failure['case']}, {failure['written']} bytes: {failure['command'][:400]}"
            yield f"      {failure['detail'][:400]}"
        yield ("kind            cases accepted  refused    other failures  seconds | refusals: most s  most MiB  "
               "beyond 1 s or 64 MiB")
        total = self.empty_row()
        for kind, row in sorted(self.kinds.items()):
            total = {key: max(total[key], row[key]) if key in WORST else total[key] + row[key] for key in total}
            yield self.line(kind, row)
        yield self.line("all", total)

    @staticmethod
    def line(kind, row):
        counts = " ".join(f"{row[key]:8}" for key in ("cases", "accepted", "refused", "other", "failures"))
        return f"{kind:12} {counts} {row['seconds']:8.0f} | {row['processor']:16.2f} {row['mebibytes']:9.0f} {row['beyond']:21}"


def signature(kind, label, detail):
    """What failures that have one cause have in common, as far as words show it."""
    if not label.startswith(("raw", "exit code", "several", "signal", "notes", "refused")) or "in place of" in label:
        detail = ""
    if label.startswith("signal"):
        detail = detail if "Sources/" in detail else ""
    else:
        detail = re.sub(r"'[^']*'|\"[^\"]*\"|“[^”]*”|\d+", "#", printable(detail))[:60]
    return f"{kind}: {label} {detail[:200]}".strip()


# --- a case as a script ----------------------------------------------------------------------------------------------


def printable(text):
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def quoted(word):
    """A word for bash, whatever bytes it has."""
    try:
        text = word.decode()
        if text.isprintable():
            return shlex.quote(text)
    except UnicodeDecodeError:
        pass
    return "$'" + "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in word) + "'"


# Redirections that make the streams of a case.
INPUTS = {"nothing": "</dev/null", "closed": "<&-", "full": "</dev/full", "endless": "</dev/zero", "folder": "</",
          "cut": "< <(true)",
          "write-only": "0>/dev/null"}
OUTPUTS = {"closed": "%d>&-", "full": "%d>/dev/full", "read-only": "%d</dev/null", "nothing": "%d>/dev/null",
           "no reader": "%d> >(exec true)", "short reader": "%d> >(head -c 10)", "pipe": "%d> >(cat)"}


def script(case):
    """Lines of bash that do what the case does, as far as bash can say it."""
    if case.manner.most_file_bytes:
        yield f"ulimit -f {max(1, case.manner.most_file_bytes // 1024)}  # {case.manner.most_file_bytes} bytes"
    if case.manner.most_descriptors:
        yield f"ulimit -n {case.manner.most_descriptors}"
    if case.manner.stranger:
        yield "# as another user, who may not write here"
    for name, value in case.environment.items():
        yield f"unset {name}" if value is None else "export " + quoted(os.fsencode(name) + b"=" + os.fsencode(value))
    streams = [INPUTS[case.streams[0]],
               *(OUTPUTS[kind] % index for index, kind in enumerate(case.streams) if index and kind in OUTPUTS)]
    yield " ".join(['"${PROGRAM:-langevin}"', *map(quoted, case.bytes), *streams])
