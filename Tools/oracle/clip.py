"""CLIPs and classifiers of noisy pictures drawn from a seed: one step by the program, and the same step by transformers,
diffusers' blocks and PyTorch. Order of the data, tokens, draws of times and noise, loss, and the gradient of every parameter,
that of the temperature included; the folder of a CLIP is opened by transformers and gives the same logits. Then the figures
that `evaluate` prints of a model that is trained for some steps, worked out anew.

The gradient is read from the checkpoint, as in recipes.py: AdamW's first moment after one step is (1 - beta1) times it.
"""
import argparse
import gzip
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from classifier import Classifier
from common import Draw
from recipes import MASK, ROOT, TIMES, Schedule, draw_times, first_batch, scaled

WORDS = ["cat", "dog", "red", "blue", "small", "house", "of", "a", "the", "star", "über", "naïve", "3"]


def run(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"the program ended with {result.returncode}: {result.stderr.strip().splitlines()[-1:]}")
    return result.stdout


def difference(found, wanted, scale=None):
    return float((found.double() - wanted.double()).abs().max()) / (scale or max(float(wanted.abs().max()), 1e-12))


def moments(folder, step, beta1):
    state = load_file(f"{folder}/checkpoints/step-{step}/optimizer.safetensors")
    return {key[len("first_moment."):]: value.double() / (1 - beta1)
            for key, value in state.items() if key.startswith("first_moment.")}


def gradient_problem(gradients, found):
    scale = max(float(value.abs().max()) for value in gradients.values())
    if set(found) != set(gradients):
        return f"parameters differ: {sorted(set(found) ^ set(gradients))[:4]}"
    for key, wanted in gradients.items():
        error = difference(found[key], wanted, scale)
        if not error <= 1e-5:
            return f"the gradient of {key} is off by {error:.1e} of the largest"
    return None


def logged(folder):
    with open(f"{folder}/metrics.jsonl") as file:
        return [json.loads(line) for line in file]


# --- pictures with captions ----------------------------------------------------------------------------------------


def pictures(draw, folder, count, size, channels):
    """A folder of pictures with a caption each, in the order in which the program numbers them."""
    os.makedirs(folder)
    rows = []
    for index in range(count):
        values = (draw.normal(size, size, channels).clamp(-2, 2) * 60 + 127).round().to(torch.uint8)
        Image.fromarray(values.numpy() if channels == 3 else values[..., 0].numpy()).save(f"{folder}/{index:03}.png")
        words = [draw.one(*WORDS) for _ in range(draw.integer(1, 9))]
        rows.append({"file_name": f"{index:03}.png", "text": " ".join(words)})
    with open(f"{folder}/metadata.jsonl", "w") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    return [row["text"] for row in rows]


def read(folder, index, channels):
    image = Image.open(f"{folder}/{index:03}.png").convert("RGB" if channels == 3 else "L")
    values = torch.tensor(list(image.tobytes()), dtype=torch.float64).reshape(image.height, image.width, channels)
    return (values / 127.5 - 1).permute(2, 0, 1)


# --- CLIP ----------------------------------------------------------------------------------------------------------


def drawn_clip(draw, data, size, channels):
    heads = draw.integer(1, 2)
    model = {"kind": "clip", "vision_hidden_size": 8 * heads, "vision_num_hidden_layers": draw.integer(1, 2),
             "vision_num_attention_heads": heads, "text_hidden_size": 12, "text_num_hidden_layers": draw.integer(1, 2),
             "text_num_attention_heads": draw.integer(1, 3), "projection_dim": draw.integer(4, 9),
             "logit_scale_init_value": draw.real(1, 4.5), "vocab_merges": draw.integer(0, 60),
             "hidden_act": draw.one("quick_gelu", "gelu")}
    if draw.chance(0.5):
        model |= {"patch_size": draw.one(2, 3, 4), "text_intermediate_size": 20}
    if draw.chance(0.3):
        model["text_tokens"] = draw.integer(3, 9)
    return {
        "seed": draw.integer(0, 10 ** 6),
        "data": {"kind": "folder", "path": data, "split": "all", "captions": "file", "size": size,
                 "channels": channels},
        "model": model,
        "training": {"steps": 1, "batch_size": draw.integer(3, 8), "warmup_steps": 5, "gradient_clip": 0,
                     "ema_decay": 0, "threads": 1, "beta1": 0.5, "weight_decay": 0, "log_every": 1,
                     "memory_format": "contiguous"}}


def compare_clip(program, draw, folder):
    size, channels, count = draw.integer(6, 12), draw.one(1, 3), 24
    data = f"{folder}/data"
    captions = pictures(draw, data, count, size, channels)
    recipe = drawn_clip(draw, data, size, channels)
    with open(f"{folder}/recipe.yaml", "w") as file:
        json.dump(recipe, file)
    label, out = json.dumps(recipe["model"]), f"{folder}/run"
    run(program, "train", f"{folder}/recipe.yaml", "--out", out)
    # The rate of the first step is 0, so the model's weights are those that it began with.
    network = CLIPModel.from_pretrained(f"{out}/model").double().train()
    tokenizer = CLIPTokenizer.from_pretrained(f"{out}/model")
    picked = first_batch(count, recipe["training"]["batch_size"], recipe["seed"])
    texts, seen = [captions[i] for i in picked], torch.stack([read(data, i, channels) for i in picked])
    ids = tokenizer(texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True,
                    return_tensors="pt").input_ids
    output = network(ids, seen, return_loss=True)
    line = logged(out)[0]
    wanted = float(output.loss.detach())
    if abs(line["loss"] - wanted) > 1e-5 * max(abs(wanted), 1e-3):
        return label, f"the loss is {line['loss']} and {wanted} was expected"
    if abs(line["text_loss"] + line["picture_loss"] - wanted) > 1e-5 * wanted:
        return label, "the halves of the loss are not the whole"
    if abs(line["logit_scale"] - math.exp(float(network.logit_scale.detach()))) > 1e-4 * line["logit_scale"]:
        return label, f"the scale is {line['logit_scale']}"
    output.loss.backward()
    gradients = {key: value.grad for key, value in network.named_parameters()}
    problem = gradient_problem(gradients, moments(out, 1, 0.5))
    if problem is None:
        problem = compare_processor(out, data, picked, seen, channels)
    return label, problem or compare_evaluation(program, draw, out, data, network, tokenizer, captions, channels)


def compare_processor(out, data, picked, seen, channels):
    """The folder says how pictures are brought to what the network was trained on."""
    processor = CLIPImageProcessor.from_pretrained(f"{out}/model")
    for index, wanted in zip(picked[:2], seen):
        image = Image.open(f"{data}/{index:03}.png").convert("RGB" if channels == 3 else "L")
        array = torch.tensor(list(image.tobytes()), dtype=torch.uint8).reshape(image.height, image.width, channels)
        found = processor(array.numpy(), return_tensors="pt", input_data_format="channels_last").pixel_values[0]
        if difference(found, wanted, 1) > 1e-5:
            return "CLIPImageProcessor gives other pictures"
    return None


def ranks(scores, right):
    """The rank of the best right candidate of each row, equal scores of wrong ones before it."""
    result = []
    for row, own in zip(scores.tolist(), right):
        best = max(row[i] for i in own)
        result.append(1 + sum(1 for i, score in enumerate(row) if i not in own and score >= best))
    return result


def retrieval(found, wanted, name):
    expected = {f"recall_at_{k}": sum(rank <= k for rank in wanted) / len(wanted) for k in (1, 5, 10)}
    expected["median_rank"] = statistics.median(wanted)
    for key, value in expected.items():
        if abs(found[key] - value) > 1e-9:
            return f"{key} of {name} is {found[key]} and {value} was expected"
    return None


def compare_evaluation(program, draw, out, data, network, tokenizer, captions, channels):
    report = json.loads(run(program, "evaluate", out, "--against", data, "--json", "--threads", 1))
    held = [index for index in range(len(captions)) if index % 10 == 9]
    if report["pictures"] != len(held):
        return f"{report['pictures']} pictures are judged and {len(held)} were expected"
    texts = list(dict.fromkeys(captions[i] for i in held))
    with torch.no_grad():
        ids = tokenizer(texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True,
                        return_tensors="pt").input_ids
        output = network(ids, torch.stack([read(data, i, channels) for i in held]))
    scores = output.logits_per_text
    right = [{j for j, i in enumerate(held) if captions[i] == text} for text in texts]
    owner = [{texts.index(captions[i])} for i in held]
    return (retrieval(report["text_to_picture"], ranks(scores, right), "text_to_picture")
            or retrieval(report["picture_to_text"], ranks(scores.T, owner), "picture_to_text"))


# --- classifiers -----------------------------------------------------------------------------------------------------


def drawn_classifier(draw):
    process = draw.one("betas", "edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine")
    values = {
        "betas": lambda: {"schedule": draw.one("linear", "scaled_linear", "squaredcos_cap_v2"),
                          "train_steps": draw.one(50, 200, 1000), "beta_start": 1e-4, "beta_end": 0.02},
        "edm": lambda: {"sigma_min": draw.real(0.001, 0.01), "sigma_max": draw.real(20, 90)},
        "vp-sde": lambda: {"beta_min": draw.real(0.05, 0.5), "beta_max": draw.real(10, 25)},
        "sub-vp-sde": lambda: {"beta_min": draw.real(0.05, 0.5), "beta_max": draw.real(10, 25)},
        "ve": lambda: {"sigma_min": draw.real(0.005, 0.05), "sigma_max": draw.real(10, 60)},
    }.get(process, dict)()
    times = draw.one("uniform", "logit-normal", "mode", "cosmap", "log-normal")
    numbers = {key: draw.real(*span) for key, span in TIMES[times].items()}
    head = draw.one(None, 4)
    levels = draw.integer(1, 3)
    model = {"kind": "classifier", "block_out_channels": [8] * levels, "layers_per_block": draw.integer(1, 2),
             "down_block_types": [draw.one("DownBlock2D", "AttnDownBlock2D") for _ in range(levels)],
             "norm_num_groups": draw.one(2, 4), "attention_head_dim": head or 8, "pool": draw.one("attention", "average"),
             "resnet_time_scale_shift": draw.one("default", "scale_shift"),
             "downsample_type": draw.one("conv", "resnet")}
    recipe = {
        "seed": draw.integer(0, 10 ** 6),
        "data": {"kind": "digits", "path": f"{ROOT}/data/digits/digits.csv.gz", "split": "all"}, "model": model,
        "diffusion": {"process": process, **values}, "objective": {"times": times, **numbers},
        "training": {"steps": 1, "batch_size": draw.integer(4, 9), "warmup_steps": 5, "gradient_clip": 0,
                     "ema_decay": 0, "threads": 1, "beta1": 0.5, "weight_decay": 0, "log_every": 1,
                     "memory_format": "contiguous"}}
    defaults = {"sigma_data": 0.5} if process == "edm" else {}
    return recipe, {"times": times, "numbers": numbers}, Schedule(process, {**defaults, **values})


def noisy(schedule, x0, times, noise):
    """Samples as the network takes them, and the times that it is given."""
    rows, inner = [], []
    for data, epsilon, time in zip(x0, noise, times):
        alpha, sigma = scaled(schedule.word, *schedule.level(time))
        sample = alpha * data + sigma * epsilon
        if schedule.word in ("edm", "ve"):
            sample = sample / (sigma ** 2 + alpha ** 2 * 0.5 ** 2) ** 0.5
        rows.append(sample)
        inner.append(schedule.network_time(time))
    return torch.stack(rows), torch.tensor(inner, dtype=torch.float64)


def compare_classifier(program, draw, folder):
    recipe, case, schedule = drawn_classifier(draw)
    with open(f"{folder}/recipe.yaml", "w") as file:
        json.dump(recipe, file)
    label, out = json.dumps([recipe["diffusion"]["process"], recipe["objective"], recipe["model"]]), f"{folder}/run"
    run(program, "train", f"{folder}/recipe.yaml", "--out", out)
    with open(f"{out}/model/classifier/config.json") as file:
        config = {key: value for key, value in json.load(file).items() if not key.startswith("_")}
    network = Classifier(**config).double().train()
    weights = load_file(f"{out}/model/classifier/diffusion_pytorch_model.safetensors")
    network.load_state_dict({key: value.double() for key, value in weights.items()})
    with gzip.open(recipe["data"]["path"], "rt") as file:
        rows = torch.tensor([[int(field) for field in line.split(",")] for line in file])
    picked = first_batch(len(rows), recipe["training"]["batch_size"], recipe["seed"])
    x0, labels = (rows[picked, :64].double() / 8 - 1).reshape(-1, 1, 8, 8), rows[picked, 64]
    generator = torch.Generator().manual_seed((recipe["seed"] ^ 0x9E3779B97F4A7C15) & MASK)
    times, _ = draw_times(case, schedule, len(x0), generator)
    noise = torch.randn(x0.shape, generator=generator).double()
    samples, inner = noisy(schedule, x0, times, noise)
    logits = network(samples, inner)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    line, wanted = logged(out)[0], float(loss.detach())
    if abs(line["loss"] - wanted) > 1e-5 * max(wanted, 1e-3):
        return label, f"the loss is {line['loss']} and {wanted} was expected"
    accuracy = float((logits.argmax(1) == labels).double().mean())
    if abs(line["accuracy"] - accuracy) > 1e-6:
        return label, f"the accuracy is {line['accuracy']} and {accuracy} was expected"
    loss.backward()
    return label, gradient_problem({key: value.grad for key, value in network.named_parameters()}, moments(out, 1, 0.5))


# --- all --------------------------------------------------------------------------------------------------------------


def in_turn(options, kinds, compare, verb):
    """Compares cases of the wanted kinds in turn, each from a seed and in a folder of its own, and ends: with 1 where one differs."""
    kinds = {name: kind for name, kind in kinds.items() if options.only in (None, name)}
    failures = 0
    for index in range(options.cases):
        name, kind = list(kinds.items())[index % len(kinds)]
        with tempfile.TemporaryDirectory() as folder:
            try:
                label, problem = compare(kind, options.seed * 1000 + index, folder)
            except RuntimeError as error:
                label, problem = "", str(error)
        print(f"case {index}: {name}: {'equal' if problem is None else problem}", flush=True)
        if problem is not None:
            failures += 1
            print(f"    {label}", file=sys.stderr)
    print(f"{options.cases - failures} of {options.cases} {verb} the same step")
    sys.exit(1 if failures else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--only", choices=["clip", "classifier"])
    parser.add_argument("--program", default=f"{ROOT}/.build/release/langevin")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds = {"clip": compare_clip, "classifier": compare_classifier}
    in_turn(options, kinds, lambda compare, seed, folder: compare(options.program, Draw(seed, "clip"), folder), "models take")


if __name__ == "__main__":
    main()
