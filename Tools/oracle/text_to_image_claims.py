"""The tables of docs/TextToImage.md on small systems of text to image: a diffusion prior against an autoregressive one, what a
decoder makes of text, CLIP's embedding of it and a prior's, conditioning augmentation, guidance against diversity, dynamic
against static thresholding at large scales, and the two ways in which a network reads a text.

Each seed trains a CLIP, both priors, a decoder, and a cascade of two stages by the recipes of this project; a further CLIP, of
another seed, judges all of them. A job is one training or one measurement. What is done is kept in `results.jsonl` of --out,
and a training goes on from its last checkpoint, so that the script can be stopped and started again, job by job.

    text_to_image_claims.py --program .build/release/langevin --data emoji-32.tar.gz --out runs            every job
    text_to_image_claims.py --program .build/release/langevin --data emoji-32.tar.gz --out runs --limit 1   the next one
    text_to_image_claims.py --out runs --print                                                             the tables

`--share 0.1` trains for a tenth of the steps of the recipes. Figures are means over the seeds; intervals (95 %) are by
resampling the seeds, and each seed's own figure within its bootstrap interval.
"""
import argparse
import json
import os

import numpy as np
import yaml
from safetensors.numpy import load_file

from program import ROOT, Program, Results

JUDGE = 100
SCALES = [1, 1.5, 2, 3, 5, 8]
LARGE = [3, 6, 12, 24]
LEVELS = [0, 50, 100, 200, 400]
# The captions and the pictures of each by which diversity is measured.
CAPTIONS, EACH = 40, 8


# --- trainings -----------------------------------------------------------------------------------------------------


TRAININGS = {
    "clip": ("small-clip", None, {}), "decoder": ("unclip-decoder", "model.clip", {}),
    "prior": ("prior", "model.clip", {}), "prior-ar": ("prior-autoregressive", "model.clip", {}),
    "base": ("imagen-16", "model.text_encoder", {}),
    "base-tokens": ("imagen-16", "model.text_encoder", {"model.context_pooling": "false"}),
    "base-pooled": ("imagen-16", "model.text_encoder", {"model.context_attention": "false"}),
    "second": ("imagen-32", "model.text_encoder", {}),
    "second-plain": ("imagen-32", "model.text_encoder", {"diffusion.augmentation": 0})}


class Study:
    def __init__(self, options):
        self.program, self.options, self.out = Program(options.program), options, os.path.abspath(options.out)

    def path(self, name, seed):
        return os.path.join(self.out, f"{name}-{seed}")

    def train(self, name, seed):
        recipe, encoder, changes = TRAININGS[name]
        with open(f"{ROOT}/recipes/{recipe}.yaml") as file:
            steps = yaml.safe_load(file)["training"]["steps"]
        steps = max(2, round(steps * self.options.share))
        settings = {"seed": seed, "data.path": os.path.abspath(self.options.data), "training.steps": steps,
                    "training.threads": 1, "training.checkpoint_every": max(1, steps // 8), "training.keep_checkpoints": 1,
                    "training.sample_every": 0, **changes}
        if encoder:
            settings[encoder] = self.path("clip", seed)
        changed = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        _, seconds = self.program.run("train", f"recipes/{recipe}.yaml", "--out", self.path(name, seed), "--resume", *changed)
        return {"steps": steps, "seconds": seconds}

    # --- measurements ------------------------------------------------------------------------------------------------

    def evaluated(self, name, seed, *options):
        """The figures of `evaluate`, judged by the CLIP of another seed."""
        text, seconds = self.program.run(
            "evaluate", self.path(name, seed), "--against", os.path.abspath(self.options.data), "--count",
            self.options.count, "--clip", self.path("clip", JUDGE), "--seed", 1000 * seed, "--threads", 1, "--json", *options)
        return json.loads(text), seconds

    def figures(self, report):
        found = {"score": report["clip_score"], "caption": report["contrastive"]["first"], "look": report["look"]["first"],
                 "nearest": report["nearest"]}
        return {name: [value["value"], value["low"], value["high"]] for name, value in found.items()}

    def embeddings(self, prior, seed):
        report, seconds = self.evaluated("decoder", seed, "--prior", self.path(prior, seed), "--compare-embeddings")
        return {key: self.figures(value) for key, value in report.items()} | {"seconds": seconds}

    def augmented(self, name, level, seed):
        options = ["--then", self.path(name, seed)] + (["--noise-level", level] if level is not None else [])
        report, seconds = self.evaluated("base", seed, *options)
        return self.figures(report) | {"seconds": seconds}

    def base(self, name, seed, *options):
        report, seconds = self.evaluated(name, seed, *options)
        return self.figures(report) | {"seconds": seconds}

    def spread(self, seed, *options):
        """The mean distance of pictures of one caption, root mean square in 1/255, and the share of pixels at the ends."""
        captions, place = self.captions(), os.path.join(self.out, "prompts.txt")
        with open(place, "w") as file:
            file.write("".join(caption + "\n" for caption in captions for _ in range(EACH)))
        samples = os.path.join(self.out, "spread.safetensors")
        _, seconds = self.program.run(
            "generate", "--prompts", place, "--model", self.path("base", seed), "--seed", 7000 * (seed + 1), "--threads", 1,
            "-o", samples, *options)
        pixels = np.clip(load_file(samples)["samples"].astype(np.float64), -1, 1)
        ends = (np.abs(pixels) > 0.98).reshape(len(captions), -1).mean(1)
        groups = pixels.reshape(len(captions), EACH, -1) * 127.5
        distances = []
        for group in groups:
            squares = ((group[:, None] - group[None]) ** 2).mean(-1)
            distances.append(np.sqrt(squares)[np.triu_indices(EACH, 1)].mean())
        return {"diversity": interval(distances), "ends": interval(ends), "seconds": seconds}

    def captions(self):
        """Captions of the data, evenly spread."""
        import tarfile
        with tarfile.open(self.options.data) as tar:
            names = sorted(name for name in tar.getnames() if name.endswith(".txt"))
            return [tar.extractfile(name).read().decode().strip().splitlines()[0]
                    for name in names[::max(1, len(names) // CAPTIONS)][:CAPTIONS]]


def interval(values):
    """A mean with the ends of its bootstrap interval."""
    values, generator = np.asarray(values, dtype=float), np.random.default_rng(0)
    means = values[generator.integers(0, len(values), (2000, len(values)))].mean(1)
    return [float(values.mean()), *map(float, np.percentile(means, [2.5, 97.5]))]


# --- jobs ----------------------------------------------------------------------------------------------------------


def jobs(study, seeds):
    """Names and functions, in the order in which they need each other."""
    yield f"train clip {JUDGE}", lambda: study.train("clip", JUDGE)
    for seed in seeds:
        for name in TRAININGS:
            yield f"train {name} {seed}", lambda name=name, seed=seed: study.train(name, seed)
        for prior in ("prior", "prior-ar"):
            yield f"embeddings {prior} {seed}", lambda prior=prior, seed=seed: study.embeddings(prior, seed)
        yield f"second-plain none {seed}", lambda seed=seed: study.augmented("second-plain", None, seed)
        for level in LEVELS:
            yield f"second {level} {seed}", lambda level=level, seed=seed: study.augmented("second", level, seed)
        for name in ("base-tokens", "base-pooled"):
            yield f"{name} 3 {seed}", lambda name=name, seed=seed: study.base(name, seed, "--guidance", 3)
        for scale in SCALES:
            yield f"guidance {scale} {seed}", lambda scale=scale, seed=seed: (
                study.base("base", seed, "--guidance", scale) | study.spread(seed, "--guidance", scale))
        for scale in LARGE:
            for way in ("none", "static", "dynamic"):
                options = ["--guidance", scale] + (["--threshold", way] if way != "none" else [])
                yield f"threshold {way} {scale} {seed}", lambda seed=seed, options=options: (
                    study.base("base", seed, *options) | study.spread(seed, *options))


# --- tables --------------------------------------------------------------------------------------------------------


def joined(figures):
    """The mean over seeds of figures with intervals, and an interval over both."""
    if not figures:
        return "—"
    generator, rows = np.random.default_rng(0), np.asarray(figures, dtype=float)
    picked = generator.integers(0, len(rows), (10_000, len(rows)))
    deviations = (rows[:, 2] - rows[:, 1]) / 3.92
    draws = rows[picked, 0] + deviations[picked] * generator.standard_normal(picked.shape)
    low, high = np.percentile(draws.mean(1), [2.5, 97.5])
    digits = 1 if abs(rows[:, 0].mean()) >= 5 else 3
    return f"{rows[:, 0].mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


COLUMNS = {"score": "CLIP score", "caption": "right caption of 100", "look": "right picture by its look",
           "nearest": "nearest picture of the data", "diversity": "distance within a caption",
           "ends": "share of pixels at the ends"}


def table(title, results, rows, columns, key=None):
    """A row for each name in `rows`, whose jobs are those of its pattern for every seed."""
    print(f"\n{title}\n\n| | {' | '.join(COLUMNS[column] for column in columns)} | seeds |\n|{'---|' * (len(columns) + 2)}")
    for label, pattern, *inner in rows:
        found = [row for row in results if row["job"].rsplit(" ", 1)[0] == pattern]
        found = [row[inner[0]] if inner else row for row in found]
        cells = [joined([row[column] for row in found if column in row]) for column in columns]
        print(f"| {label} | {' | '.join(cells)} | {len(found)} |")


def printed(results):
    plain = ["score", "caption", "look", "nearest"]
    table("What the decoder is given", results, [
        ("the text alone", "embeddings prior", "none"), ("CLIP's embedding of the text", "embeddings prior", "text"),
        ("the diffusion prior's", "embeddings prior", "prior"),
        ("the autoregressive prior's", "embeddings prior-ar", "prior")], plain)
    table("Conditioning augmentation, the second stage", results, [("without", "second-plain none")] + [
        (f"noise of time {level}", f"second {level}") for level in LEVELS], plain)
    table("Guidance", results, [(f"{scale}", f"guidance {scale}") for scale in SCALES], ["score", "caption", "diversity"])
    table("Thresholding", results, [
        (f"{scale}, {way}", f"threshold {way} {scale}") for scale in LARGE for way in ("none", "static", "dynamic")],
        ["score", "caption", "diversity", "ends"])
    table("How the network reads the text (guidance 3)", results, [
        ("tokens, and as one vector", "guidance 3"), ("tokens alone", "base-tokens 3"),
        ("one vector alone", "base-pooled 3")], plain)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=f"{ROOT}/.build/release/langevin")
    parser.add_argument("--data", help="the shard of captioned emoji of 32 pixels")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=600, help="pictures of a measurement")
    parser.add_argument("--share", type=float, default=1.0, help="the share of a recipe's steps that is trained")
    parser.add_argument("--only", default="", help="only jobs with this in their names")
    parser.add_argument("--limit", type=int, help="stop after so many jobs")
    parser.add_argument("--print", action="store_true", help="print the tables and do nothing else")
    options = parser.parse_args()
    results = Results(options.out)
    if options.print:
        return printed(results.rows)
    if not options.data:
        parser.error("--data: give the shard of captioned emoji")
    done, left = {row["job"] for row in results.rows}, options.limit
    for name, work in jobs(Study(options), range(options.seeds)):
        if name in done or options.only not in name:
            continue
        if left == 0:
            return
        figures = work()
        results.add({"job": name, "share": options.share, **figures})
        print(name, {key: value for key, value in figures.items() if not isinstance(value, dict)}, flush=True)
        left = left and left - 1


if __name__ == "__main__":
    main()
