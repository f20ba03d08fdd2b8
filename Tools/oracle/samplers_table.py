"""Tables of docs/Sampling.md on digits: one network of each seed, sampled in several ways.

`edm`: `recipes/edm.yaml` by Euler's method, by Heun's, and by Heun's with churn, at equal numbers of evaluations (Karras et al.
2022, arXiv:2206.00364). `ve`: `recipes/ve.yaml` by annealed Langevin dynamics with several steps a level, by as many steps at
one level alone, and by Heun's method (Song and Ermon 2019, arXiv:1907.05600). Measured by `evaluate` without guidance.
Results are kept in `results.jsonl` of the folder `--out`; what is there is not repeated.

    Tools/oracle/samplers_table.py edm --program .build/release/langevin --out runs    all that is missing
    Tools/oracle/samplers_table.py edm --out runs --print                               the table
"""
import argparse
import json
import os
import shutil

from program import Program, Results, cell

EVALUATIONS = [9, 19, 39, 79]
CHURN = ["--churn", 5, "--churn-noise", 1.003]


def edm_ways():
    """A name, the number of evaluations, options of `evaluate`, and no other largest σ. A step of Heun's method is two
    evaluations, the last one is one."""
    for count in EVALUATIONS:
        heun = ["--solver", "heun", "--steps", (count + 1) // 2]
        yield "Euler", count, ["--solver", "euler", "--steps", count], None
        yield "Heun", count, heun, None
        yield "Heun, churn 5", count, heun + CHURN, None


def ve_ways():
    def langevin(levels, steps):
        return ["--solver", "annealed-langevin", "--steps", levels, "--langevin-steps", steps]
    yield "Heun", 49, ["--solver", "heun", "--steps", 25], None
    for levels, steps in ((10, 20), (30, 7)):
        yield f"annealed, {levels} levels of {steps} steps", levels * (steps + 1), langevin(levels, steps), None
    for sigma in (0.5, 0.1):
        yield f"200 steps at σ = {sigma} alone", 201, langevin(1, 200), sigma


TABLES = {"edm": (edm_ways, 500), "ve": (ve_ways, 500)}


def with_largest(sigma, model):
    """A copy of a model whose noise begins at another σ."""
    copy = f"{model}-{sigma}"
    shutil.copytree(f"{model}/model", copy, dirs_exist_ok=True)
    path = f"{copy}/scheduler/scheduler_config.json"
    with open(path) as file:
        scheduler = json.load(file) | {"sigma_max": sigma}
    with open(path, "w") as file:
        json.dump(scheduler, file)
    return copy


def measured(program, table, seed, folder, done):
    """A row for each way that is missing."""
    ways, count = TABLES[table]
    model = os.path.join(folder, f"{table}-{seed}")
    if not os.path.exists(f"{model}/model/model_index.json"):
        program.train(f"recipes/{table}.yaml", model, seed=seed, **{"training.steps": 700})
    for way, evaluations, options, sigma in ways():
        if (table, way, evaluations, seed) not in done:
            report, seconds = program.evaluate(
                with_largest(sigma, model) if sigma else model, "--seed", 1000 * seed, "--count", count, "--guidance", 1,
                *options)
            yield {"table": table, "way": way, "evaluations": evaluations, "seed": seed, "seconds": seconds} | report


def printed(results, table):
    print("| method | evaluations | Fréchet distance | accuracy | seeds |\n|---|---|---|---|---|")
    for way, evaluations, _, _ in sorted(TABLES[table][0](), key=lambda way: (way[0], way[1])):
        rows = [row for row in results
                if (row["table"], row["way"], row["evaluations"]) == (table, way, evaluations)]
        if rows:
            print(f"| {way} | {evaluations} | {cell(rows, 'frechet_distance', 1)} | {cell(rows, 'accuracy', 3)} "
                  f"| {len(rows)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=sorted(TABLES))
    parser.add_argument("--program")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    results = Results(options.out)
    if options.print:
        return printed(results.rows, options.table)
    done = {(row["table"], row["way"], row["evaluations"], row["seed"]) for row in results.rows}
    for seed in range(options.seeds):
        for row in measured(Program(options.program), options.table, seed, os.path.abspath(options.out), done):
            print(json.dumps(row), flush=True)
            results.add(row)


if __name__ == "__main__":
    main()
