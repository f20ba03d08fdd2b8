"""unCLIP's priors and decoder as they are trained: a CLIP by the program, then one step of each by the program, and the same
step by transformers, diffusers and PyTorch: order of the data, embeddings and states of texts, hidden conditions, draws of
times and noise, loss, and the gradient of every parameter.

The gradient is read from the checkpoint, as in recipes.py: AdamW's first moment after one step is (1 - beta1) times it.

    embeddings.py --seed 3 --cases 12 --program .build/release/langevin
"""
import argparse
import json

import torch
from diffusers import PriorTransformer, UNet2DConditionModel
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
from safetensors.torch import load_file
from transformers import CLIPModel, CLIPTokenizer

import autoregressive
from clip import difference, gradient_problem, in_turn, logged, moments, pictures, read, run
from common import Draw
from recipes import MASK, ROOT, Schedule, first_batch, target

COUNT = 24


def training(draw):
    return {"steps": 1, "batch_size": draw.integer(3, 8), "warmup_steps": 5, "gradient_clip": 0, "ema_decay": 0,
            "threads": 1, "beta1": 0.5, "weight_decay": 0, "log_every": 1, "memory_format": "contiguous"}


class Case:
    """A CLIP that was trained for some steps, and what a further recipe has of it."""

    def __init__(self, program, draw, folder):
        self.program, self.draw, self.folder = program, draw, folder
        self.size, self.channels, self.data = 2 * draw.integer(4, 6), draw.one(1, 3), f"{folder}/data"
        self.captions = pictures(draw, self.data, COUNT, self.size, self.channels)
        self.section = {"kind": "folder", "path": self.data, "split": "all", "captions": "file", "size": self.size,
                        "channels": self.channels}
        width = 8
        steps = training(draw) | {"steps": 3, "warmup_steps": 1, "learning_rate": 0.01}
        self.train("clip", {
            "seed": draw.integer(0, 10 ** 6), "data": self.section, "training": steps,
            "model": {"kind": "clip", "vision_hidden_size": 8, "vision_num_hidden_layers": 1,
                      "vision_num_attention_heads": 2, "text_hidden_size": width, "text_num_hidden_layers": 1,
                      "text_num_attention_heads": 2, "projection_dim": width, "patch_size": 2}})
        self.clip = CLIPModel.from_pretrained(f"{folder}/clip/model").double()
        self.tokenizer = CLIPTokenizer.from_pretrained(f"{folder}/clip/model")
        self.width = width

    def train(self, name, recipe):
        with open(f"{self.folder}/{name}.yaml", "w") as file:
            json.dump(recipe, file)
        run(self.program, "train", f"{self.folder}/{name}.yaml", "--out", f"{self.folder}/{name}")

    def step(self, kind, model, diffusion=None):
        recipe = {"seed": self.draw.integer(0, 10 ** 6), "data": self.section, "training": training(self.draw),
                  "model": {"kind": kind, "clip": f"{self.folder}/clip", **model}}
        if diffusion:
            recipe |= {"diffusion": diffusion, "evaluation": {"steps": 2, "count": 2}}
        self.train("run", recipe)
        picked = first_batch(COUNT, recipe["training"]["batch_size"], recipe["seed"])
        self.generator = torch.Generator().manual_seed((recipe["seed"] ^ 0x9E3779B97F4A7C15) & MASK)
        self.pixels = torch.stack([read(self.data, index, self.channels) for index in picked])
        self.texts = [self.captions[index] for index in picked]
        return json.dumps(recipe["model"])

    def weights(self, part):
        return {key: value.double() for key, value in load_file(
            f"{self.folder}/run/model/{part}/diffusion_pytorch_model.safetensors").items()}

    def config(self, part):
        with open(f"{self.folder}/run/model/{part}/config.json") as file:
            return {key: value for key, value in json.load(file).items() if not key.startswith("_")}

    def scaled(self, vectors):
        return vectors / vectors.norm(dim=-1, keepdim=True) * self.width ** 0.5

    @torch.no_grad()
    def text(self, texts):
        """States, mask, and texts as a whole."""
        tokens = self.tokenizer(texts, padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True,
                                return_tensors="pt")
        output = self.clip.text_model(input_ids=tokens.input_ids)
        # The mask of the program ends behind the first token that ends a text, as transformers' tokenizer has it.
        return (output.last_hidden_state, tokens.attention_mask,
                self.scaled(self.clip.text_projection(output.pooler_output)))

    @torch.no_grad()
    def embeddings(self, pixels):
        return self.scaled(self.clip.visual_projection(self.clip.vision_model(pixel_values=pixels).pooler_output))

    def hidden(self, probability, shape=None):
        return torch.empty(len(self.texts)).bernoulli_(probability, generator=self.generator).bool()

    def shown(self, probability):
        return ["" if gone else text for gone, text in zip(self.hidden(probability), self.texts)]

    def noisy(self, x0, diffusion):
        """Noisy samples, the network's times, and what is to be predicted."""
        schedule = Schedule("betas", {"beta_start": 1e-4, "beta_end": 0.02, **diffusion})
        times = torch.randint(0, diffusion["train_steps"], (len(x0),), generator=self.generator)
        noise = torch.randn(x0.shape, generator=self.generator).double()
        rows, wanted = [], []
        for data, epsilon, time in zip(x0, noise, times.tolist()):
            alpha, sigma = schedule.level(time)
            rows.append(alpha * data + sigma * epsilon)
            wanted.append(target(diffusion["prediction"], data, epsilon, alpha, sigma))
        return torch.stack(rows), times, torch.stack(wanted)

    def judged(self, losses, networks):
        """A sentence on the first difference of loss or gradients, None without any."""
        line, wanted = logged(f"{self.folder}/run")[0]["loss"], float(losses.mean().detach())
        if abs(line - wanted) > 1e-5 * max(abs(wanted), 1e-3):
            return f"the loss is {line} and {wanted} was expected"
        losses.mean().backward()
        gradients = {prefix + key: torch.zeros_like(value) if value.grad is None else value.grad
                     for prefix, network in networks.items() for key, value in network.named_parameters()}
        found = moments(f"{self.folder}/run", 1, 0.5)
        # Constants are saved beside the parameters, and nothing moves them.
        constant = [key for key in found if key in ("clip_mean", "clip_std") or key.startswith("quantizer.")]
        if any(float(found.pop(key).abs().max()) for key in constant):
            return "a constant has a gradient"
        return gradient_problem(gradients, found)


def process(draw):
    return {"process": "betas", "schedule": draw.one("linear", "squaredcos_cap_v2"), "train_steps": draw.one(50, 1000),
            "prediction": draw.one("data", "v", "noise"), "condition_dropout": draw.real(0, 0.6)}


def prior(case, draw):
    diffusion = process(draw)
    label = case.step("prior", {
        "num_attention_heads": draw.integer(1, 2), "attention_head_dim": draw.one(4, 6), "num_layers": draw.integer(1, 2),
        "norm_in_type": draw.one(None, "layer")}, diffusion)
    network = PriorTransformer.from_pretrained(f"{case.folder}/run/model/prior").double().train()
    for name in ("clip_mean", "clip_std"):
        getattr(network, name).requires_grad_(False)
    states, mask, text = case.text(case.shown(diffusion["condition_dropout"]))
    x0 = case.embeddings(case.pixels)
    samples, times, wanted = case.noisy(x0, diffusion)
    found = network(samples, times, text, states, mask.bool()).predicted_image_embedding
    losses = ((found - wanted) ** 2).mean(1)
    for name in ("clip_mean", "clip_std"):
        delattr(network, name)
    return label, case.judged(losses, {"": network})


def decoder(case, draw):
    diffusion, dropout = process(draw), draw.real(0, 0.6)
    label = case.step("unclip-decoder", {
        "block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4, "cross_attention_dim": 8,
        "attention_head_dim": 2, "clip_extra_context_tokens": draw.integer(1, 4), "text_dropout": dropout}, diffusion)
    network = UNet2DConditionModel(**case.config("decoder")).double().train()
    network.load_state_dict(case.weights("decoder"))
    projection = UnCLIPTextProjModel(**case.config("text_proj")).double().train()
    projection.load_state_dict(case.weights("text_proj"))
    states, mask, text = case.text(case.shown(dropout))
    hidden, embeddings = case.hidden(diffusion["condition_dropout"]), case.embeddings(case.pixels)
    embeddings = torch.where(
        hidden[:, None], projection.learned_classifier_free_guidance_embeddings[None], embeddings)
    samples, times, wanted = case.noisy(case.pixels, diffusion)
    context, time = projection(image_embeddings=embeddings, prompt_embeds=text, text_encoder_hidden_states=states,
                               do_classifier_free_guidance=False)
    extra = torch.ones(len(mask), projection.clip_extra_context_tokens, dtype=mask.dtype)
    found = network(samples, times, encoder_hidden_states=context, class_labels=time,
                    encoder_attention_mask=torch.cat([extra, mask], 1).bool()).sample
    losses = ((found - wanted) ** 2).flatten(1).mean(1)
    return label, case.judged(losses, {"decoder.": network, "text_proj.": projection})


def by_components(case, draw):
    dropout, buckets, components = draw.real(0, 0.6), draw.integer(3, 9), draw.integer(2, 6)
    label = case.step("autoregressive-prior", {
        "num_attention_heads": draw.integer(1, 2), "attention_head_dim": draw.one(4, 6), "num_layers": draw.integer(1, 2),
        "components": components, "buckets": buckets, "text_dropout": dropout})
    network = autoregressive.Prior(**case.config("prior")).double()
    weights = case.weights("prior")
    constants = {key.removeprefix("quantizer."): weights.pop(key) for key in list(weights) if key.startswith("quantizer.")}
    network.load_state_dict(weights)
    everything = torch.stack([read(case.data, index, case.channels) for index in range(COUNT)])
    data = case.embeddings(everything)
    cosines = (data * case.text(case.captions)[2]).sum(1) / case.width
    wanted = autoregressive.quantizer(data, cosines, components, buckets)
    for name, value in wanted.items():
        if difference(constants[name], value) > 2e-3:
            return label, f"the quantizer's {name} is off by {difference(constants[name], value):.1e}"
    embeddings, own = case.embeddings(case.pixels), case.text(case.texts)[2]
    bucket = torch.searchsorted(constants["cosines"], (embeddings * own).sum(1) / case.width, right=True)
    states, mask, text = case.text(case.shown(dropout))
    codes = autoregressive.codes_of(embeddings, constants, buckets)
    losses = autoregressive.loss_of(network(codes[:, :-1], bucket, states, mask, text), codes)
    return label, case.judged(losses, {"": network})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--only", choices=["prior", "decoder", "autoregressive"])
    parser.add_argument("--program", default=f"{ROOT}/.build/release/langevin")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds = {"prior": prior, "decoder": decoder, "autoregressive": by_components}

    def compared(compare, seed, folder):
        draw = Draw(seed, "embeddings")
        return compare(Case(options.program, draw, folder), draw)

    in_turn(options, kinds, compared, "take")


if __name__ == "__main__":
    main()
