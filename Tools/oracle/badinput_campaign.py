"""The campaign of badinput.py: drawn inputs, command lines and surroundings, each run through the program and judged.

Every case is drawn from the seed and its number. A case mostly changes one thing in an input that is served, so that it
gets past the first look; see the modules badinput_*.py for what is changed.
"""
import contextlib
import dataclasses
import fcntl
import json
import os
import random
import re
import shlex
import shutil
import statistics
import tempfile
import threading
import time
import warnings

import badinput_files
import badinput_lines
import badinput_models
import badinput_runs
import badinput_selftest
import badinput_sizes
from badinput_cases import Case, Room
from badinput_stock import Stock
from badinput_verdicts import Limits, Said, problems, twin_problems
from starts import Manner, Starts

# How often each kind is drawn.
KINDS = {
    "configuration": (badinput_models.configuration, 16), "tokenizer": (badinput_models.tokenizer, 6), "weights": (badinput_models.weights, 8),
    "checkpoint": (badinput_models.checkpoint, 7), "analytic": (badinput_models.analytic, 6), "prompt": (badinput_models.prompt, 4),
    "safetensors": (badinput_files.safetensors, 9), "pickle": (badinput_files.pickled, 9), "picture": (badinput_files.picture, 8),
    "data": (badinput_files.data, 3), "recipe": (badinput_runs.recipe, 6), "override": (badinput_runs.override, 4),
    "run": (badinput_runs.run_folder, 3), "command line": (badinput_lines.command_line, 12), "stream": (badinput_lines.stream, 3),
    "surroundings": (badinput_lines.surroundings, 2.5), "size": (badinput_sizes.size, 1)}
WHOLE_EVERY = 16    # how often a process ends with the destructors of its libraries, which takes 0.1 s
MOST_KEPT = 400     # files in the home before it is emptied


class Campaign:
    def __init__(self, options):
        # Of diffusers, which finds odd models odd, and of zipfile.
        warnings.simplefilter("ignore")
        self.options = options
        self.limits = Limits(options.seconds, options.mebibytes)
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.place = tempfile.mkdtemp(prefix="langevin-badinput-", dir=memory)
        os.chmod(self.place, 0o755)
        for name in ("home", "tmp", "said", "stock"):
            os.makedirs(os.path.join(self.place, name))
        # Threads that spin at barriers would be counted as the program's work.
        os.environ["OMP_NUM_THREADS"] = "1"
        self.starts = Starts(options.program, options.plain)
        self.kept = [os.open(os.path.join(self.place, "said", name), os.O_RDWR | os.O_CREAT) for name in ("output", "errors")]
        self.stock = Stock(os.path.join(self.place, "stock"), options.seed, self.problem)
        self.stock.help = self.help
        versions = [self.run(Case(["--version"]), self.place)[0] for _ in range(5)]
        self.idle = dataclasses.replace(versions[0], processor=statistics.median(run.processor for run in versions),
                                        mebibytes=statistics.median(run.mebibytes for run in versions))

    def close(self):
        self.starts.close()
        shutil.rmtree(self.place, ignore_errors=True)

    # --- one run -----------------------------------------------------------------------------------------------------

    def environment(self, case):
        found = {"HOME": self.home, "TMPDIR": os.path.join(self.place, "tmp"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", **case.environment}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def home(self):
        return os.path.join(self.place, "home")

    def home_names(self):
        return set(names(self.home))

    def temporary_names(self):
        return names(os.path.join(self.place, "tmp"))

    def run(self, case, folder):
        """(run, standard output, standard error) of a case in a folder."""
        for stream in self.kept:
            os.ftruncate(stream, 0)
            os.lseek(stream, 0, os.SEEK_SET)
        # Started anew, the program may lie where a stranger cannot read it.
        manner = dataclasses.replace(case.manner, stranger=case.manner.stranger and not self.starts.plain)
        with Streams(case.streams, self.kept) as streams:
            run = self.starts.run(case.bytes, folder, self.environment(case), streams, self.limits.wall, self.limits.stop, manner)
        said = [os.pread(stream, 1 << 22, 0) if case.streams[index] == "file" else None for index, stream in enumerate(self.kept, 1)]
        return run, *said

    def problem(self, words, folder):
        """Why a command that should be served is not; empty where it is."""
        run, _, errors = self.run(Case(words), folder)
        return "" if run.code == 0 else f"exit code {run.code} {run.stopped or ''}: {errors[:300].decode(errors='replace')} ({words})"

    def help(self):
        return self.run(Case(["--experimental-dump-help"]), self.place)[1]

    # --- one case ----------------------------------------------------------------------------------------------------

    def drawn(self, number, path):
        """(kind, case, room): everything of a case is decided by the seed and its number."""
        draw = random.Random(f"{self.options.seed}/{number}")
        kinds = {name: weight for name, (_, weight) in KINDS.items() if self.options.only in name}
        kind = draw.choices(list(kinds), list(kinds.values()))[0]
        room = Room(path)
        case = KINDS[kind][0](draw, room, self.stock)
        if number % WHOLE_EVERY == 0:
            case.manner = dataclasses.replace(case.manner, whole=True)
        return kind, case, room

    def judged(self, number):
        """The case with a number, run and judged; one that is compared runs with good streams and without limits before."""
        path = os.path.join(self.place, "room")
        kind, case, room = self.drawn(number, path)
        good = None
        if case.twin:
            good_case = dataclasses.replace(case, streams=("nothing", "file", "file"), manner=Manner(), environment={})
            before = room.listing()
            run, output, errors = self.run(good_case, path)
            good = run, self.contents(room, Said(output, errors, before, room.listing())), output
            self.tidy(room)
            kind, case, room = self.drawn(number, path)
        before, home = room.listing(), self.home_names()
        run, output, errors = self.run(case, path)
        said = Said(output, errors, before, room.listing(), sorted(self.home_names() - home), self.temporary_names())
        found = list(problems(case, run, said, self.limits, self.idle))
        if good:
            found += twin_problems(case, run, good[0], self.contents(room, said), *good[1:])
        self.tidy(room)
        return Judged(number, kind, case, run, found, room.written, errors)

    @staticmethod
    def contents(room, said):
        """The bytes of every file that was made or changed."""
        return {path: room.read(path) for path in said.changed if path in said.after and os.path.isfile(room.place(path))}

    def tidy(self, room):
        room.clear()
        shutil.rmtree(os.path.join(self.place, "tmp"))
        os.makedirs(os.path.join(self.place, "tmp"))
        if len(names(self.home)) > MOST_KEPT:
            self.empty_home()

    def empty_home(self):
        shutil.rmtree(self.home)
        os.makedirs(self.home)

    # --- what is kept ------------------------------------------------------------------------------------------------

    def keep(self, judged, folder):
        """Writes the files of a case and a script that runs it again."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        path = os.path.join(self.place, "again")
        _, case, room = self.drawn(judged.number, path)
        shutil.copytree(path, os.path.join(folder, "room"), symlinks=True, ignore_dangling_symlinks=True)
        room.clear()
        with open(os.path.join(folder, "again.sh"), "w") as file:
            file.write(f"#!/bin/bash\n# {judged.kind}, seed {self.options.seed}, case {judged.number}: "
                       + "; ".join(f"{label}: {printable(detail)[:300]}" for label, detail in judged.problems) + "\n"
                       + f'cd "$(dirname "$0")/room" && exec {script(case)}\n')


@dataclasses.dataclass
class Judged:
    number: int
    kind: str
    case: Case
    run: object
    problems: list
    written: int
    errors: bytes | None


def names(folder):
    return [os.path.relpath(os.path.join(path, name), folder) for path, _, files in os.walk(folder) for name in files]


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


def script(case):
    """A command for bash that does what the case does, as far as bash can say it."""
    forms = {"closed": "%d>&-", "full": "%d>/dev/full", "read-only": "%d</dev/null", "nothing": "%d>/dev/null", "no reader": "%d> >(exec true)", "short reader": "%d> >(head -c 10)"}
    inputs = {"nothing": "</dev/null", "closed": "<&-", "full": "</dev/full", "endless": "</dev/zero", "folder": "</", "cut": "< <(true)", "write-only": "0>/dev/null"}
    variables = [quoted(os.fsencode(name) + b"=" + os.fsencode(value)) for name, value in case.environment.items() if value is not None]
    unset = [f"-u {name}" for name, value in case.environment.items() if value is None]
    limits = [f"ulimit -f {max(1, case.manner.most_file_bytes // 1024)}; "] * bool(case.manner.most_file_bytes) + [f"ulimit -n {case.manner.most_descriptors}; "] * bool(case.manner.most_descriptors)
    words = ["env", *unset, *variables] if variables or unset else []
    streams = [inputs[case.streams[0]], *(forms[stream] % index for index, stream in enumerate(case.streams) if index and stream in forms)]
    return "".join(limits) and "bash -c " + shlex.quote("".join(limits) + " ".join([*words, "${PROGRAM:-langevin}", *map(quoted, case.bytes), *streams])) \
        or " ".join([*words, "${PROGRAM:-langevin}", *map(quoted, case.bytes), *streams])


class Streams:
    """The three descriptors of a case, open while it runs."""

    def __init__(self, kinds, kept):
        self.kinds, self.kept, self.opened = kinds, kept, []

    def __enter__(self):
        return [self.descriptor(index, kind) for index, kind in enumerate(self.kinds)]

    def __exit__(self, *_):
        for descriptor in self.opened:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def descriptor(self, index, kind):
        if kind == "closed":
            return None
        if kind == "file":
            return self.kept[index - 1]
        if kind in ("cut", "no reader", "short reader"):
            reader, writer = os.pipe()
            if kind == "short reader":
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096) if hasattr(fcntl, "F_SETPIPE_SZ") else None
                threading.Thread(target=lambda: (os.read(reader, 10), os.close(reader)), daemon=True).start()
            mine, other = (reader, writer) if kind == "cut" else (writer, None if kind == "short reader" else reader)
            if other is not None:
                os.close(other)
        else:
            path, flags = {"nothing": (os.devnull, os.O_RDWR), "full": ("/dev/full", os.O_RDWR), "read-only": (os.devnull, os.O_RDONLY), "write-only": (os.devnull, os.O_WRONLY),
                           "folder": ("/", os.O_RDONLY), "endless": ("/dev/zero", os.O_RDONLY)}[kind]
            mine = os.open(path, flags)
        self.opened.append(mine)
        return mine


# --- many cases ----------------------------------------------------------------------------------------------------


class Tally:
    """Counts by kind, and each way of failing with its smallest case."""

    def __init__(self, path=None):
        self.path = path
        self.kinds, self.failures, self.seconds = {}, {}, 0.0
        if path and os.path.exists(path):
            with open(path) as file:
                self.__dict__.update(json.load(file), path=path)

    def add(self, judged):
        """Whether the case fails in a way of its own, or with a smaller input than before."""
        run = judged.run
        row = self.kinds.setdefault(judged.kind, dict(cases=0, accepted=0, refused=0, other=0, failures=0, seconds=0.0, processor=0.0, mebibytes=0.0))
        row["cases"] += 1
        row["accepted" if run.code == 0 else "refused" if run.code == 2 else "other"] += 1
        row["seconds"] += run.seconds
        if run.code == 2:
            row["processor"], row["mebibytes"] = max(row["processor"], run.processor), max(row["mebibytes"], run.mebibytes)
        row["failures"] += bool(judged.problems)
        better = []
        for label, detail in judged.problems:
            name = signature(judged.kind, label, detail)
            known = self.failures.setdefault(name, dict(count=0, written=1 << 60, kind=judged.kind, label=label))
            known["count"] += 1
            if judged.written < known["written"]:
                known.update(written=judged.written, case=judged.number, detail=printable(detail)[:1000],
                             command=" ".join(map(quoted, judged.case.bytes))[:1000])
                better.append(name)
        return better

    def save(self):
        if self.path:
            with open(self.path, "w") as file:
                json.dump({key: value for key, value in self.__dict__.items() if key != "path"}, file, indent=1)

    def table(self, idle):
        heads = ("kind", "cases", "accepted", "refused", "other", "failures", "seconds", "s of a refusal", "MiB of one")
        yield "{:14} {:>7} {:>9} {:>8} {:>6} {:>9} {:>8} {:>15} {:>11}".format(*heads)
        total = dict(cases=0, accepted=0, refused=0, other=0, failures=0, seconds=0.0, processor=0.0, mebibytes=0.0)
        for kind, row in sorted(self.kinds.items()):
            total = {key: max(total[key], row[key]) if key in ("processor", "mebibytes") else total[key] + row[key] for key in total}
            yield self.line(kind, row, idle)
        yield self.line("all", total, idle)

    @staticmethod
    def line(kind, row, idle):
        return (f"{kind:14} {row['cases']:7} {row['accepted']:9} {row['refused']:8} {row['other']:6} {row['failures']:9} {row['seconds']:8.0f} "
                f"{max(0, row['processor'] - idle.processor):15.2f} {max(0, row['mebibytes'] - idle.mebibytes):11.0f}")


def signature(kind, label, detail):
    """What failures that have one cause have in common, as far as words show it."""
    if label.startswith(("stopped", "processor", "memory", "control", "a long", "exit code 1 in", "exit code 2 in", "written", "served")):
        detail = ""
    detail = re.sub(r"'[^']*'|\"[^\"]*\"|“[^”]*”|\d+", "#", printable(detail))
    return f"{kind}: {label} {detail[:60]}".strip()


def self_test(options):
    """Whether every planted fault is seen, and forked and plain starts of the program end alike."""
    campaign = Campaign(options)
    try:
        lines = [*badinput_selftest.check(campaign), *compared(campaign, options)]
    finally:
        campaign.close()
    print("\n".join(lines) or f"every planted fault was seen, and {options.cases} cases end alike forked and plain")
    return not lines


def compared(campaign, options):
    """Lines about cases that end in another way when the program is started anew for each."""
    forked, plain = campaign.starts, Starts(options.program, plain=True)
    idle = {forked: campaign.idle}
    campaign.starts = plain
    idle[plain] = campaign.run(Case(["--version"]), campaign.place)[0]
    try:
        for number in range(options.first, options.first + options.cases):
            found = []
            for campaign.starts in (forked, plain):
                campaign.idle = idle[campaign.starts]
                judged = campaign.judged(number)
                if judged.case.manner.stranger:
                    break
                found.append((judged.run.code, re.sub(rb"[0-9.]+", b"#", judged.errors or b""), [label for label, _ in judged.problems]))
            if len(found) == 2 and found[0] != found[1]:
                yield f"case {number} ({judged.kind}) ends with {found[0]} forked and {found[1]} plain"
    finally:
        campaign.starts, campaign.idle = forked, idle[forked]
        plain.close()


def run(options):
    """Runs the cases that the options ask for; returns whether all keep the promises."""
    campaign, tally = Campaign(options), Tally(options.tally)
    begun = time.monotonic()
    try:
        for number in range(options.first, options.first + options.cases):
            judged = campaign.judged(number)
            for name in tally.add(judged):
                if options.keep and tally.failures[name]["count"] <= 50:
                    campaign.keep(judged, os.path.join(options.keep, re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:80]))
                if options.verbose:
                    print(f"{name}: case {number}\n    {tally.failures[name]['detail'][:300]}\n    {tally.failures[name]['command'][:300]}", flush=True)
            if options.verbose and number % 500 == 499:
                print(f"-- {number + 1} cases, {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        tally.seconds += time.monotonic() - begun
        tally.save()
        report(tally, campaign, options)
        campaign.close()
    return not tally.failures


def report(tally, campaign, options):
    for name, failure in sorted(tally.failures.items(), key=lambda item: -item[1]["count"]):
        print(f"FAIL {failure['count']:5} × {name}\n      case {failure['case']}, {failure['written']} bytes: {failure['command'][:400]}\n      {failure['detail'][:400]}")
    print("\n".join(tally.table(campaign.idle)))
    print(f"seed {options.seed}, {tally.seconds:.0f} s; --version needs {campaign.idle.processor:.3f} s and {campaign.idle.mebibytes:.0f} MiB; "
          f"alarm at {options.seconds} s and {options.mebibytes} MiB beyond that")
