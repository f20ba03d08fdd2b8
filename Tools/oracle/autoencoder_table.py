"""What autoencoders of Fashion-MNIST give again, at equal compute, as a table: by the number of channels of their latents,
with a discriminator, with a codebook and with a grid.

One run is a recipe with a seed, trained for its steps and judged by `evaluate --count 2000` on pictures that were held back.
The classifier that `evaluate` trains for its features sees the first 2,500 pictures alone, in a folder `judge` of `--out`,
because it would otherwise take longer than the autoencoder. Results are kept in `results.jsonl` of the folder `--out`; runs
that are there are not repeated, so that the script can be stopped and started again.

    Tools/oracle/autoencoder_table.py --program .build/release/langevin --data FOLDER --out runs   every run that is missing
    Tools/oracle/autoencoder_table.py --out runs --print                                            the table
"""
import argparse
import gzip
import json
import os
import shutil
import statistics

from program import Program, Results

STEPS, BATCH, JUDGED_BY = 400, 32, 2500
LEVELS = 4
# 32x32 pixels to 4x4 latents, an eighth of a side as in latent diffusion. No learned features: the Fréchet distance is
# measured in features of the same kind.
EIGHTH = {"data.size": 32, "model.block_out_channels": "[16, 32, 32, 32]",
          "model.down_block_types": f"[{', '.join(['DownEncoderBlock2D'] * LEVELS)}]",
          "model.up_block_types": f"[{', '.join(['UpDecoderBlock2D'] * LEVELS)}]", "objective.perceptual_weight": 0}
# What each run is, by its name in the table: a recipe and what is changed in it.
RUNS = {f"KL, 4×4 of {channels} channels": ("autoencoder-kl", EIGHTH | {"model.latent_channels": channels})
        for channels in (4, 8, 16)}
RUNS |= {"KL, 4×4 of 4 channels, discriminator": ("autoencoder-kl", EIGHTH | {
             "model.latent_channels": 4, "objective.adversarial_weight": 0.5, "objective.adversarial_start": STEPS // 2,
             "objective.discriminator_width": 16, "objective.discriminator_layers": 2}),
         "VQ, 7×7 of 256 codes": ("vq", {}), "FSQ, 7×7 of 240 codes": ("fsq", {})}


def judging(data, folder, count):
    """A folder of idx files with the first pictures to learn from, and all those to judge by."""
    out = os.path.join(folder, "judge")
    os.makedirs(out, exist_ok=True)
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


def measure(program, name, seed, data, folder):
    recipe, changes = RUNS[name]
    run = os.path.join(folder, "".join(c if c.isalnum() else "-" for c in name) + f"-{seed}")
    settings = {"seed": seed, "data.path": data, "training.steps": STEPS, "training.batch_size": BATCH}
    seconds = program.train(f"recipes/{recipe}.yaml", run, **settings, **changes)
    text, _ = program.run("evaluate", run, "--against", judging(data, folder, JUDGED_BY), "--count", 2000,
                          "--threads", 1, "--json")
    return {"seconds": seconds} | {key: value for key, value in json.loads(text).items() if key != "features"}


def printed(results):
    """The rows of the table: the mean over the seeds, and the largest difference from it."""
    def cell(rows, key, digits):
        values = [row[key] for row in rows if row.get(key) is not None]
        if not values:
            return "–"
        mean = statistics.mean(values)
        spread = max(abs(value - mean) for value in values)
        return f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if len(values) > 1 else "")
    print("| autoencoder | numbers of latents for each of a picture | PSNR, dB | SSIM | Fréchet distance | perplexity "
          "| codes in use | seconds of one thread | seeds |\n|---|---|---|---|---|---|---|---|---|")
    for name in RUNS:
        rows = [row for row in results if row["name"] == name]
        if rows:
            print(f"| {name} | {rows[0]['compression']:.4g} | {cell(rows, 'psnr', 2)} | {cell(rows, 'ssim', 4)} "
                  f"| {cell(rows, 'frechet_distance', 2)} | {cell(rows, 'perplexity', 0)} "
                  f"| {cell(rows, 'codebook_use', 2)} | {cell(rows, 'seconds', 0)} | {len(rows)} |")
    halves = [row["frechet_distance_of_halves"] for row in results if row.get("frechet_distance_of_halves") is not None]
    if halves:
        print(f"\nTwo halves of the originals are {statistics.mean(halves):.2f} apart.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--data", help="the folder of Fashion-MNIST's idx files")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=10**6, help="at most so many runs")
    parser.add_argument("--only", nargs="*", default=list(RUNS))
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    results = Results(options.out)
    if options.print:
        return printed(results.rows)
    done = {(row["name"], row["seed"]) for row in results.rows}
    wanted = [(name, seed) for seed in range(options.seeds) for name in RUNS if name in options.only]
    for name, seed in [run for run in wanted if run not in done][:options.limit]:
        row = {"name": name, "seed": seed} | measure(
            Program(options.program), name, seed, os.path.abspath(options.data), os.path.abspath(options.out))
        print(json.dumps(row), flush=True)
        results.add(row)


if __name__ == "__main__":
    main()
