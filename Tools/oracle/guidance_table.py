"""The table of docs/Sampling.md on classifier guidance: accuracy up and diversity down with the scale.

A seed is a model of digits without classes (`recipes/digits.yaml` with `model.conditioning=none`), a classifier of noisy digits
(`recipes/classifier-digits.yaml`), and `evaluate --count 1000 --guidance-method classifier` at each scale. Both models have
the seed; `evaluate` judges by a classifier of its own, which is trained on the spot on pictures without noise. Results are
kept in `results.jsonl` of the folder `--out`; what is there is not repeated.

    Tools/oracle/guidance_table.py --program .build/release/langevin --out runs            all that is missing
    Tools/oracle/guidance_table.py --out runs --print                                      the table
"""
import argparse
import json
import os
import statistics

from program import Program, Results, cell

SCALES = [0, 1, 2, 4, 8]


def measured(program, seed, folder, done):
    """A row for each scale that is missing."""
    model, classifier = (os.path.join(folder, f"{name}-{seed}") for name in ("digits", "classifier"))
    if not os.path.exists(f"{model}/model/model_index.json"):
        program.train("recipes/digits.yaml", model, seed=seed, **{"model.conditioning": "none", "training.steps": 700})
    if not os.path.exists(f"{classifier}/model/model_index.json"):
        program.train("recipes/classifier-digits.yaml", classifier, seed=seed)
    if ("classifier", seed) not in done:
        yield {"seed": seed, "scale": "classifier"} | program.evaluate(classifier)[0]
    for scale in SCALES:
        if (scale, seed) not in done:
            report, seconds = program.evaluate(
                model, "--seed", 1000 * seed, "--guidance-method", "classifier", "--classifier", classifier,
                # A classifier without a part is refused: next to nothing of it shows what samples are without.
                "--guidance", scale or 1e-9)
            yield {"seed": seed, "scale": scale, "seconds": seconds} | report


def printed(results):
    print("| scale | accuracy | diversity | Fréchet distance | seeds |\n|---|---|---|---|---|")
    for scale in SCALES:
        rows = [row for row in results if row["scale"] == scale]
        if rows:
            print(f"| {scale} | {cell(rows, 'accuracy', 3)} | {cell(rows, 'diversity', 3)} "
                  f"| {cell(rows, 'frechet_distance', 1)} | {len(rows)} |")
    rows = [row for row in results if row["scale"] == "classifier"]
    for index, level in enumerate(rows[0]["levels"] if rows else []):
        values = [row["levels"][index]["accuracy"] for row in rows]
        print(f"classifier, log-SNR {level['log_snr']:.1f}: accuracy {statistics.mean(values):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    results = Results(options.out)
    if options.print:
        return printed(results.rows)
    done = {(row["scale"], row["seed"]) for row in results.rows}
    for seed in range(options.seeds):
        for row in measured(Program(options.program), seed, os.path.abspath(options.out), done):
            print(json.dumps({key: value for key, value in row.items() if key != "levels"}), flush=True)
            results.add(row)


if __name__ == "__main__":
    main()
