"""Tiny checkpoints in the diffusers layout for pipelines.py: every structural thing is drawn, weights come from a seed."""
import json
import logging
import math
import os
import shutil

import diffusers
import torch
import transformers
from diffusers import (AutoencoderKL, DiTTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel, UNet2DModel, VQModel)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

import scheduler_draws
import tokenizers_oracle

for library in (diffusers, transformers):
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
logging.getLogger("diffusers").setLevel(logging.ERROR)


# --- weights -----------------------------------------------------------------------------------------------------


def draw_weights(network, seed):
    """Parameters that keep activations near one, in the order of their names, from one generator in float32.

    Every factor is a power of two, so that another program that draws the same numbers gets the same weights.
    """
    network.weight_seed = seed
    generator = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(noise * 2.0 ** round(-math.log2(parameter[0].numel()) / 2))
            else:
                parameter.copy_(0.25 * noise + (0 if name.endswith("bias") else 1))
    return network.eval()


def perturb(network, generator):
    """Moves every parameter by about what rounding to float32 does, to see how far that grows."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 3e-7 * torch.randn(parameter.shape, generator=generator))


# --- networks ----------------------------------------------------------------------------------------------------


def unet(draw, cross, inputs=4, outputs=4, **changed):
    """A `UNet2DConditionModel` of two or three levels; only its last level, if any, has no cross-attention."""
    levels = draw.integer(2, 3)
    crossing = [level < levels - 1 or draw.chance(0.3) for level in range(levels)]
    per_level = draw.chance(0.5)
    channels = [8 * draw.integer(1, 3) for _ in range(levels)]
    settings = dict(
        in_channels=inputs, out_channels=outputs, sample_size=8, block_out_channels=channels,
        layers_per_block=draw.integer(1, 2), norm_num_groups=4, cross_attention_dim=cross,
        attention_head_dim=[draw.one(1, 2, 4) for _ in range(levels)] if per_level else draw.one(1, 2, 4),
        down_block_types=["CrossAttnDownBlock2D" if has else "DownBlock2D" for has in crossing],
        up_block_types=["CrossAttnUpBlock2D" if has else "UpBlock2D" for has in reversed(crossing)])
    return UNet2DConditionModel(**{**settings, **changed})


def autoencoder(draw, latent=4, levels=None, **changed):
    levels = levels or draw.integer(2, 3)
    return AutoencoderKL(**{**dict(
        in_channels=3, out_channels=3, latent_channels=latent, norm_num_groups=4, layers_per_block=1,
        block_out_channels=[8 * draw.integer(1, 2) for _ in range(levels)], sample_size=64,
        down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels,
        scaling_factor=draw.one(0.18215, draw.real(0.3, 1.5))), **changed})


def quantised_autoencoder(draw, **changed):
    levels = draw.integer(2, 3)
    return VQModel(**{**dict(
        in_channels=3, out_channels=3, latent_channels=draw.integer(3, 4), num_vq_embeddings=draw.integer(16, 64),
        norm_num_groups=4, layers_per_block=1, block_out_channels=[8 * draw.integer(1, 2) for _ in range(levels)],
        down_block_types=["DownEncoderBlock2D"] * (levels - 1) + [draw.one("DownEncoderBlock2D", "AttnDownEncoderBlock2D")],
        up_block_types=[draw.one("UpDecoderBlock2D", "AttnUpDecoderBlock2D")] + ["UpDecoderBlock2D"] * (levels - 1),
        scaling_factor=draw.one(0.18215, 1.0)), **changed})


def clip(draw, vocabulary, projected=False, **changed):
    """A text tower of CLIP; one with `eos_token_id` 2 is of the old kind that pools at the largest id."""
    width = 8 * draw.integer(2, 3)
    settings = {**dict(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=draw.integer(2, 4),
        num_attention_heads=draw.one(1, 2, 4), hidden_act=draw.one("quick_gelu", "gelu"), bos_token_id=vocabulary - 2,
        max_position_embeddings=77, projection_dim=8 * draw.integer(1, 3), pad_token_id=1,
        eos_token_id=draw.one(2, vocabulary - 1)), **changed}
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(CLIPTextConfig(**settings))


def t5(draw, vocabulary, width):
    return T5EncoderModel(T5Config(
        vocab_size=vocabulary, d_model=width, d_ff=2 * width, d_kv=8, num_heads=draw.integer(1, 3),
        num_layers=draw.integer(1, 2), feed_forward_proj="gated-gelu", tie_word_embeddings=False))


def class_table(classes, width):
    """The class table of the latent-diffusion code as Langevin's folders keep it."""
    table = torch.nn.Module()
    table.embedding = torch.nn.Embedding(classes, width)
    table.settings = {"_class_name": "ClassEmbedder", "n_classes": classes, "embed_dim": width, "key": "class_label"}
    return table


# --- schedulers --------------------------------------------------------------------------------------------------


NOISY = ("DDPMScheduler", "EulerAncestralDiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "LCMScheduler", "TCDScheduler",
         "SASolverScheduler")
PLAIN = ("PNDMScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler",
         "LMSDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler",
         "DEISMultistepScheduler")
# Solvers of the command line that stand for a class over any other's configuration.
SOLVERS = [name for name, (kind, _) in scheduler_draws.SOLVERS.items() if kind in NOISY + PLAIN]
PUBLISHED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


WITHOUT_BETAS = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler", "CMStochasticIterativeScheduler", "ScoreSdeVeScheduler")


def scheduler(draw, prediction, kinds=PLAIN + NOISY):
    """A class of diffusers and its flags: half of them on the published schedule, the rest on any."""
    name = draw.one(*kinds)
    flags = scheduler_draws.DRAWN[name](draw)[0]
    for key in ("variance_type", "use_dynamic_shifting", "time_shift_type"):
        if name != "DDPMScheduler":
            flags.pop(key, None)
    if draw.chance(0.5) and name not in WITHOUT_BETAS:
        flags.pop("trained_betas", None)
        flags.update(PUBLISHED, num_train_timesteps=1000)
    if prediction == "v_prediction":
        # Neither has a meaning on a straight path.
        flags.pop("use_flow_sigmas", None)
        flags.pop("flow_shift", None)
    if prediction == "epsilon":
        # Without any signal at the end a predicted noise says nothing of the data.
        flags.pop("rescale_betas_zero_snr", None)
    if "prediction_type" in flags and not flags.get("use_flow_sigmas"):
        flags["prediction_type"] = prediction
    return name, flags


def starts_at_one(name):
    """Whether the class starts from noise of unit variance."""
    return name.startswith(("PNDM", "DDIM", "DDPM", "DPMSolver", "UniPC", "DEIS", "LCM", "TCD", "SASolver"))


def flow_scheduler(draw):
    """What Stable Diffusion 3 runs with; a shift that depends on the size is given by its pipeline."""
    if draw.chance(0.3):
        return "FlowMatchHeunDiscreteScheduler", {"shift": draw.real(1, 4)}
    flags = scheduler_draws.flow_euler(draw)[0]
    for key in ("invert_sigmas", "num_train_timesteps"):
        flags.pop(key, None)
    return "FlowMatchEulerDiscreteScheduler", flags


# --- folders -----------------------------------------------------------------------------------------------------


class Vocabularies:
    """Tokenizer folders of one run, and how many ids each has: new ones, or those of the fixtures."""

    def __init__(self, folder, draw=None):
        self.folder = folder
        if draw:
            tokenizers_oracle.build(draw, folder, False)
        self.sizes = {name: len(self.load(name)) for name in ("clip-sd1", "clip-sd2", "clip-json", "t5-json", "t5-spiece")}

    def path(self, name):
        return os.path.join(self.folder, name)

    def load(self, name):
        kind = transformers.CLIPTokenizer if name.startswith("clip") else transformers.T5Tokenizer
        return kind.from_pretrained(self.path(name))


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2)


def edit_json(path, **changed):
    with open(path) as file:
        value = json.load(file)
    write_json(path, {**value, **changed})


def save(pipeline_class, folder, components, scheduling, tokenizers, vocabularies, weight_seed, published_names=True, **options):
    """Writes the folder as the pipeline's class does; the scheduler's file then holds what was drawn, not what the
    pipeline's constructor makes of it, and the tokenizers' files are the ones that were built."""
    name, flags = scheduling
    for index, (part, network) in enumerate(sorted(components.items())):
        if isinstance(network, torch.nn.Module):
            draw_weights(network, weight_seed + index)
    made = getattr(diffusers, name)(**flags)
    loaded = {part: tokenizer and vocabularies.load(tokenizer) for part, tokenizer in tokenizers.items()}
    pipeline_class(scheduler=made, **components, **loaded, **options).save_pretrained(folder)
    settings = {"_class_name": name, "_diffusers_version": diffusers.__version__, **getattr(diffusers, name)(**flags).config}
    write_json(f"{folder}/scheduler/scheduler_config.json", {
        key: value for key, value in settings.items() if key != "_use_default_values"})
    for part, tokenizer in tokenizers.items():
        if tokenizer:
            shutil.rmtree(f"{folder}/{part}")
            shutil.copytree(vocabularies.path(tokenizer), f"{folder}/{part}", ignore=shutil.ignore_patterns("expected*"))
    if published_names:
        for part, network in components.items():
            if isinstance(network, CLIPTextModel):
                give_published_names(f"{folder}/{part}/model.safetensors")
    return folder


def give_published_names(path):
    """transformers 5 drops the prefix that every published file has."""
    tensors = load_file(path)
    if not any(name.startswith("text_model.") for name in tensors):
        save_file({"text_model." + name: tensor for name, tensor in tensors.items()}, path, metadata={"format": "pt"})
