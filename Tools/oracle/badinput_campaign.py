"""The campaign of badinput.py: drawn inputs, command lines and surroundings, each run through the program and judged.

Every case is drawn from the seed and its number. A case mostly changes one thing in an input that is served, so that it
gets past the first look; see the modules badinput_*.py for what is changed.
"""
import dataclasses
import os
import random
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
import warnings

import badinput_files
import badinput_lines
import badinput_models
import badinput_pictures
import badinput_runs
import badinput_selftest
import badinput_sizes
from badinput_cases import Case, Room
from badinput_stock import Stock
from badinput_tally import Judged, Tally, printable, script
from badinput_verdicts import IN_PLACE, Limits, Said, problems, twin_problems
from starts import Manner, Starts, Streams

# How often each kind is drawn.
KINDS = {
    "configuration": (badinput_models.configuration, 16), "tokenizer": (badinput_models.tokenizer, 6),
    "weights": (badinput_models.weights, 8), "checkpoint": (badinput_models.checkpoint, 7),
    "analytic": (badinput_models.analytic, 6), "prompt": (badinput_models.prompt, 4),
    "safetensors": (badinput_files.safetensors, 9), "pickle": (badinput_files.pickled, 9),
    "picture": (badinput_pictures.picture, 8), "data": (badinput_files.data, 3), "recipe": (badinput_runs.recipe, 6),
    "override": (badinput_runs.override, 4), "run": (badinput_runs.run_folder, 3),
    "command line": (badinput_lines.command_line, 12), "stream": (badinput_lines.stream, 3),
    "surroundings": (badinput_lines.surroundings, 2.5), "size": (badinput_sizes.size, 2)}
WHOLE_EVERY = 16        # how often a process ends with the destructors of its libraries, which takes 0.1 s
MOST_KEPT = 400         # files in the home before it is emptied
MOST_WRITTEN = 50       # times that a way of failing is written down anew because its case is smaller


class Campaign:
    def __init__(self, options):
        # Of diffusers, which finds odd models odd, and of zipfile.
        warnings.simplefilter("ignore")
        # Deep trees are walked by recursion.
        sys.setrecursionlimit(20_000)
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
        found = {"HOME": self.home, "TMPDIR": os.path.join(self.place, "tmp"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                 "OMP_NUM_THREADS": "1", **case.environment}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def home(self):
        return os.path.join(self.place, "home")

    def home_names(self):
        # What is remembered of a file's bytes is true whatever becomes of the request.
        return {name for name in names(self.home) if not name.startswith(".cache/langevin")}

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
            run = self.starts.run(case.bytes, folder, self.environment(case), streams.descriptors, self.limits.wall,
                                  self.limits.stop, manner)
        return run, *(os.pread(stream, os.fstat(stream).st_size, 0) if case.streams[index] == "file" else streams.said(index)
                      for index, stream in enumerate(self.kept, 1))

    def problem(self, words, folder):
        """Why a command that should be served is not; empty where it is."""
        run, _, errors = self.run(Case(words), folder)
        said = errors[:300].decode(errors="replace")
        return "" if run.code == 0 else f"exit code {run.code} {run.stopped or ''}: {said} ({words})"

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
        """The case with a number, run and judged. One that took too long does so again before it counts: on a busy machine
        it may just not have been let in."""
        found = self.judged_once(number)
        return self.judged_once(number) if any(label == "stopped: time" for label, _ in found.problems) else found

    def judged_once(self, number):
        """A case that is compared runs with good streams and without limits before."""
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
        if any(label == IN_PLACE for label, _ in found):
            # It may have been the good file that the name was a link to.
            self.stock.forget_bases()
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
            found = "; ".join(f"{label}: {printable(detail)[:300]}" for label, detail in judged.problems)
            lines = ["#!/bin/bash", f"# {judged.kind}, seed {self.options.seed}, case {judged.number}: {found}",
                     'cd "$(dirname "$0")/room"', *script(case)]
            file.write("\n".join(lines) + "\n")


def names(folder):
    return [os.path.relpath(os.path.join(path, name), folder) for path, _, files in os.walk(folder) for name in files]


# --- many cases ----------------------------------------------------------------------------------------------------


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
                found.append((judged.run.code, re.sub(rb"[0-9.]+", b"#", judged.errors or b""),
                              [label for label, _ in judged.problems]))
            if len(found) == 2 and found[0] != found[1]:
                yield f"case {number} ({judged.kind}) ends with {found[0]} forked and {found[1]} plain"
    finally:
        campaign.starts, campaign.idle = forked, idle[forked]
        plain.close()


def run(options):
    """Runs the cases that the options ask for; returns whether all keep the promises."""
    # Ended by another, it still removes its folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    campaign, tally = Campaign(options), Tally(options.tally)
    begun = time.monotonic()
    try:
        for number in range(options.first, options.first + options.cases):
            try:
                judged = campaign.judged(number)
            except Exception:  # a case that was not looked at is none that passed
                tally.broken(number, traceback.format_exc())
                shutil.rmtree(os.path.join(campaign.place, "room"), ignore_errors=True)
                continue
            for name in tally.add(judged, campaign.idle):
                failure = tally.failures[name]
                if options.keep and failure["count"] <= MOST_WRITTEN:
                    campaign.keep(judged, os.path.join(options.keep, re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:80]))
                if options.verbose:
                    print(f"{name}: case {number}\n    {failure['detail'][:300]}\n    {failure['command'][:300]}", flush=True)
            if options.verbose and number % 500 == 499:
                print(f"-- {number + 1} cases, {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        tally.seconds += time.monotonic() - begun
        tally.save()
        print("\n".join(tally.lines()))
        print(f"seed {options.seed}, {tally.seconds:.0f} s; --version needs {campaign.idle.processor:.3f} s and "
              f"{campaign.idle.mebibytes:.0f} MiB; alarm at {options.seconds} s and {options.mebibytes} MiB beyond that")
        campaign.close()
    return not tally.failures
