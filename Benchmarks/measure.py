"""How a row of the table is measured: ours and every side of theirs in turns."""
import array
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from workers import Busy, Missing, Worker, peak, until, whole
from works import SPLIT, WORKS, element_type

HERE = os.path.dirname(os.path.abspath(__file__))


def say(line):
    print(f"bench: {line}", file=sys.stderr, flush=True)


class Bench:
    """Programs, folders and settings of a run."""

    def __init__(self, options, versions):
        self.program, self.python = options.program, options.python
        self.rounds, self.seconds = options.rounds, options.seconds
        self.threads, self.peers = options.threads, options.peers
        # What other versions wrote is not read.
        self.cache = os.path.join(options.cache, "-".join(
            ["1", "torch", versions["torch"].split("+")[0], "diffusers", versions["diffusers"]]))
        os.makedirs(self.cache, exist_ok=True)
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads), "LANGEVIN_THREADS": str(self.threads),
                            "TORCHINDUCTOR_CACHE_DIR": os.path.join(self.cache, "inductor"), "HF_HUB_OFFLINE": "1"}

    def script(self, name, *arguments):
        return [self.python, os.path.join(HERE, name), *arguments]

    def folder(self, name):
        """The folder of a work's weights, written where it is not there."""
        path = os.path.join(self.cache, name)
        if not os.path.isdir(path):
            if name == "sd15-unet-half":
                self.folder("sd15-unet")
            say(f"writing {path} (once)")
            subprocess.run(self.script("prepare.py", name, path), check=True, env=self.environment, stdout=sys.stderr)
        return path

    def ours(self, work, dtype, folder=None, output=None):
        command = [self.program, "bench", work, "--dtype", element_type(dtype), "--threads", str(self.threads)]
        command += ["--bf16x3"] if dtype == SPLIT else []
        command += ["--weights", os.path.join(folder, "weights")] if folder else []
        inputs = os.path.join(folder, "inputs.safetensors") if folder else ""
        command += ["--inputs", inputs] if WORKS[work].takes_inputs and os.path.exists(inputs) else []
        return command + (["--output", output] if output else [])

    def theirs(self, work, side, dtype, folder=None, output=None):
        arguments = [work, side, "--dtype", element_type(dtype)] + (["--folder", folder] if folder else [])
        return self.script("peers.py", *arguments, *(["--output", output] if output else []))

    def sides(self, work):
        return [side for peer, sides in WORKS[work].sides.items() if peer in self.peers for side in sides]

    def log(self, side):
        return os.path.join(self.cache, f"{side}.log")


class Row:
    """What was measured of a work in a type."""

    def __init__(self, work, dtype):
        self.work, self.dtype = work, dtype
        self.samples, self.beside, self.errors, self.missing = {}, {}, {}, {}
        # Beside busy processes: samples of the same rounds without them.
        self.alone = {}
        self.tflop = None

    def add(self, side, theirs, ours):
        """The samples of a side, and ours of the same rounds."""
        self.samples[side], self.beside[side] = theirs, ours
        self.samples.setdefault("ours", []).extend(ours)

    def add_alone(self, side, theirs, ours):
        """The samples of a side, and ours, while no process was busy beside them."""
        self.alone[side] = theirs
        self.alone.setdefault("ours", []).extend(ours)

    def best(self, sides):
        """The fastest side beside ours of the same rounds, None where none was measured."""
        found = [side for side in sides if side in self.samples]
        return min(found, key=self.ratio, default=None)

    def median(self, side):
        return statistics.median(self.samples[side])

    def ratio(self, side):
        """Theirs ÷ ours, of medians of the same rounds."""
        return self.median(side) / statistics.median(self.beside[side])

    def over_alone(self, side):
        """A side's time beside busy processes ÷ its time alone, of medians."""
        return self.median(side) / statistics.median(self.alone[side])

    def ceiling(self):
        """The least time in which the work's arithmetic can be done here."""
        return min(self.samples["ceiling"]) * self.tflop if self.tflop and "ceiling" in self.samples else None

    def over_ceiling(self):
        """Ours ÷ the ceiling, ours being of the ceiling's rounds."""
        ceiling = self.ceiling()
        return ceiling and statistics.median(self.beside["ceiling"]) / ceiling

    def json(self):
        return {"work": self.work, "dtype": self.dtype, "unit": WORKS[self.work].unit, "tflop": self.tflop,
                "ceiling": self.ceiling(), "missing": self.missing, "errors": self.errors,
                "sides": {side: {"median": self.median(side), "minimum": min(samples), "samples": samples,
                                 "ours": self.beside.get(side), "alone": self.alone.get(side)}
                          for side, samples in self.samples.items()}}


def turns(bench, row):
    """Ours lives through the work; the sides take turns with it one after the other, for memory's sake."""
    spec = WORKS[row.work]
    work = spec.of or row.work
    folder = spec.folder and bench.folder(work if spec.folder == "own" else spec.folder)
    with tempfile.TemporaryDirectory() as outputs:
        compared = folder and os.path.exists(os.path.join(folder, "reference.safetensors"))
        name = (lambda side: os.path.join(outputs, side + ".safetensors")) if compared else (lambda side: None)
        commands = {side: bench.theirs(work, side, row.dtype, folder, name(side)) for side in bench.sides(work)}
        if spec.has_ceiling:
            with open(os.path.join(folder, "facts.json")) as file:
                row.tflop = json.load(file)["tflop"]
            commands["ceiling"] = bench.script("ceiling.py", element_type(row.dtype))
        try:
            ours = Worker(bench.ours(work, row.dtype, folder, name("ours")) + ["--serve"], bench.environment,
                          bench.log("ours"))
        except Missing as reason:
            raise SystemExit(f"bench: ours, {work} {row.dtype}: {reason}")
        busy = Busy(spec.busy)
        try:
            for side, command in commands.items():
                alternate(bench, row, side, ours, command, busy)
        finally:
            ours.end()
            busy.end()
        for side in row.samples if compared else ():
            if os.path.exists(name(side)):
                row.errors[side] = distance(name(side), os.path.join(folder, "reference.safetensors"))


def alternate(bench, row, side, ours, command, busy):
    """Rounds of ours and one side; the first warms both up and is not counted. Short ones are more, because the machine's
    speed wanders in seconds. Where processes are busy beside them, a round is one with them and one without."""
    say(f"{row.work} {row.dtype}: {side} is made ready")
    try:
        theirs = Worker(command, bench.environment, bench.log(side))
    except Missing as reason:
        row.missing[side] = str(reason)
        return say(f"{row.work} {row.dtype}: {side}: {reason}")
    rounds, alone = [], []
    try:
        while len(rounds) <= bench.rounds or time.monotonic() - warm < bench.seconds:
            if busy.processes:
                alone.append((ours.repetition(), theirs.repetition()))
            with busy:
                rounds.append((ours.repetition(), theirs.repetition()))
            say(f"{row.work} {row.dtype} round {len(rounds) - 1 or 'warm-up'}: ours {rounds[-1][0]:.1f} ms, "
                f"{side} {rounds[-1][1]:.1f} ms")
            if len(rounds) == 1:
                warm = time.monotonic()
        row.add(side, [pair[1] for pair in rounds[1:]], [pair[0] for pair in rounds[1:]])
        if alone:
            row.add_alone(side, [pair[1] for pair in alone[1:]], [pair[0] for pair in alone[1:]])
    except Missing as reason:
        row.missing[side] = str(reason)
        say(f"{row.work} {row.dtype}: {side}: {reason}")
    finally:
        theirs.end()


def starts(bench, row):
    """Cold processes in turn, files in the page cache: from exec to the end, or to the first call of the network."""
    model = os.path.join(bench.folder(row.work), "weights")
    theirs = bench.script("starts.py", row.work, model)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(bench.rounds + 1):
            if row.work == "start":
                ours = [bench.program, "sample", model, "--steps", "1", "--seed", "0", "-o",
                        os.path.join(folder, "out.safetensors")]
                pair = (whole(ours, bench.environment), whole(theirs, bench.environment))
            else:
                pair = (until(picture(bench, model, folder), bench.environment, "0% 0/1"),
                        until(theirs, bench.environment, "stepping"))
            say(f"{row.work} round {number or 'warm-up'}: ours {pair[0]:.0f} ms, theirs {pair[1]:.0f} ms")
            rounds.append(pair)
    row.add("eager-nchw", [pair[1] for pair in rounds[1:]], [pair[0] for pair in rounds[1:]])


def picture(bench, model, folder):
    """Our command for one picture of one step by a Stable Diffusion."""
    return [bench.program, "generate", "a photo of a cat", "--model", model, "--dtype", "float16", "--steps", "1",
            "--seed", "0", "-o", os.path.join(folder, "out.png")]


def memory(bench, row):
    """The peak of one process each that does the work once and finds nobody asking for more."""
    network, whole_folder = WORKS[row.work].of, bench.folder("sd15-unet")
    # Weights of the type that is computed in; OpenVINO's model is converted once, and casts.
    folder = whole_folder if row.dtype == "float32" else bench.folder("sd15-unet-half")
    commands = {side: bench.theirs(network, side, row.dtype, whole_folder if side == "openvino" else folder)
                for side in bench.sides(row.work)}
    peaks(bench, row, bench.ours(network, row.dtype, folder) + ["--serve"], commands)


def memory_sd15(bench, row):
    model, size = os.path.join(bench.folder("start-sd15"), "weights"), bench.environment.get("LANGEVIN_SD15_SIZE", "512")
    with tempfile.TemporaryDirectory() as folder:
        peaks(bench, row, picture(bench, model, folder) + ["--width", size, "--height", size],
              {"eager-nchw": bench.script("starts.py", "start-sd15", model)})


def peaks(bench, row, ours, theirs):
    own = peak(ours, bench.environment, bench.log("ours"))
    say(f"{row.work} {row.dtype}: ours {own:,.0f} MiB")
    row.samples["ours"] = [own]
    for side, command in theirs.items():
        try:
            row.samples[side], row.beside[side] = [peak(command, bench.environment, bench.log(side))], [own]
            say(f"{row.work} {row.dtype}: {side} {row.samples[side][0]:,.0f} MiB")
        except Missing as reason:
            row.missing[side] = str(reason)
            say(f"{row.work} {row.dtype}: {side}: {reason}")


MEASURES = {"turns": turns, "start": starts, "start-sd15": starts, "memory": memory, "memory-sd15": memory_sd15}


def output(path):
    """The tensor `output` of a safetensors file, float32, as numbers."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        entry = json.loads(file.read(size))["output"]
        begin, end = entry["data_offsets"]
        file.seek(8 + size + begin)
        numbers = array.array("f", file.read(end - begin))
    return entry["shape"], numbers


def distance(path, reference):
    """Root mean square of the difference to a reference over that of the reference."""
    (shape, found), (wanted_shape, wanted) = output(path), output(reference)
    if shape != wanted_shape:
        return math.inf
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(found, wanted)) / sum(b * b for b in wanted))
