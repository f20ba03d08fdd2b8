"""Ours against theirs, alternating within one run: prints one table and writes JSON.

    python bench.py [--program .build/release/langevin] [--python PYTHON] [--rounds 5] [--json FILE] [WORK ...]

WORK: ddpm-cifar-train ddpm-cifar-forward tiny-1000 start start-sd15 (all of them when none is named), or one of
solver-euler solver-heun solver-lms solver-dpmpp-2m solver-euler-a, ours against k-diffusion's, the model left out. `langevin bench WORK
--serve` and `peers.py` both live through a work; each round runs one repetition of ours and one of every layout of
theirs, while the others wait on their standard input. The first round warms both up and is not counted. `start` runs
cold processes in turn: ours until it has left with its file written, theirs until its first step is done. `start-sd15`
runs cold processes in turn until a Stable Diffusion 1.5 of full size in float16 is called for its first step (ours when
it shows step 0 of its progress); after the last round each makes one picture of one step, for its peak memory.
Ratios are of medians, ours ÷ theirs (below 1: ours is faster), where theirs is the best of its layouts.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LAYOUTS = ("nchw", "channels-last")
WORKS = {"ddpm-cifar-train": "(a) training step, CIFAR U-Net, batch 32",
         "ddpm-cifar-forward": "(b) forward, CIFAR U-Net, batch 64",
         "tiny-1000": "(c) 1,000 steps, tiny U-Net, batch 16",
         "start": "(d) start to first step",
         "start-sd15": "(e) start to first step, Stable Diffusion 1.5 in float16"}
# Compared with k-diffusion (LANGEVIN_K_DIFFUSION=…/k_diffusion/sampling.py); not among the rows of `make bench`.
SOLVERS = {f"solver-{name}": f"100 steps of {name}, [64, 3, 32, 32], model at no cost"
           for name in ("euler", "heun", "lms", "dpmpp-2m", "euler-a")}
DESCRIPTIONS = WORKS | SOLVERS
PAUSE = 0.3      # lets the threads of the side that just ran go to sleep


class Worker:
    """A process that answers a line with the milliseconds of one repetition."""

    def __init__(self, command, environment):
        self.name = command[0]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)

    def repetition(self, request):
        time.sleep(PAUSE)
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise SystemExit(f"bench: {self.name} ended with exit code {self.process.wait()}")
        for line in self.process.stdout:
            if line.strip() != "ready":
                return float(line)
        raise SystemExit(f"bench: {self.name} ended with exit code {self.process.wait()}")

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def alternate(work, options, environment):
    ours = Worker(
        [options.program, "bench", work, "--serve", "--threads", str(options.threads)], environment)
    theirs = Worker([options.python, os.path.join(HERE, "peers.py")], environment)
    # The memory layout means nothing to elementwise work.
    layouts = LAYOUTS[:1] if work in SOLVERS else LAYOUTS
    samples = {"ours": [], **{layout: [] for layout in layouts}}
    try:
        for number in range(options.rounds + 1):
            turn = {"ours": ours.repetition(f"{work} 1")}
            for layout in layouts:
                turn[layout] = theirs.repetition(f"{work}:{layout} 1")
            print(f"bench: {work} round {number or 'warm-up'}: "
                  + ", ".join(f"{side} {value:.1f} ms" for side, value in turn.items()), file=sys.stderr)
            if number > 0:
                for side, value in turn.items():
                    samples[side].append(value)
    finally:
        ours.end()
        theirs.end()
    return samples


def cold(options, environment):
    """Milliseconds from exec, cold processes in turn, files in the page cache."""
    samples = {"ours": [], "nchw": []}
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model")
        peers = [options.python, os.path.join(HERE, "peers.py")]
        subprocess.run(peers + ["folder", model], check=True, env=environment, stdout=subprocess.DEVNULL)
        commands = {"ours": [options.program, "sample", model, "--steps", "1", "--seed", "0",
                             "-o", os.path.join(folder, "out.safetensors")],
                    "nchw": peers + ["start", model]}
        for number in range(options.rounds + 1):
            for side, command in commands.items():
                time.sleep(PAUSE)
                begun = time.perf_counter()
                subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
                if number > 0:
                    samples[side].append((time.perf_counter() - begun) * 1e3)
            print(f"bench: start round {number or 'warm-up'}", file=sys.stderr)
    return samples


def until(command, environment, mark):
    """Milliseconds from exec until a line of a process, on either stream, holds a mark; the process is ended then."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = next((time.perf_counter() for line in process.stdout if mark in line), None)
    process.kill()
    process.wait()
    if seen is None:
        raise SystemExit(f"bench: {command[0]} never said '{mark}'")
    return (seen - begun) * 1e3


def peak(command, environment):
    """MiB that a whole process held at most."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"bench: {command[0]} failed")
    return usage.ru_maxrss / 1024


def cold_sd15(options, environment):
    """Milliseconds from exec to the first call of the network, cold processes in turn, files in the page cache."""
    samples = {"ours": [], "nchw": []}
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model")
        peers = [options.python, os.path.join(HERE, "peers.py")]
        subprocess.run(peers + ["folder-sd15", model], check=True, env=environment, stdout=subprocess.DEVNULL)
        ours = [options.program, "generate", "a photo of a cat", "--model", model, "--dtype", "float16", "--steps", "1",
                "--seed", "0", "-o", os.path.join(folder, "out.png")]
        turns = {"ours": (ours, "0% 0/1"), "nchw": (peers + ["start-sd15", model], "stepping")}
        for number in range(options.rounds + 1):
            for side, (command, mark) in turns.items():
                time.sleep(PAUSE)
                value = until(command, environment, mark)
                if number > 0:
                    samples[side].append(value)
            print(f"bench: start-sd15 round {number or 'warm-up'}", file=sys.stderr)
        size = environment.get("LANGEVIN_SD15_SIZE", "512")
        peaks = {side: peak(command + (["--width", size, "--height", size] if side == "ours" else []), environment)
                 for side, (command, _) in turns.items()}
        print("bench: start-sd15 peak memory of one picture of one step: "
              + ", ".join(f"{side} {value:,.0f} MiB" for side, value in peaks.items()), file=sys.stderr)
    return samples


COLD = {"start": cold, "start-sd15": cold_sd15}


def machine():
    def first(path, key):
        try:
            with open(path) as file:
                return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), None)
        except OSError:
            return None
    name = first("/proc/cpuinfo", "model name")
    if platform.system() == "Darwin":
        name = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True).stdout.strip()
    return {"processor": name or platform.processor(), "cores": os.cpu_count(),
            "memory": first("/proc/meminfo", "MemTotal"), "system": platform.platform()}


def versions(python):
    code = "import torch, diffusers, json; print(json.dumps({'torch': torch.__version__, 'diffusers': diffusers.__version__}))"
    return json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)


def row(work, samples):
    medians = {side: statistics.median(values) for side, values in samples.items()}
    best = min(value for side, value in medians.items() if side != "ours")
    return {"work": work, "description": DESCRIPTIONS[work], "median_ms": medians, "best_theirs_ms": best,
            "ours_over_theirs": medians["ours"] / best, "samples_ms": samples}


def table(rows):
    lines = ["| work | ours, ms | theirs nchw, ms | theirs channels-last, ms | ours ÷ theirs |", "|---|---|---|---|---|"]
    for entry in rows:
        m = entry["median_ms"]
        last = f"{m['channels-last']:,.1f}" if "channels-last" in m else "–"
        lines.append(f"| {entry['description']} | {m['ours']:,.1f} | {m['nchw']:,.1f} | {last} "
                     f"| {entry['ours_over_theirs']:.3f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", metavar="WORK", help=" ".join(DESCRIPTIONS))
    parser.add_argument("--program", default=os.path.join(HERE, "..", ".build", "release", "langevin"))
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and diffusers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="file that receives every sample")
    options = parser.parse_args()
    unknown = [work for work in options.works if work not in DESCRIPTIONS]
    if unknown:
        parser.error(f"unknown work {unknown[0]}: choose from {' '.join(DESCRIPTIONS)}")
    if not os.access(options.program, os.X_OK):
        parser.error(f"{options.program} is not a program: run make build first or give --program")
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "LANGEVIN_THREADS": str(options.threads)}
    rows = []
    for work in options.works or list(WORKS):
        samples = COLD[work](options, environment) if work in COLD else alternate(work, options, environment)
        rows.append(row(work, samples))
    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine(),
              "threads": options.threads, "rounds": options.rounds, "peers": versions(options.python), "rows": rows}
    print(f"{report['machine']['processor']}, {options.threads} threads, {report['date'][:10]}, medians of "
          f"{options.rounds}; theirs: diffusers {report['peers']['diffusers']}, torch {report['peers']['torch']}")
    print(table(rows))
    if options.json:
        with open(options.json + ".part", "w") as file:
            json.dump(report, file, indent=1)
        os.replace(options.json + ".part", options.json)


if __name__ == "__main__":
    main()
