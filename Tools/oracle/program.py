"""The program of this project as other scripts run it: commands with their processor time, and samples read back."""
import json
import os
import resource
import statistics
import subprocess

import numpy as np
from safetensors.numpy import load_file

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Program:
    """The program at a path. Every command runs in the project's root."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *arguments):
        """Runs a command; gives its standard output and the processor seconds of all its threads."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr[-2000:] or done.returncode}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def train(self, recipe, out, **settings):
        """Trains by a recipe with one thread, without checkpoints and sheets on the way; gives processor seconds."""
        settings = {"training.threads": 1, "training.checkpoint_every": 0, "training.sample_every": 0} | settings
        changed = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        return self.run("train", recipe, "--out", out, "--json", *changed)[1]

    def evaluate(self, model, *options):
        """What `evaluate --json` measures, and the processor seconds of it."""
        text, seconds = self.run("evaluate", model, "--against", "digits", "--threads", 1, "--json", *options)
        return json.loads(text), seconds

    def samples(self, model, out, *options):
        """The tensor `samples` that `sample` writes."""
        self.run("sample", model, "-o", out, "--threads", 1, *options)
        return load_file(out)["samples"]


class Results:
    """Rows of figures in `results.jsonl` of a folder: a table that was stopped goes on where it was."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "results.jsonl")
        self.rows = []
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.rows = [json.loads(line) for line in file]

    def add(self, row):
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")


def cell(rows, key, digits):
    """The mean of a figure over rows, and the largest difference from it where there are several; a dash where no row has it."""
    values = [row[key] for row in rows if row.get(key) is not None]
    if not values:
        return "–"
    mean = statistics.mean(values)
    spread = max(abs(value - mean) for value in values)
    return f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if len(values) > 1 else "")


def energy_distance(first, second):
    """2·E|X − Y| − E|X − X'| − E|Y − Y'| of two sets of points, without bias (Székely and Rizzo 2013, equation 5)."""
    first, second = (np.asarray(points, dtype=np.float64) for points in (first, second))

    def mean_distance(a, b, pairs):
        blocks = [np.sqrt(((a[i:i + 500, None] - b[None]) ** 2).sum(-1)).sum() for i in range(0, len(a), 500)]
        return sum(blocks) / pairs
    n, m = len(first), len(second)
    return (2 * mean_distance(first, second, n * m) - mean_distance(first, first, n * (n - 1))
            - mean_distance(second, second, m * (m - 1)))
