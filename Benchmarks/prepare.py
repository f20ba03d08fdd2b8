"""Writes, once, what both sides of a work are given, into a folder outside the checkout.

    python prepare.py WORK FOLDER

For a network: `weights` (diffusers' layout, random, float32), `inputs.safetensors`, `reference.safetensors` (what
diffusers makes of them in eager float32) and `facts.json` (how many TFLOP the work takes). For `sd15-unet-half`: weights
and inputs of the folder `sd15-unet` beside it, the weights in bfloat16. For `start` and `start-sd15`: whole pipelines.
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

from networks import NETWORKS, PictureUNet, TextUNet, TinyUNet, randomised, threads


def counted(body):
    """FLOP of products, convolutions and attention; the fused attention of processors would not be counted."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        body()
    return counter.get_total_flops()


def tflop(work):
    network = NETWORKS[work]
    with torch.device("meta"):
        module = network.module(network.trimmed(network.built()))
    inputs = [value.to("meta") for value in network.inputs().values()]
    if work == "ddpm-cifar-train":
        return counted(lambda: network.loss(module, *inputs).backward()) / 1e12
    with torch.no_grad():
        return counted(lambda: module(*inputs)) * (1000 if work == "tiny-1000" else 1) / 1e12


def reference(work, network, inputs):
    spec = NETWORKS[work]
    if isinstance(spec, TinyUNet):
        return spec.pictures(spec.pipeline(network))
    if work == "ddpm-cifar-train":
        spec.loss(spec.module(network), *inputs.values()).backward()
        return spec.gradient(network)
    with torch.no_grad():
        return spec.call(network, *inputs.values())


def write_network(work, folder):
    spec = NETWORKS[work]
    network, inputs = randomised(spec.built()), spec.inputs()
    network.save_pretrained(os.path.join(folder, "weights"))
    save_file(inputs, os.path.join(folder, "inputs.safetensors"))
    save_file({"output": reference(work, network, inputs).contiguous()}, os.path.join(folder, "reference.safetensors"))
    with open(os.path.join(folder, "facts.json"), "w") as file:
        json.dump({"tflop": tflop(work)}, file)


def write_half(folder):
    whole = os.path.join(os.path.dirname(folder), "sd15-unet")
    TextUNet().loaded(os.path.join(whole, "weights"), torch.bfloat16).save_pretrained(os.path.join(folder, "weights"))
    shutil.copy(os.path.join(whole, "inputs.safetensors"), folder)


def write_tiny_pipeline(folder):
    TinyUNet.pipeline(randomised(TinyUNet().built())).save_pretrained(os.path.join(folder, "weights"))


def write_vocabulary(folder):
    """CLIP's tokenizer, from the merges that the program carries."""
    import gzip
    os.makedirs(folder)
    here = os.path.dirname(os.path.abspath(__file__))
    with gzip.open(os.path.join(here, "..", "Sources", "CCLIPVocabulary", "merges.txt.gz"), "rt") as file:
        merges = file.read().splitlines()
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(byte) for byte in shown] + [chr(256 + index) for index in range(256 - len(shown))]
    tokens = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    with open(os.path.join(folder, "vocab.json"), "w") as file:
        json.dump({token: index for index, token in enumerate(tokens)}, file)
    with open(os.path.join(folder, "merges.txt"), "w") as file:
        file.write("\n".join(["#version: 0.2", *merges]) + "\n")


def write_sd15(folder):
    """The published configurations of Stable Diffusion 1.5 with random weights in float16, and CLIP's vocabulary."""
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    target = os.path.join(folder, "weights")
    words = os.path.join(target, "tokenizer")
    write_vocabulary(words)
    tokenizer = CLIPTokenizer(os.path.join(words, "vocab.json"), os.path.join(words, "merges.txt"), model_max_length=77)
    text = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                          hidden_act="quick_gelu", projection_dim=768)
    autoencoder = AutoencoderKL(**NETWORKS["sd-vae-decoder"].configuration, force_upcast=False)
    scheduler = PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
                              steps_offset=1)
    pipeline = StableDiffusionPipeline(
        autoencoder, CLIPTextModel(text), tokenizer, TextUNet().built(), scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False)
    pipeline.to(torch.float16).save_pretrained(target)


def main(work, folder):
    if os.path.isdir(folder):
        return
    torch.set_num_threads(threads())
    torch.manual_seed(0)
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    others = {"sd15-unet-half": write_half, "start": write_tiny_pipeline, "start-sd15": write_sd15}
    if work in others:
        others[work](part)
    else:
        write_network(work, part)
    os.rename(part, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
