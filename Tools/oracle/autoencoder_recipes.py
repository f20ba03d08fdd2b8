"""Recipes of autoencoders drawn from a seed, trained for one step by the program, and the same step by an independent
implementation in PyTorch (networks of diffusers): draws, loss with all its parts, the adaptive weight of the
discriminator, the gradient of every parameter in both phases, and what becomes of the codebook.

Gradients are read from the checkpoint as in recipes.py: AdamW's first moments after a step whose learning rate is 0, so
that the second phase meets the same autoencoder, too.
"""
import json
import math
import subprocess

import torch
from diffusers import AutoencoderKL, VQModel
from safetensors.torch import load_file, save_file
from torch import nn

import autoencoder_losses as losses
from common import Draw
from recipes import ROOT, examples, gradient_problem, judge


class RoundedAutoencoder(nn.Module):
    """The encoder and decoder of diffusers' VQModel around rounded latents."""

    def __init__(self, config):
        super().__init__()
        self.levels = config["levels"]
        own = {key: value for key, value in config.items() if not key.startswith("_") and key != "levels"}
        whole = VQModel(**own, latent_channels=len(self.levels))
        self.encoder, self.decoder = whole.encoder, whole.decoder

    def forward(self, pictures):
        latents, indices = losses.fsq(self.encoder(pictures).permute(0, 2, 3, 1), self.levels)
        return self.decoder(latents.permute(0, 3, 1, 2)), indices


def network(kind, folder):
    """The network of a model's folder, as diffusers opens it where it has the class."""
    if kind == "fsq-model":
        with open(f"{folder}/config.json") as file:
            return RoundedAutoencoder(json.load(file)).double()
    return {"autoencoder-kl": AutoencoderKL, "vq-model": VQModel}[kind].from_pretrained(folder).double().train()


# --- one pass -------------------------------------------------------------------------------------------------------


class Pass:
    """What an autoencoder makes of pictures: the pictures again, weighted penalties, and latents of a codebook."""

    def __init__(self, module, recipe, pictures, generator):
        kind, objective = recipe["model"]["kind"], recipe["objective"]
        seen = pictures
        if objective["noise"] > 0:
            seen = pictures + objective["noise"] * torch.randn(pictures.shape, generator=generator).double()
        self.parts, self.penalty, self.rows = {}, 0, None
        if kind == "autoencoder-kl":
            mean, log_variance = module.quant_conv(module.encoder(seen)).chunk(2, 1)
            log_variance = log_variance.clamp(-30, 20)
            latents = mean
            if objective["kind"] == "variational":
                noise = torch.randn(mean.shape, generator=generator).double()
                latents = mean + torch.exp(log_variance / 2) * noise
                kl = 0.5 * (mean ** 2 + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)
                self.parts["kl"] = (kl / pictures[0].numel()).mean()
                self.penalty = objective["kl_weight"] * self.parts["kl"]
            self.pictures = module.decoder(module.post_quant_conv(latents))
        elif kind == "vq-model":
            latents = module.quant_conv(module.encoder(seen))
            self.rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
            table = module.quantize.embedding.weight
            distances = torch.cdist(self.rows.detach(), table.detach())
            nearest = distances.sort(1)
            self.gap = float((nearest.values[:, 1] - nearest.values[:, 0]).min())
            self.indices = nearest.indices[:, 0]
            vectors = table[self.indices].reshape(latents.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)
            self.parts["commitment"] = ((latents - vectors.detach()) ** 2).mean()
            self.penalty = objective["commitment"] * self.parts["commitment"]
            if objective["codebook"] == "gradient":
                self.parts["codebook"] = ((vectors - latents.detach()) ** 2).mean()
                self.penalty = self.penalty + self.parts["codebook"]
            self.pictures = module.decoder(module.post_quant_conv(latents + (vectors - latents).detach()))
        else:
            self.pictures, self.indices = module(seen)


def step(recipe, module, discriminator, perceptual, pictures, generator):
    """The losses and gradients of both phases, with the draws of the program in its order."""
    objective = recipe["objective"]
    made = Pass(module, recipe, pictures, generator)
    difference = made.pictures - pictures
    parts = {"reconstruction": difference.abs().mean() if objective["reconstruction"] == "l1"
             else (difference ** 2).mean(), **made.parts}
    fidelity = parts["reconstruction"]
    if perceptual is not None:
        parts["perceptual"] = perceptual(made.pictures, pictures).mean()
        fidelity = fidelity + objective["perceptual_weight"] * parts["perceptual"]
    loss = fidelity + made.penalty
    if discriminator is not None:
        adversarial = -discriminator(made.pictures).mean()
        factor = torch.tensor(objective["adversarial_weight"]).double()
        if objective["adversarial_adaptive"]:
            factor = losses.adaptive_factor(fidelity, adversarial, module.decoder.conv_out.weight, factor)
        parts |= {"adversarial": adversarial, "adversarial_factor": factor}
        loss = loss + factor * adversarial
    if hasattr(made, "indices"):
        count = recipe["count"]
        many, used = losses.perplexity(made.indices, count)
        parts |= {"perplexity": torch.tensor(many), "codebook_use": torch.tensor(used)}
    loss.backward()
    gradients = {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}
    parts["loss"] = loss
    if discriminator is not None:
        discriminator.zero_grad()
        with torch.no_grad():
            again = Pass(module, recipe, pictures, generator).pictures
        second = losses.hinge(discriminator, pictures, again)
        second.backward()
        parts["discriminator_loss"] = second
        gradients |= {f"discriminator.{name}": value.grad for name, value in discriminator.named_parameters()}
    return {name: float(value.detach()) for name, value in parts.items()}, gradients, made


# --- the cases ------------------------------------------------------------------------------------------------------


def drawn(draw, folder):
    kind = draw.one("autoencoder-kl", "vq-model", "fsq-model")
    levels = draw.integer(1, 2)
    attention = draw.chance(0.3)
    model = {
        "kind": kind, "block_out_channels": [4 * draw.integer(1, 3) for _ in range(levels)],
        "down_block_types": ["DownEncoderBlock2D"] * levels, "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": 1, "norm_num_groups": draw.one(2, 4), "mid_block_add_attention": attention,
        "act_fn": draw.one("silu", "gelu"),
    }
    objective = {"reconstruction": draw.one("l1", "l2"), "noise": draw.one(0, draw.real(0.05, 0.5))}
    if kind == "autoencoder-kl":
        objective["kind"] = draw.one("variational", "variational", "autoencoder")
        model["latent_channels"] = draw.integer(1, 4)
        if objective["kind"] == "variational":
            objective["kl_weight"] = draw.real(1e-6, 0.5)
    elif kind == "vq-model":
        objective |= {"kind": "vector-quantized", "commitment": draw.real(0.1, 1),
                      "codebook": draw.one("ema", "gradient"), "codebook_decay": draw.real(0.5, 0.99),
                      "revive_below": 0}
        model |= {"latent_channels": draw.integer(2, 4), "num_vq_embeddings": draw.integer(4, 16)}
    else:
        objective["kind"] = "finite-scalar"
        model["levels"] = [draw.integer(2, 8) for _ in range(draw.integer(1, 3))]
    recipe = {
        "seed": draw.integer(0, 10 ** 6),
        "data": {"kind": "digits", "path": f"{ROOT}/data/digits/digits.csv.gz", "split": "all"},
        "model": model, "objective": objective,
        "training": {"steps": 1, "batch_size": draw.integer(3, 8), "warmup_steps": 5, "gradient_clip": 0,
                     "ema_decay": 0, "threads": 1, "beta1": 0.5, "memory_format": "contiguous", "sample_every": 0},
    }
    if draw.chance(0.6):
        objective |= {"adversarial_weight": draw.real(0.1, 2), "adversarial_adaptive": draw.chance(0.7),
                      "discriminator_width": draw.integer(2, 6), "discriminator_layers": 1}
    if draw.chance(0.4):
        # Pictures that the network takes.
        recipe["data"]["size"] = 16
        seed = draw.integer(0, 2 ** 31)
        weights = losses.perceptual_weights("vgg", seed)
        save_file(weights, f"{folder}/lpips.safetensors")
        objective |= {"perceptual": f"{folder}/lpips.safetensors", "perceptual_weight": draw.real(0.1, 2)}
    return recipe


def pictures_of(recipe):
    pictures = examples(recipe)[0]
    size = recipe["data"].get("size", 8)
    border = (size - 8) // 2
    return nn.functional.pad(pictures, [border] * 4, value=-1)


def loaded(run, recipe):
    """The networks with the weights that the step began with."""
    saved = {key: value.double() for key, value in load_file(f"{run}/checkpoints/step-1/model.safetensors").items()}
    module = network(recipe["model"]["kind"], f"{run}/model")
    own = {key: value for key, value in saved.items() if key.split(".")[0] not in ("discriminator", "codebook_upkeep")}
    module.load_state_dict(own)
    discriminator = None
    if recipe["objective"].get("adversarial_weight"):
        first = saved["discriminator.model.0.weight"]
        discriminator = losses.PatchDiscriminator(first.shape[1], first.shape[0],
                                                  recipe["objective"]["discriminator_layers"]).double()
        discriminator.load_state_dict({key[len("discriminator."):]: value for key, value in saved.items()
                                       if key.startswith("discriminator.")})
    return saved, module, discriminator


def initial_codebook(program, path, folder, recipe):
    """The codebook before the step: that of the same run without averages."""
    other = json.loads(json.dumps(recipe))
    other["objective"] |= {"codebook": "gradient"}
    with open(f"{folder}/other.yaml", "w") as file:
        json.dump(other, file)
    subprocess.run([program, "train", f"{folder}/other.yaml", "--out", f"{folder}/other"], check=True,
                   capture_output=True)
    return load_file(f"{folder}/other/checkpoints/step-1/model.safetensors")["quantize.embedding.weight"].double()


def compare(program, draw, folder):
    recipe = drawn(draw, folder)
    path, run = f"{folder}/recipe.yaml", f"{folder}/run"
    with open(path, "w") as file:
        json.dump(recipe, file)
    label = json.dumps(recipe)
    result = subprocess.run([program, "train", path, "--out", run], capture_output=True, text=True)
    if result.returncode != 0:
        return label, f"the program ended with {result.returncode}: {result.stderr.strip().splitlines()[-1:]}"
    saved, module, discriminator = loaded(run, recipe)
    objective = recipe["objective"]
    follows = objective.get("codebook") == "ema"
    if follows:
        codebook = initial_codebook(program, path, folder, recipe)
        module.quantize.embedding.weight.data.copy_(codebook)
    if recipe["model"]["kind"] == "vq-model":
        recipe["count"] = recipe["model"]["num_vq_embeddings"]
    elif recipe["model"]["kind"] == "fsq-model":
        recipe["count"] = math.prod(recipe["model"]["levels"])
    perceptual = None
    if objective.get("perceptual_weight"):
        weights = load_file(objective["perceptual"])
        perceptual = lambda a, b: losses.perceptual("vgg", weights, *(x.expand(-1, 3, -1, -1) for x in (a, b)))
    generator = torch.Generator().manual_seed(recipe["seed"] ^ 0x9E3779B97F4A7C15)
    parts, gradients, made = step(recipe, module, discriminator, perceptual, pictures_of(recipe), generator)
    if getattr(made, "gap", 1) < 1e-5:
        return label, None  # rounding would choose a vector
    with open(f"{run}/metrics.jsonl") as file:
        line = json.loads(file.readline())
    largest = max(abs(value) for name, value in parts.items() if name not in ("perplexity", "codebook_use"))
    for name, wanted in parts.items():
        # A loss is a sum of parts of both signs.
        scale = largest if name == "loss" else max(abs(wanted), 1e-2)
        if name not in line or not abs(line[name] - wanted) <= 1e-5 * scale:
            return label, f"{name} is {line.get(name)} and {wanted} was expected"
    moments = load_file(f"{run}/checkpoints/step-1/optimizer.safetensors")
    for scope in (False, True):
        own = {key: value for key, value in gradients.items() if key.startswith("discriminator.") == scope}
        problem = gradient_problem(own, moments, recipe["training"]["beta1"])
        if problem is not None:
            return label, problem
    if follows:
        wanted = losses.average_step(codebook, torch.ones(len(codebook)).double(), codebook.clone(),
                                     made.rows.detach(), objective["codebook_decay"])[0]
        found = saved["quantize.embedding.weight"]
        if not float((found - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max()):
            return label, f"the codebook is off by {float((found - wanted).abs().max()):.1e}"
    return label, None


def words_of(recipe):
    objective = recipe["objective"]
    words = [objective["kind"], objective["reconstruction"]]
    words += [objective["codebook"]] if "codebook" in objective else []
    words += [word for word in ("perceptual", "adversarial") if objective.get(word + "_weight")]
    words += ["denoising"] if objective["noise"] else []
    return " ".join(words)


if __name__ == "__main__":
    judge(__doc__, "autoencoder_recipes", compare, words_of)
