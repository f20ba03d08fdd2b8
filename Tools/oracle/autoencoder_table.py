"""What autoencoders of Fashion-MNIST, padded to 32x32, give again, by the number of channels of their latents,
at equal compute, as a table.

One run is a recipe with a number of channels and a seed, trained for its steps and judged by `evaluate --count 2000`.
Results are kept in `results.jsonl` of the folder `--out`; runs that are there are not repeated, so that the script can be
stopped and started again.

    Tools/oracle/autoencoder_table.py --program .build/release/langevin --data FOLDER --out runs   every run that is missing
    Tools/oracle/autoencoder_table.py --out runs --print                                            the table
"""
import argparse
import json
import os
import statistics

from program import Program, Results

CODERS = {"model.block_out_channels": "[16, 32, 32]", "model.layers_per_block": 1, "model.norm_num_groups": 8,
          "model.mid_block_add_attention": "false",
          "model.down_block_types": "[DownEncoderBlock2D, DownEncoderBlock2D, DownEncoderBlock2D]",
          "model.up_block_types": "[UpDecoderBlock2D, UpDecoderBlock2D, UpDecoderBlock2D]"}
# What each run is, by its name in the table.
# Without learned features: the Fréchet distance is measured in features of the same kind.
PLAIN = {"objective.perceptual_weight": 0}
RUNS = {f"KL, {channels} channels": ("autoencoder-kl", PLAIN | {"model.latent_channels": channels})
        for channels in (4, 8, 16)}
RUNS |= {"KL, 4 channels, discriminator": ("autoencoder-kl", PLAIN | {
             "model.latent_channels": 4, "objective.adversarial_weight": 0.5, "objective.adversarial_start": 300,
             "objective.discriminator_width": 16, "objective.discriminator_layers": 2}),
         "VQ, 256 codes": ("vq", {}), "FSQ, 240 codes": ("fsq", {})}
STEPS, BATCH = 600, 64
KEYS = ["psnr", "ssim", "frechet_distance", "perplexity", "codebook_use"]


def measure(program, name, seed, data, folder):
    recipe, changes = RUNS[name]
    run = os.path.join(folder, "".join(c if c.isalnum() else "-" for c in name) + f"-{seed}")
    settings = {"seed": seed, "data.path": data, "data.size": 32, "training.steps": STEPS, "training.batch_size": BATCH}
    seconds = program.train(f"recipes/{recipe}.yaml", run, **settings, **CODERS, **changes)
    text, _ = program.run("evaluate", run, "--against", data, "--count", 2000, "--threads", 1, "--json")
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
