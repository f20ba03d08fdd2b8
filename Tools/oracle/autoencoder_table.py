"""What autoencoders give again, at equal compute, as tables. `channels`: digits of 8x8 pixels through 2x2 latents of 1 to 16
channels, beside the best linear map to as many numbers (principal components). `kinds`: Fashion-MNIST through latents of each
kind.

One run is a recipe with a seed, trained for its steps and judged by `evaluate` on pictures that were held back. The
classifier that `evaluate` trains for its features sees the first 1,500 pictures of Fashion-MNIST alone, in a folder `judge`
of `--out`, because it would otherwise take longer than the autoencoder. Results are kept in `results.jsonl` of the folder
`--out`; runs that are there are not repeated, so that the script can be stopped and started again.

    Tools/oracle/autoencoder_table.py channels --program .build/release/langevin --out runs           every run that is missing
    Tools/oracle/autoencoder_table.py kinds --program .build/release/langevin --data FOLDER --out runs
    Tools/oracle/autoencoder_table.py channels --out runs --print                                      the table
"""
import argparse
import gzip
import json
import os
import shutil
import statistics

import numpy as np

from program import ROOT, Program, Results, cell

JUDGED_BY = 1500
DIGITS = os.path.join(ROOT, "data/digits/digits.csv.gz")


def coder(*channels, **changes):
    """Each level but the first halves a side. No learned features: the Fréchet distance is measured in such."""
    return {"model.block_out_channels": f"[{', '.join(map(str, channels))}]",
            "model.down_block_types": f"[{', '.join(['DownEncoderBlock2D'] * len(channels))}]",
            "model.up_block_types": f"[{', '.join(['UpDecoderBlock2D'] * len(channels))}]",
            "objective.perceptual_weight": 0} | changes


# Each table's steps, batch and runs; a run is a recipe and what is changed in it, by its name in the table.
TABLES = {
    "channels": (300, 32, {
        f"2×2 of {count} channels": ("autoencoder-kl", coder(
            32, 64, 64, **{"data.kind": "digits", "data.path": DIGITS, "model.latent_channels": count,
                           "objective.kl_weight": 1e-6, "objective.reconstruction": "l2", "training.learning_rate": 3e-3}))
        for count in (1, 4, 8, 16)}),
    "kinds": (400, 32, {
        f"KL, 4×4 of 4 channels{name}": ("autoencoder-kl", coder(
            8, 16, 32, 32, **{"data.size": 32, "model.latent_channels": 4}, **changes))
        for name, changes in {"": {}, ", discriminator": {
            "objective.adversarial_weight": 0.5, "objective.adversarial_start": 200,
            "objective.discriminator_width": 16, "objective.discriminator_layers": 2}}.items()}
        | {"VQ, 7×7 of 256 codes": ("vq", {}), "FSQ, 7×7 of 240 codes": ("fsq", {})}),
}


def principal_components(count):
    """The mean peak signal-to-noise ratio of held-out digits that are projected on the data's first components."""
    with gzip.open(DIGITS, "rt") as file:
        rows = np.array([[float(field) for field in line.split(",")] for line in file])
    pixels = rows[:, :64] / 8 - 1
    held = np.arange(len(pixels)) >= len(pixels) - 297
    mean = pixels[~held].mean(0)
    axes = np.linalg.svd(pixels[~held] - mean, full_matrices=False)[2][:count]
    again = np.clip((pixels[held] - mean) @ axes.T @ axes + mean, -1, 1)
    return float((10 * np.log10(4 / ((again - pixels[held]) ** 2).mean(1))).mean())


def judging(data, folder, count):
    """A folder of idx files with the first pictures to learn from, and all those to judge by."""
    out = os.path.join(folder, "judge")
    if os.path.exists(out):
        return out
    os.makedirs(out)
    for name, header in {"train-images-idx3-ubyte": 16, "train-labels-idx1-ubyte": 8}.items():
        with gzip.open(f"{data}/{name}.gz") as file:
            head = bytearray(file.read(header))
            head[4:8] = count.to_bytes(4, "big")
            body = file.read(count * (784 if header == 16 else 1))
        with gzip.open(f"{out}/{name}.gz", "wb") as file:
            file.write(bytes(head) + body)
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        shutil.copy(f"{data}/{name}", f"{out}/{name}")
    return out


def measure(program, table, name, seed, data, folder):
    steps, batch, runs = TABLES[table]
    recipe, changes = runs[name]
    run = os.path.join(folder, "".join(c if c.isalnum() else "-" for c in name) + f"-{seed}")
    settings = {"seed": seed, "data.path": data, "training.steps": steps, "training.batch_size": batch}
    seconds = program.train(f"recipes/{recipe}.yaml", run, **settings | changes)
    against = judging(data, folder, JUDGED_BY) if table == "kinds" else "digits"
    text, _ = program.run("evaluate", run, "--against", against, "--count", 2000, "--threads", 1, "--json")
    return {"seconds": seconds} | {key: value for key, value in json.loads(text).items() if key != "features"}


def printed(results, table):
    """The rows of the table: the mean over the seeds, and the largest difference from it."""
    columns = {"PSNR, dB": ("psnr", 2), "SSIM": ("ssim", 3), "Fréchet distance": ("frechet_distance", 1)}
    if table == "kinds":
        columns |= {"perplexity": ("perplexity", 0), "codes in use": ("codebook_use", 2)}
    columns |= {"seconds of one thread": ("seconds", 0)}
    head = ["autoencoder", "numbers of latents for each of a picture", *columns, "seeds"]
    head += ["PSNR of as many principal components"] if table == "channels" else []
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in TABLES[table][2]:
        rows = [row for row in results if row["name"] == name]
        if rows:
            cells = [cell(rows, key, digits) for key, digits in columns.values()] + [len(rows)]
            if table == "channels":
                numbers = round(64 * rows[0]["compression"])
                cells.append(f"{principal_components(numbers):.2f}" if numbers < 64 else "exact")
            print(f"| {name} | {rows[0]['compression']:.4g} | {' | '.join(map(str, cells))} |")
    halves = [row["frechet_distance_of_halves"] for row in results
              if row["name"] in TABLES[table][2] and row.get("frechet_distance_of_halves") is not None]
    if halves:
        print(f"\nTwo halves of the originals are {statistics.mean(halves):.2f} apart.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=list(TABLES))
    parser.add_argument("--program")
    parser.add_argument("--data", help="the folder of Fashion-MNIST's idx files, for `kinds`")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=10**6, help="at most so many runs")
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    results = Results(options.out)
    if options.print:
        return printed(results.rows, options.table)
    done = {(row["name"], row["seed"]) for row in results.rows}
    wanted = [(name, seed) for seed in range(options.seeds) for name in TABLES[options.table][2]]
    for name, seed in [run for run in wanted if run not in done][:options.limit]:
        row = {"name": name, "seed": seed} | measure(
            Program(options.program), options.table, name, seed, options.data and os.path.abspath(options.data),
            os.path.abspath(options.out))
        print(json.dumps(row), flush=True)
        results.add(row)


if __name__ == "__main__":
    main()
