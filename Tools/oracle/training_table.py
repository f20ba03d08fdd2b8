"""The table of docs/Training.md: every committed recipe that trains on digits, or on points, trained and measured.

One run is a recipe with a seed: trained for 700 steps of 64 (`points`: its own 2,000 of 256), then measured with the
recipe's own solver, steps and guidance by `evaluate --count 1000`. Results are kept in `results.jsonl` of the folder
`--out`; runs that are there are not repeated, so that the script can be stopped and started again.

    Tools/oracle/training_table.py --program .build/release/langevin --out runs            every run that is missing
    Tools/oracle/training_table.py --program .build/release/langevin --out runs --limit 1   the next one
    Tools/oracle/training_table.py --out runs --print                                       the table
"""
import argparse
import json
import os

import numpy as np

from program import ROOT, Program, Results, cell, energy_distance

RECIPES = ["edm", "flow", "vp-sde", "ve", "hybrid", "bound", "min-snr", "ot-flow", "reflow", "score-matching", "dit",
           "unet-text", "mmdit-text", "points"]
STEPS, BATCH = 700, 64


def measure_pictures(program, recipe, seed, folder):
    run, source = os.path.join(folder, f"{recipe}-{seed}"), os.path.join(folder, f"flow-{seed}")
    settings = {"seed": seed, "training.steps": STEPS, "training.batch_size": BATCH}
    result = {}
    if recipe == "reflow":
        pairs = os.path.join(folder, f"pairs-{seed}.safetensors")
        result["pairs_seconds"] = program.run(
            "sample", source, "--class", "all", "--count", 2000, "--seed", 10000 * (seed + 1), "--threads", 1,
            "--pairs", pairs, "-o", os.path.join(folder, f"pairs-{seed}.png"))[1]
        settings["data.path"] = pairs
    result["seconds"] = program.train(f"recipes/{recipe}.yaml", run, **settings)
    report, result["evaluation_seconds"] = program.evaluate(run, "--seed", 1000 * seed)
    return result | {key: value for key, value in report.items() if key != "features"}


def measure_points(program, recipe, seed, folder):
    run = os.path.join(folder, f"{recipe}-{seed}")
    seconds = program.train(f"recipes/{recipe}.yaml", run, seed=seed)
    data = np.load(os.path.join(ROOT, "data/points/spirals.npz"))["points"]
    samples = program.samples(run, run + ".safetensors", "--class", "all", "--count", 2000, "--seed", 10000 * seed)
    order = np.random.default_rng(seed).permutation(len(data))
    halves = energy_distance(data[order[::2]], data[order[1::2]])
    return {"seconds": seconds, "energy_distance": energy_distance(samples, data),
            "energy_distance_of_halves": halves}


def printed(results):
    """The rows of the table: the mean over the seeds, and the largest difference from it."""
    print("| recipe | Fréchet distance | accuracy | seconds of one thread | seeds |\n|---|---|---|---|---|")
    for recipe in RECIPES:
        rows = [row for row in results if row["recipe"] == recipe]
        if rows and recipe != "points":
            print(f"| {recipe} | {cell(rows, 'frechet_distance', 1)} "
                  f"| {cell(rows, 'accuracy', 3)} | {cell(rows, 'seconds', 0)} "
                  f"| {len(rows)} |")
    for row in results:
        if row["recipe"] == "points":
            print(f"points, seed {row['seed']}: energy distance {row['energy_distance']:.5f} "
                  f"(halves of the data {row['energy_distance_of_halves']:.5f}), {row['seconds']:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=10**6, help="at most so many runs")
    parser.add_argument("--only", nargs="*", default=RECIPES)
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    results = Results(options.out)
    if options.print:
        return printed(results.rows)
    done = {(row["recipe"], row["seed"]) for row in results.rows}
    wanted = [(recipe, seed) for seed in range(options.seeds) for recipe in RECIPES if recipe in options.only]
    for recipe, seed in [run for run in wanted if run not in done][:options.limit]:
        measure = measure_points if recipe == "points" else measure_pictures
        row = {"recipe": recipe, "seed": seed} | measure(
            Program(options.program), recipe, seed, os.path.abspath(options.out))
        print(json.dumps(row), flush=True)
        results.add(row)


if __name__ == "__main__":
    main()
