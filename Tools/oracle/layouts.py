"""Names of single-file checkpoints beside those of diffusers and transformers, and small checkpoints in both.

For every family: its published configurations, from which the networks are built without memory to get names,
shapes and counts; and the same networks with small widths, taken apart into the single-file layout and put together
again by diffusers' own conversion (`diffusers.loaders.single_file_utils`). Every element of the small networks has a
number of its own, so the result shows which part of which foreign tensor each native tensor is.
"""
import gzip
import json
import os
import re

import torch
from diffusers import AutoencoderKL, DiTTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel, UNet2DModel, VQModel
from diffusers.loaders import single_file_utils as theirs
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from classifier import Classifier
from common import arguments, write
from enlarging import CLASSES as ENLARGING
from layouts_published import COUNTS, FAMILIES

CLASSES = {c.__name__: c for c in (AutoencoderKL, DiTTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel,
                                   UNet2DModel, VQModel)}


# --- networks ----------------------------------------------------------------------------------------------------


class ClassEmbedder(torch.nn.Module):
    """The class table of the latent-diffusion code."""

    def __init__(self, config):
        super().__init__()
        self.embedding = torch.nn.Embedding(config["n_classes"], config["embed_dim"])


class GLIDE(torch.nn.Module):
    """diffusers' class with attention that adds a context, for the names and shapes of the U-Net, and the text transformer under
    its published names."""

    def __init__(self, config):
        super().__init__()
        width, channels = config["xf_width"], config["block_out_channels"]
        pictures = 1 + bool(config["inpaints"]) + bool(config["low_resolution_factor"])
        shared = ("act_fn", "attention_head_dim", "block_out_channels", "down_block_types", "layers_per_block", "norm_num_groups",
                  "resnet_time_scale_shift", "up_block_types")
        self.unet = UNet2DConditionModel(
            **{key: config[key] for key in shared}, in_channels=3 * pictures + bool(config["inpaints"]), out_channels=6,
            cross_attention_dim=width, mid_block_type="UNetMidBlock2DSimpleCrossAttn", class_embed_type="identity")
        self.token_embedding = torch.nn.Embedding(config["vocab_size"], width)
        self.positional_embedding = torch.nn.Parameter(torch.empty(config["text_ctx"], width))
        self.padding_embedding = torch.nn.Parameter(torch.empty(config["text_ctx"], width))
        self.final_ln = torch.nn.LayerNorm(width)
        self.transformer_proj = torch.nn.Linear(width, 4 * channels[0])
        self.transformer = torch.nn.ModuleDict(dict(resblocks=torch.nn.ModuleList(
            torch.nn.ModuleDict(dict(
                attn=torch.nn.ModuleDict(dict(c_qkv=torch.nn.Linear(width, 3 * width), c_proj=torch.nn.Linear(width, width))),
                ln_1=torch.nn.LayerNorm(width), ln_2=torch.nn.LayerNorm(width),
                mlp=torch.nn.ModuleDict(dict(c_fc=torch.nn.Linear(width, 4 * width), c_proj=torch.nn.Linear(4 * width, width)))))
            for _ in range(config["xf_layers"]))))


def build(config):
    """The network of a configuration."""
    if "architectures" in config:
        settings = {k: v for k, v in config.items() if k not in ("architectures", "model_type")}
        if config["model_type"] == "t5":
            return T5EncoderModel(T5Config(**settings))
        return CLIPTextModelWithProjection(CLIPTextConfig(**settings))
    if config["_class_name"] == "ClassEmbedder":
        return ClassEmbedder(config)
    if config["_class_name"] in ENLARGING:
        return ENLARGING[config["_class_name"]](**{key: value for key, value in config.items() if key != "_class_name"})
    if config["_class_name"] == "UNetClassifier":
        return Classifier(**{key: value for key, value in config.items() if key != "_class_name"})
    if config["_class_name"] == "ADMUNet2D":
        # Names and shapes are those of diffusers' class with the smaller picture's channels beside.
        own = {key: value for key, value in config.items() if key not in ("low_resolution_factor", "num_attention_heads")}
        return build(own | {"_class_name": "UNet2DModel", "in_channels": 6, "attn_norm_num_groups": config["norm_num_groups"],
                            "attention_head_dim": config["attention_head_dim"] or 64})
    if config["_class_name"] == "GLIDEUNet2D":
        return GLIDE(config)
    return CLASSES[config["_class_name"]].from_config(config)


def native_tensors(network, config):
    """Parameters under published names, and the buffer that the checkpoints of SD3 hold."""
    tensors = {name.removeprefix("unet."): tensor.detach() for name, tensor in network.named_parameters()}
    if config.get("_class_name") == "SD3Transformer2DModel":
        tensors["pos_embed.pos_embed"] = network.pos_embed.pos_embed
    if config.get("architectures") == ["CLIPTextModel"]:
        tensors.pop("text_projection.weight")
    return tensors


def parameter_count(network, config):
    return sum(t.numel() for n, t in native_tensors(network, config).items() if n != "pos_embed.pos_embed")


def small(config):
    """The same structure with small widths, so that it has the same names."""
    config = dict(config)
    if config.get("model_type") == "t5":
        return {**config, "d_ff": 6, "d_kv": 2, "d_model": 4, "num_heads": 2, "vocab_size": 8}
    if "architectures" in config:
        return {**config, "hidden_size": 6, "intermediate_size": 10, "num_attention_heads": 2, "projection_dim": 6,
                "vocab_size": 8, "max_position_embeddings": 5, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    kind = config["_class_name"]
    if kind == "ClassEmbedder":
        return {**config, "embed_dim": 3, "n_classes": 5}
    if kind == "RRDBNet":
        return {**config, "num_feat": 2, "num_grow_ch": 1}
    if kind == "SwinIR":
        return {**config, "embed_dim": 6, "mlp_hidden": 4, "num_feat": 2, "window_size": 2}
    if kind == "SD3Transformer2DModel":
        return {**config, "attention_head_dim": 4, "num_attention_heads": 3, "caption_projection_dim": 12, "sample_size": 4,
                "joint_attention_dim": 5, "pooled_projection_dim": 7, "pos_embed_max_size": 4, "in_channels": 2, "out_channels": 2}
    if kind == "DiTTransformer2DModel":
        return {**config, "num_attention_heads": 2, "attention_head_dim": 6, "num_embeds_ada_norm": 4, "sample_size": 4}
    if kind == "GLIDEUNet2D":
        config |= {"text_ctx": 3, "vocab_size": 5, "xf_heads": 2, "xf_width": 4}
    channels = config["block_out_channels"]
    ratio = channels[-1] // channels[0]
    config["block_out_channels"] = [4 * (c // channels[0]) for c in channels] if ratio < 8 else [4] * len(channels)
    config["norm_num_groups"] = 2
    if kind in ("AutoencoderKL", "VQModel"):
        return {**config, "num_vq_embeddings": 6} if kind == "VQModel" else config
    config["attention_head_dim"] = [2] * len(channels) if isinstance(config["attention_head_dim"], list) else 2
    if "cross_attention_dim" in config:
        config["cross_attention_dim"] = 5
    if "addition_time_embed_dim" in config:
        config["addition_time_embed_dim"] = 4
        config["projection_class_embeddings_input_dim"] = 9
    if config.get("attn_norm_num_groups"):
        config["attn_norm_num_groups"] = 2
    if config.get("num_class_embeds"):
        config["num_class_embeds"] = 6
    return config


# --- from native names to those of single files ------------------------------------------------------------------


RESIDUAL = [("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"), ("norm2", "out_layers.0"),
            ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection")]


def substituted(name, pairs):
    for old, new in pairs:
        if name.startswith(old + "."):
            return new + name[len(old):]
    return name


def unet_name(name, config):
    step = config["layers_per_block"] + 1
    crosses = ["Attn" in kind for kind in config.get("up_block_types", [])]
    match = re.match(r"(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    if match:
        side, block, kind, index, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        if kind == "downsamplers":
            place = f"input_blocks.{(block + 1) * step}.0"
            return f"{place}.op.{rest.removeprefix('conv.')}" if rest.startswith("conv.") else f"{place}.{substituted(rest, RESIDUAL)}"
        if kind == "upsamplers":
            place = f"output_blocks.{block * step + step - 1}.{2 if crosses[block] else 1}"
            return f"{place}.{rest}" if rest.startswith("conv.") else f"{place}.{substituted(rest, RESIDUAL)}"
        place = f"input_blocks.{block * step + index + 1}" if side == "down_blocks" else f"output_blocks.{block * step + index}"
        return f"{place}.0.{substituted(rest, RESIDUAL)}" if kind == "resnets" else f"{place}.1.{rest}"
    match = re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if match:
        if match[1] == "attentions":
            return f"middle_block.1.{match[3]}"
        return f"middle_block.{2 * int(match[2])}.{substituted(match[3], RESIDUAL)}"
    if name == "class_embedding.weight":
        return "label_emb.weight"
    return substituted(name, [
        ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"), ("conv_in", "input_blocks.0.0"),
        ("conv_norm_out", "out.0"), ("conv_out", "out.2"), ("add_embedding.linear_1", "label_emb.0.0"),
        ("add_embedding.linear_2", "label_emb.0.2")])


def unet(tensors, config):
    result, heads = {}, {}
    for name, tensor in tensors.items():
        foreign = "model.diffusion_model." + unet_name(name, config)
        if config["_class_name"] in ("UNet2DModel", "UNetClassifier", "ADMUNet2D", "GLIDEUNet2D") and ".attentions." in name:
            scope, part = re.match(r"(.*\.1)\.((?:group_norm|to_[qkv]|to_out\.0|add_[kv]_proj)\.\w+)$", foreign).groups()
            if part.startswith("group_norm"):
                result[f"{scope}.{part.removeprefix('group_')}"] = tensor
            elif part.startswith("to_out"):
                result[f"{scope}.proj_out.{part.split('.')[-1]}"] = tensor[:, :, None] if tensor.ndim == 2 else tensor
            elif part.startswith("add"):
                heads.setdefault(f"{scope}.encoder_kv.{part.split('.')[-1]}", {})[part[4]] = tensor
            else:
                heads.setdefault(f"{scope}.qkv.{part.split('.')[-1]}", {})[part[3]] = tensor
        else:
            result[foreign] = tensor
    for name, parts in heads.items():
        width = config["attention_head_dim"] or len(parts["q"]) // config["num_attention_heads"]
        split = [parts[key].reshape(-1, 1, width, *parts[key].shape[1:]) for key in "qkv" if key in parts]
        whole = torch.cat(split, 1).reshape(-1, *split[0].shape[3:])
        result[name] = whole[:, :, None] if whole.ndim == 2 else whole
    return result


def adm(tensors, config):
    """OpenAI's own files, which hold the network alone."""
    return {name.removeprefix("model.diffusion_model."): tensor for name, tensor in unet(tensors, config).items()}


def adm_classifier(tensors, config):
    """The way down likewise; the pool's queries, keys and values in one tensor, its places in columns."""
    rest = adm({name: tensor for name, tensor in tensors.items() if not name.startswith("pool.")}, config)
    for kind in ("weight", "bias"):
        whole = torch.cat([tensors[f"pool.to_{key}.{kind}"] for key in "qkv"])
        rest[f"out.2.qkv_proj.{kind}"] = whole[:, :, None] if kind == "weight" else whole
    rest["out.2.positional_embedding"] = tensors["pool.positional_embedding"].mT
    rest["out.2.c_proj.weight"] = tensors["pool.to_out.0.weight"][:, :, None]
    return rest | {"out.2.c_proj.bias": tensors["pool.to_out.0.bias"]}


def autoencoder(tensors, config):
    levels = len(config["block_out_channels"])

    def foreign(name):
        match = re.match(r"(encoder|decoder)\.(down_blocks|up_blocks|mid_block)\.(.*)", name)
        if not match:
            return name.replace("conv_norm_out", "norm_out")
        side, where, rest = match.groups()
        if where == "mid_block":
            kind, index, rest = rest.split(".", 2)
            place = f"mid.block_{int(index) + 1}" if kind == "resnets" else "mid.attn_1"
        else:
            block, kind, index, rest = rest.split(".", 3)
            place = f"down.{block}" if where == "down_blocks" else f"up.{levels - 1 - int(block)}"
            place += {"resnets": f".block.{index}", "attentions": f".attn.{index}", "downsamplers": ".downsample",
                      "upsamplers": ".upsample"}[kind]
        rest = substituted(rest, [("conv_shortcut", "nin_shortcut"), ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"),
                                  ("to_v", "v"), ("to_out.0", "proj_out")])
        return f"{side}.{place}.{rest}"

    def value(name, tensor):
        return tensor[:, :, None, None] if ".attentions." in name and tensor.ndim == 2 else tensor

    return {"first_stage_model." + foreign(name): value(name, tensor) for name, tensor in tensors.items()}


def clip(prefix):
    return lambda tensors, config: {prefix + name: tensor for name, tensor in tensors.items()}


def clip_large_of_sd3(tensors, config):
    """Without the projection: SD3 uses the vector before it."""
    return {"text_encoders.clip_l.transformer." + n: t for n, t in tensors.items() if n != "text_projection.weight"}


def open_clip(prefix):
    def convert(tensors, config):
        result, parts = {}, {}
        for name, tensor in tensors.items():
            if name == "text_projection.weight":
                result[prefix + "text_projection"] = tensor.T
                continue
            match = re.match(r"text_model\.encoder\.layers\.(\d+)\.(.*)", name)
            if not match:
                result[prefix + {"embeddings.position_embedding.weight": "positional_embedding",
                                 "embeddings.token_embedding.weight": "token_embedding.weight"}.get(
                    name.removeprefix("text_model."),
                    name.removeprefix("text_model.").replace("final_layer_norm", "ln_final"))] = tensor
                continue
            place, rest = f"{prefix}transformer.resblocks.{match[1]}.", match[2]
            if re.match(r"self_attn\.[qkv]_proj", rest):
                parts.setdefault(f"{place}attn.in_proj_{rest.split('.')[-1]}", {})[rest[10]] = tensor
            else:
                result[place + substituted(rest, [("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"),
                                                  ("mlp.fc2", "mlp.c_proj"), ("self_attn.out_proj", "attn.out_proj")])] = tensor
        return result | {name: torch.cat([found[key] for key in "qkv"]) for name, found in parts.items()}
    return convert


def exchanged(tensor):
    return torch.cat(tensor.chunk(2)[::-1])


def sd3(tensors, config):
    result, parts = {}, {}
    last = config["num_layers"] - 1
    blocks = [("attn.norm_q", "x_block.attn.ln_q"), ("attn.norm_k", "x_block.attn.ln_k"),
              ("attn.norm_added_q", "context_block.attn.ln_q"), ("attn.norm_added_k", "context_block.attn.ln_k"),
              ("attn.to_out.0", "x_block.attn.proj"), ("attn.to_add_out", "context_block.attn.proj"),
              ("attn2.norm_q", "x_block.attn2.ln_q"), ("attn2.norm_k", "x_block.attn2.ln_k"),
              ("attn2.to_out.0", "x_block.attn2.proj"), ("norm1.linear", "x_block.adaLN_modulation.1"),
              ("norm1_context.linear", "context_block.adaLN_modulation.1"), ("ff.net.0.proj", "x_block.mlp.fc1"),
              ("ff.net.2", "x_block.mlp.fc2"), ("ff_context.net.0.proj", "context_block.mlp.fc1"),
              ("ff_context.net.2", "context_block.mlp.fc2")]
    outer = [("pos_embed.proj", "x_embedder.proj"), ("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
             ("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"),
             ("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"),
             ("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"), ("proj_out", "final_layer.linear"),
             ("norm_out.linear", "final_layer.adaLN_modulation.1")]
    for name, tensor in tensors.items():
        match = re.match(r"transformer_blocks\.(\d+)\.(.*)", name)
        if not match:
            foreign = "pos_embed" if name == "pos_embed.pos_embed" else substituted(name, outer)
            result[foreign] = exchanged(tensor) if name.startswith("norm_out") else tensor
            continue
        place, rest = f"joint_blocks.{match[1]}.", match[2]
        split = re.match(r"(attn2?)\.(?:to_([qkv])|add_([qkv])_proj)\.(\w+)", rest)
        if split:
            block = "context_block" if split[3] else "x_block"
            parts.setdefault(f"{place}{block}.{split[1]}.qkv.{split[4]}", {})[split[2] or split[3]] = tensor
        else:
            swap = rest.startswith("norm1_context") and int(match[1]) == last
            result[place + substituted(rest, blocks)] = exchanged(tensor) if swap else tensor
    result |= {name: torch.cat([found[key] for key in "qkv"]) for name, found in parts.items()}
    return {"model.diffusion_model." + name: tensor for name, tensor in result.items()}


def dit(tensors, config):
    result, parts = {}, {}
    for name, tensor in tensors.items():
        match = re.match(r"transformer_blocks\.(\d+)\.(.*)", name)
        if not match:
            result[substituted(name, [("pos_embed.proj", "x_embedder.proj"), ("proj_out_1", "final_layer.adaLN_modulation.1"),
                                      ("proj_out_2", "final_layer.linear")])] = tensor
            continue
        place, rest = f"blocks.{match[1]}.", match[2]
        if rest.startswith("norm1.emb."):
            if match[1] == "0":
                result[substituted(rest.removeprefix("norm1.emb."), [
                    ("timestep_embedder.linear_1", "t_embedder.mlp.0"), ("timestep_embedder.linear_2", "t_embedder.mlp.2"),
                    ("class_embedder", "y_embedder")])] = tensor
        elif rest.startswith("attn1.to_") and not rest.startswith("attn1.to_out"):
            parts.setdefault(f"{place}attn.qkv.{rest.split('.')[-1]}", {})[rest[9]] = tensor
        else:
            result[place + substituted(rest, [("norm1.linear", "adaLN_modulation.1"), ("attn1.to_out.0", "attn.proj"),
                                              ("ff.net.0.proj", "mlp.fc1"), ("ff.net.2", "mlp.fc2")])] = tensor
    return result | {name: torch.cat([found[key] for key in "qkv"]) for name, found in parts.items()}


TO_SINGLE_FILE = {
    "unet": unet, "adm": adm, "adm-classifier": adm_classifier, "autoencoder": autoencoder, "sd3": sd3, "dit": dit,
    "clip:sd1": clip("cond_stage_model.transformer."), "clip:xl": clip("conditioner.embedders.0.transformer."),
    "clip:sd3": clip_large_of_sd3, "clip-g:sd3": clip("text_encoders.clip_g.transformer."),
    "t5": clip("text_encoders.t5xxl.transformer."), "open-clip:sd2": open_clip("cond_stage_model.model."),
    "open-clip:xl": open_clip("conditioner.embedders.1.model."), "open-clip:refiner": open_clip("conditioner.embedders.0.model."),
    "classes": clip("cond_stage_model."), "itself": lambda tensors, config: dict(tensors),
}


# --- diffusers' conversion, and what it shows --------------------------------------------------------------------


def converted(kind, checkpoint, config, network):
    """What diffusers makes of a single file; None where it has no conversion."""
    checkpoint = dict(checkpoint)
    if kind == "unet":
        return theirs.convert_ldm_unet_checkpoint(checkpoint, config) if config["_class_name"] == "UNet2DConditionModel" else None
    if kind == "autoencoder":
        return theirs.convert_ldm_vae_checkpoint(checkpoint, config) if config["_class_name"] == "AutoencoderKL" else None
    if kind == "sd3":
        return theirs.convert_sd3_transformer_checkpoint_to_diffusers(checkpoint)
    if kind in ("clip:sd1", "clip:xl"):
        return theirs.convert_ldm_clip_checkpoint(checkpoint)
    if kind == "clip:sd3":
        result = theirs.convert_ldm_clip_checkpoint(checkpoint, "text_encoders.clip_l.transformer.")
        return result | {"text_projection.weight": torch.eye(config["hidden_size"], dtype=torch.float64)}
    if kind == "clip-g:sd3":
        return theirs.convert_ldm_clip_checkpoint(checkpoint, "text_encoders.clip_g.transformer.")
    if kind == "t5":
        return theirs.convert_sd3_t5_checkpoint_to_diffusers(checkpoint)
    if kind.startswith("open-clip"):
        prefix = {"sd2": "cond_stage_model.model.", "xl": "conditioner.embedders.1.model.",
                  "refiner": "conditioner.embedders.0.model."}[kind.split(":")[1]]
        return theirs.convert_open_clip_checkpoint(network, checkpoint, prefix=prefix)
    return None


def candidates(tensor, width):
    """Every way of seeing a foreign tensor, by its name in the fixture."""
    yield "whole", tensor
    if tensor.ndim > 2 and all(extent == 1 for extent in tensor.shape[2:]):
        yield "matrix", tensor.reshape(tensor.shape[:2])
    if tensor.ndim == 2:
        yield "transposed", tensor.T
    if len(tensor) % 2 == 0:
        yield "halves", exchanged(tensor)
    if len(tensor) % 3 == 0:
        for index in range(3):
            yield f"{index}/3", tensor.chunk(3)[index]
    if len(tensor) % 3 == 0 and tensor.ndim > 2 and all(extent == 1 for extent in tensor.shape[2:]):
        for index in range(3):
            yield f"matrix {index}", tensor.chunk(3)[index].reshape(-1, tensor.shape[1])
    if len(tensor) % (3 * width) == 0 and all(extent == 1 for extent in tensor.shape[2:]):
        for index in range(3):
            heads = tensor.reshape(-1, 3, width, *tensor.shape[1:])[:, index].reshape(-1, *tensor.shape[1:])
            yield f"head {index}", heads.reshape(heads.shape[:2])
    if len(tensor) % (2 * width) == 0 and all(extent == 1 for extent in tensor.shape[2:]):
        for index in range(2):
            heads = tensor.reshape(-1, 2, width, *tensor.shape[1:])[:, index].reshape(-1, *tensor.shape[1:])
            yield f"half {index}", heads.reshape(heads.shape[:2])


def numbered(tensors, start):
    """The same shapes, and a number of its own in every element."""
    result = {}
    for name, tensor in tensors.items():
        result[name] = torch.arange(start, start + tensor.numel(), dtype=torch.float64).reshape(tensor.shape)
        start += tensor.numel()
    return result


def shared(tensors, kind):
    """DiT keeps its embedders once, diffusers in every block."""
    if kind == "dit":
        for name in tensors:
            tensors[name] = tensors[re.sub(r"blocks\.\d+\.norm1\.emb", "blocks.0.norm1.emb", name)]
    if kind == "clip:sd3":
        tensors["text_projection.weight"] = torch.eye(len(tensors["text_projection.weight"]), dtype=torch.float64)
    return tensors


def traced(kind, config):
    """Rows [foreign name, [[native name, view], ...]] and the small tensors on both sides."""
    network = build(config)
    native = shared(numbered(native_tensors(network, config), 7), kind)
    foreign = TO_SINGLE_FILE[kind](native, config)
    made = converted(kind, foreign, config, network)
    if made is not None:
        made = {name: tensor for name, tensor in made.items() if not name.endswith("position_ids")}
        assert made.keys() == native.keys(), sorted(made.keys() ^ native.keys())[:10]
        assert all(torch.equal(made[name], native[name]) for name in native), kind
    homes = {value: name for name, tensor in foreign.items() for value in tensor.flatten().tolist()}
    rows = {name: [] for name in foreign}
    width = config["attention_head_dim"] if isinstance(config.get("attention_head_dim"), int) else 2
    for name, tensor in native.items():
        if kind == "clip:sd3" and name == "text_projection.weight":
            rows["text_encoders.clip_l.transformer.text_model.final_layer_norm.weight"].append([name, "identity"])
            continue
        home = homes[float(tensor.flatten()[0])]
        views = [view for view, seen in candidates(foreign[home], width) if torch.equal(seen, tensor)]
        assert views, name
        rows[home].append([name, views[0]])
    assert all(rows.values())
    return rows, foreign, native


def table(family, component, kind, config):
    """The rows of a published configuration with the shapes on both sides."""
    rows, _, _ = traced(kind, small(config))
    with torch.device("meta"):
        network = build(config)
        native = native_tensors(network, config)
        count = parameter_count(network, config)
        foreign = TO_SINGLE_FILE[kind](dict(native), config)
    if (expected := COUNTS.get((family, component))) is not None:
        assert count == expected, (family, component, count, expected)
    assert foreign.keys() == rows.keys(), sorted(foreign.keys() ^ rows.keys())[:10]
    result = [[name, list(foreign[name].shape), [[n, view, list(native[n].shape)] for n, view in rows[name]]] for name in rows]
    return {"configuration": config, "parameters": count, "rows": result}


def attention_agrees():
    """The heads of OpenAI's attention, which diffusers' conversion does not know, are laid out as assumed."""
    torch.manual_seed(0)
    config = {"_class_name": "UNet2DModel", "attention_head_dim": 2}
    ours = torch.randn(3, 8, 8).unbind()
    name = "mid_block.attentions.0.to_{}.weight"
    single = unet({name.format(key): w for key, w in zip("qkv", ours)}, {**config, "layers_per_block": 2, "up_block_types": []})
    weight = single["model.diffusion_model.middle_block.1.qkv.weight"]
    x = torch.randn(1, 8, 5)
    # guided-diffusion, QKVAttentionLegacy: heads first, then queries, keys and values of each.
    q, k, v = torch.nn.functional.conv1d(x, weight).reshape(4, 6, 5).split(2, dim=1)
    theirs_ = torch.einsum("bts,bcs->bct", torch.softmax(torch.einsum("bct,bcs->bts", q, k) / 2**0.5, -1), v).reshape(8, 5)
    q, k, v = (torch.nn.functional.linear(x[0].T, w).reshape(5, 4, 2).transpose(0, 1) for w in ours)
    assert torch.allclose(torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(5, 8).T, theirs_, atol=1e-5)


# --- files -------------------------------------------------------------------------------------------------------


# Small networks whose tensors are written on both sides, as far as the foreign names have a pattern.
VALUES = {
    "heads": ("unet", {"_class_name": "UNet2DModel", "block_out_channels": [4, 4], "layers_per_block": 1, "norm_num_groups": 1,
                       "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
                       "attention_head_dim": 2, "in_channels": 1, "out_channels": 1}, r"\.1\.(norm|qkv|proj_out)\.|put_blocks\.\d\.0\."),
    "quantised": ("autoencoder", {"_class_name": "VQModel", "block_out_channels": [2, 3], "norm_num_groups": 1, "num_vq_embeddings": 5,
                                  "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"], "latent_channels": 2,
                                  "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"], "layers_per_block": 1}, r"attn|quant|block\.0\.norm1"),
    "open-clip": ("open-clip:xl", {"architectures": ["CLIPTextModelWithProjection"], "model_type": "clip_text_model", "hidden_size": 6,
                                   "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "projection_dim": 4,
                                   "vocab_size": 8, "max_position_embeddings": 5, "bos_token_id": 0, "eos_token_id": 2}, ""),
    "sd3": ("sd3", {"_class_name": "SD3Transformer2DModel", "attention_head_dim": 2, "num_attention_heads": 2, "num_layers": 2,
                    "caption_projection_dim": 4, "joint_attention_dim": 3, "pooled_projection_dim": 5, "pos_embed_max_size": 3,
                    "sample_size": 4, "in_channels": 2, "out_channels": 2, "dual_attention_layers": [0], "qk_norm": "rms_norm"}, ""),
    "dit": ("dit", {"_class_name": "DiTTransformer2DModel", "num_attention_heads": 2, "attention_head_dim": 2, "num_layers": 2,
                    "num_embeds_ada_norm": 3, "sample_size": 4, "in_channels": 2, "out_channels": 4}, ""),
}


def write_values(options):
    for name, (kind, config, pattern) in VALUES.items():
        rows, foreign, native = traced(kind, config)
        foreign = {n: t for n, t in foreign.items() if re.search(pattern, n)}
        native = {seen: native[seen] for n in foreign for seen, _ in rows[n]}
        # `--seed` shifts the numbers; all are exact in float32.
        tensors = {"foreign." + n: (t + options.seed).float() for n, t in foreign.items()}
        tensors |= {"native." + n: (t + options.seed).float() for n, t in native.items()}
        write(options.out, "values-" + name, tensors, {"kind": kind})


def main():
    options = arguments(__doc__)
    attention_agrees()
    for family, parts in FAMILIES.items():
        components = {component: table(family, component, kind, config) for component, (kind, config) in parts["components"].items()}
        text = json.dumps({"family": family, "components": components, "aside": parts["aside"]}, separators=(",", ":"))
        path = os.path.join(options.out, family + ".json.gz")
        with open(path, "wb") as file:
            file.write(gzip.compress(text.encode(), 9, mtime=0))
        counts = {component: part["parameters"] for component, part in components.items()}
        print(f"{path}  {os.path.getsize(path) / 1024:.0f} KiB  {sum(len(c['rows']) for c in components.values())} names  {counts}")
    write_values(options)


if __name__ == "__main__":
    main()
