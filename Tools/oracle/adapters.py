"""Adapters through `langevin generate`: LoRA, DoRA, LoHa and LoKr in every dialect, on tiny models drawn from a seed.

    adapters.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]

The reference is diffusers with weights that are summed by hand here in float64. Prints a line a case; exit code 1 where one failed.
"""
import glob
import os
import shutil
import types

import numpy as np
import torch
from safetensors.torch import save_file

import pipelines
from pipeline_references import Unfit

KINDS = ["lora", "dora", "loha", "lokr", "locon", "tucker"]


# --- names -------------------------------------------------------------------------------------------------------


def original_unet(layer, unet):
    """The name of a layer of a U-Net of diffusers in the latent-diffusion code."""
    layers = unet.config.layers_per_block
    words = layer.split(".")
    if words[0] == "down_blocks":
        block, kind, index = int(words[1]), words[2], int(words[3])
        if kind == "downsamplers":
            return f"input_blocks.{(block + 1) * (layers + 1)}.0.op"
        number = 1 + block * (layers + 1) + index
        rest, place = words[4:], 0 if kind == "resnets" else 1
        head = f"input_blocks.{number}.{place}"
    elif words[0] == "up_blocks":
        block, kind, index = int(words[1]), words[2], int(words[3])
        crossing = "CrossAttn" in unet.config.up_block_types[block]
        if kind == "upsamplers":
            return f"output_blocks.{block * (layers + 1) + layers}.{2 if crossing else 1}.conv"
        rest, place = words[4:], 0 if kind == "resnets" else 1
        head = f"output_blocks.{block * (layers + 1) + index}.{place}"
    elif words[0] == "mid_block":
        rest = words[3:]
        head = "middle_block.1" if words[1] == "attentions" else f"middle_block.{2 * int(words[2])}"
    else:
        return {"conv_in": "input_blocks.0.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
                "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
                "add_embedding.linear_2": "label_emb.0.2"}[layer]
    tail = ".".join(rest)
    inner = {"conv1": "in_layers.2", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
    return f"{head}.{inner.get(tail, tail)}"


def sd3_original(layer):
    """The name of a layer of SD3's transformer in its original code, and which third of a fused one it is."""
    words = layer.split(".")
    block, tail = words[1], ".".join(words[2:])
    fused = {"attn.to_q": ("x_block.attn.qkv", 0), "attn.to_k": ("x_block.attn.qkv", 1), "attn.to_v": ("x_block.attn.qkv", 2),
             "attn.add_q_proj": ("context_block.attn.qkv", 0), "attn.add_k_proj": ("context_block.attn.qkv", 1),
             "attn.add_v_proj": ("context_block.attn.qkv", 2)}
    plain = {"attn.to_out.0": "x_block.attn.proj", "attn.to_add_out": "context_block.attn.proj", "ff.net.0.proj": "x_block.mlp.fc1",
             "ff.net.2": "x_block.mlp.fc2", "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2"}
    if tail in fused:
        name, part = fused[tail]
        return f"joint_blocks.{block}.{name}", part
    return f"joint_blocks.{block}.{plain[tail]}", None


def key(component, layer, dialect, pipe):
    """The name of a layer in a dialect; `None` where the dialect has none for it."""
    tower = {"text_encoder": "te" if pipe.text_encoder_2 is None else "te1", "text_encoder_2": "te2"}.get(component)
    denoiser = component in ("unet", "transformer")
    if dialect == "kohya":
        return f"lora_{tower or 'unet'}_" + layer.replace(".", "_")
    if dialect == "kohya-original":
        if component != "unet":
            return f"lora_{tower}_" + layer.replace(".", "_") if tower else None
        return "lora_unet_" + original_unet(layer, pipe.unet).replace(".", "_")
    if dialect in ("peft", "diffusers"):
        return f"{component}.{layer}"
    if dialect == "old":
        if denoiser and any(word in layer for word in (".attn1.", ".attn2.")):
            head, tail = layer.rsplit(".to_", 1)
            return f"{component}.{head}.processor.to_{tail.split('.')[0]}"
        return f"{component}.{layer}" if not denoiser else None
    if dialect == "original":
        return original_unet(layer, pipe.unet) if component == "unet" else None
    if dialect == "comfy":
        if component == "unet":
            return "diffusion_model." + original_unet(layer, pipe.unet)
        if component == "transformer":
            return "diffusion_model." + sd3_original(layer)[0]
        side = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}[component]
        return f"text_encoders.{side}.transformer.{layer}"
    raise AssertionError(dialect)


ENDS = {"kohya": (".lora_down.weight", ".lora_up.weight"), "kohya-original": (".lora_down.weight", ".lora_up.weight"),
        "peft": (".lora_A.weight", ".lora_B.weight"), "diffusers": (".lora.down.weight", ".lora.up.weight"),
        "old": ("_lora.down.weight", "_lora.up.weight"), "original": (".lora_down.weight", ".lora_up.weight"),
        "comfy": (".lora_A.weight", ".lora_B.weight")}


# --- factors -----------------------------------------------------------------------------------------------------


def normal(draw, *shape):
    return draw.normal(*shape, dtype=torch.float32)


def divisors(n):
    return [d for d in range(1, n + 1) if n % d == 0]


def factors(draw, kind, weight, dialect, name):
    """The tensors of a layer, and what they make of its weight (float64) at a strength."""
    down_end, up_end = ENDS[dialect]
    if dialect == "old" and ".processor." not in name:
        down_end, up_end = ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"
    shape, rank = weight.shape, draw.integer(1, 4)
    outputs, inputs, kernel = shape[0], shape[1], tuple(shape[2:])
    tensors, alpha = {}, None
    if dialect not in ("peft", "diffusers", "old") and draw.chance(0.7):
        alpha = draw.real(0.5, 6)
        tensors[name + ".alpha"] = torch.tensor(alpha)
    size = 0.5 / (rank * (inputs * int(np.prod(kernel or (1,)))) ** 0.5)
    scale = (alpha if alpha is not None else rank) / rank
    if kind in ("lora", "dora", "locon") or kind == "tucker" and not kernel or dialect in ("diffusers", "old"):
        down = normal(draw, rank, inputs, *kernel) * size * 4
        up = normal(draw, outputs, rank, *([1] * len(kernel)))
        tensors[name + down_end], tensors[name + up_end] = down, up
        change = (up.double().reshape(outputs, rank) @ down.double().reshape(rank, -1)).reshape(shape)
    elif kind == "tucker":
        down, up = normal(draw, rank, inputs, 1, 1), normal(draw, outputs, rank, 1, 1)
        middle = normal(draw, rank, rank, *kernel) * size * 2
        tensors.update({name + down_end: down, name + up_end: up, name + ".lora_mid.weight": middle})
        change = torch.einsum("or,rskl,si->oikl", up.double()[:, :, 0, 0], middle.double(), down.double()[:, :, 0, 0])
    elif kind == "loha":
        flat = inputs * int(np.prod(kernel or (1,)))
        a1, b1, a2, b2 = (normal(draw, outputs, rank), normal(draw, rank, flat) * size, normal(draw, outputs, rank), normal(draw, rank, flat))
        tensors.update({name + ".hada_w1_a": a1, name + ".hada_w1_b": b1, name + ".hada_w2_a": a2, name + ".hada_w2_b": b2})
        change = ((a1.double() @ b1.double()) * (a2.double() @ b2.double())).reshape(shape)
    else:
        first = (draw.one(*divisors(outputs)), draw.one(*divisors(inputs)))
        second = (outputs // first[0], inputs // first[1] * int(np.prod(kernel or (1,))))
        w1, w2 = normal(draw, *first), normal(draw, *second) * size
        if draw.chance(0.5):
            a, b = normal(draw, second[0], rank), normal(draw, rank, second[1]) * size
            tensors.update({name + ".lokr_w2_a": a, name + ".lokr_w2_b": b})
            w2 = a.double() @ b.double()
        else:
            tensors[name + ".lokr_w2"] = w2 if not kernel else w2.reshape(second[0], -1, *kernel)
            scale = 1
        tensors[name + ".lokr_w1"] = w1
        change = torch.kron(w1.double(), w2.double()).reshape(shape)
    magnitude = None
    if kind == "dora" and dialect in ("kohya", "kohya-original", "peft"):
        magnitude = weight.double().reshape(outputs, -1).norm(dim=1) * (1 + 0.2 * torch.rand(outputs, generator=draw.generator))
        peft = dialect == "peft"
        tensors[name + (".lora_magnitude_vector" if peft else ".dora_scale")] = (
            magnitude.float() if peft else magnitude.float().reshape(outputs, *([1] * (weight.ndim - 1))))
        magnitude = magnitude.float().double()

    def apply(weight, strength):
        if strength == 0:
            return weight
        result = weight + strength * scale * change
        if magnitude is not None:
            flat = result.reshape(outputs, -1)
            result = (flat * (magnitude[:, None] / flat.norm(dim=1, keepdim=True))).reshape(shape)
        return result
    return tensors, apply


# --- cases -------------------------------------------------------------------------------------------------------


def layers(module, component, draw, share):
    """Some layers of a network with matrices or kernels, under the names that files have for them."""
    found = []
    for name, child in module.named_modules():
        if not isinstance(child, (torch.nn.Linear, torch.nn.Conv2d)):
            continue
        if component.startswith("text_encoder") and name.startswith("encoder."):
            name = "text_model." + name
        found.append((name, child))
    return [pair for pair in found if draw.chance(share)]


def fits(layer, component, dialect, kind, weight):
    """Whether a dialect holds such a change of a layer."""
    if dialect in ("diffusers", "old") and (kind not in ("lora",) or component not in ("unet", "transformer", "text_encoder")):
        return False
    if dialect == "old":
        processed = any(word in layer for word in (".attn1.to_", ".attn2.to_"))
        return processed if component == "unet" else component == "text_encoder" and ("_proj" in layer or ".fc" in layer)
    if component == "transformer" and dialect == "comfy":
        # Fused layers have a test of their own; the last block reads its texts otherwise.
        return layer.startswith("transformer_blocks.") and any(
            layer.endswith(end) for end in (".attn.to_out.0", ".attn.to_add_out", "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj"))
    return kind != "tucker" or weight.ndim == 4


def written(draw, pipe_parts, dialect, kind):
    """An adapter's tensors, and what is done to each weight: {(component, layer): apply}."""
    pipe = types.SimpleNamespace(**{name: pipe_parts.get(name) for name in ("unet", "transformer", "text_encoder", "text_encoder_2")})
    tensors, changes = {}, {}
    for component, module in pipe_parts.items():
        if component not in ("unet", "transformer", "text_encoder", "text_encoder_2"):
            continue
        for layer, child in layers(module, component, draw, 0.3):
            if not fits(layer, component, dialect, kind, child.weight):
                continue
            name = key(component, layer, dialect, pipe)
            if name is None:
                continue
            own, apply = factors(draw, kind, child.weight.detach(), dialect, name)
            tensors.update(own)
            changes[component, layer] = apply
    return tensors, changes


def changed(folder, target, parts, steps):
    """A copy of a folder whose weights are summed by hand: `steps` are changes with their strengths, one after the other."""
    shutil.copytree(folder, target)
    for component, module in parts.items():
        if not any(part == component for changes, _ in steps for part, _ in changes):
            continue
        network = type(module).from_pretrained(os.path.join(folder, component))
        named = dict(network.named_modules())
        with torch.no_grad():
            for changes, strength in steps:
                for (part, layer), apply in changes.items():
                    if part == component:
                        child = named[layer if layer in named else layer.removeprefix("text_model.")]
                        child.weight.copy_(apply(child.weight.double(), strength).float())
        for old in glob.glob(os.path.join(target, component, "*.safetensors")):
            os.remove(old)
        network.save_pretrained(os.path.join(target, component))


def case(base, dialect, kind, live=None):
    """A model of a kind of pipelines.py with one or two adapters, the second of kohya's dialect; merged, or live beside the weights."""
    def make(place):
        job, draw = pipelines.KINDS_OF_MODELS[base](place), place.draw
        job.request = job.request.changed(initial=None)
        steps, options = [], []
        for index, (own_dialect, own_kind) in enumerate([(dialect, kind)] + ([("kohya", "lora")] if draw.chance(0.4) else [])):
            tensors, changes = written(draw, job.components, own_dialect, own_kind)
            if not tensors:
                raise Unfit("an adapter of nothing")
            path = place.file(f"adapter-{index}.safetensors")
            strength = draw.one(1.0, draw.real(-1, 1.5), 0.0 if index else 0.7)
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})
            steps.append((changes, strength))
            options += ["--lora", path if strength == 1 and draw.chance(0.5) else f"{path}:{strength}"]
        target = place.file("summed")
        changed(job.folder, target, job.components, steps)
        reference = job.open
        job.open = lambda folder=target: reference(folder)
        job.options = (*job.options, *options, *(["--lora-live"] if live else []))
        plain = reference(job.folder)(job.request).pixels
        if abs(plain.astype(int) - job.open()(job.request).pixels).mean() < 2:
            raise Unfit("adapters that hardly change the picture")
        return job
    return make


CASES = [("sd1", dialect, kind) for dialect in ("kohya", "kohya-original", "comfy", "original") for kind in KINDS if kind != "locon"]
CASES += [("sd1", "peft", "lora"), ("sd1", "peft", "dora"), ("sd1", "diffusers", "lora"), ("sd1", "old", "lora"),
          ("xl", "kohya", "lora"), ("xl", "peft", "dora"), ("xl", "kohya-original", "lokr"), ("xl", "comfy", "lora"),
          ("sd3", "kohya", "lora"), ("sd3", "peft", "lora"), ("sd3", "comfy", "lora"), ("sd3", "kohya", "lokr")]
CASES += [("sd1", "kohya", kind, "live") for kind in KINDS] + [("xl", "peft", "dora", "live"), ("sd3", "comfy", "lora", "live")]


if __name__ == "__main__":
    pipelines.KINDS_OF_MODELS = pipelines.KINDS
    pipelines.KINDS = {"-".join(row): case(*row) for row in CASES}
    pipelines.main()
