"""The peer's side of the benchmarks: the same work with diffusers on PyTorch, in one long-lived process.

    python peers.py                 worker: prints `ready`, then for each line `WORK[:LAYOUT] ROUNDS` runs the work
                                    ROUNDS times and prints the milliseconds, a line each
    python peers.py folder DIR      writes the DDPMPipeline folder that `start` opens
    python peers.py start DIR       opens that folder, takes one denoising step, prints `stepped` and leaves
    python peers.py folder-sd15 DIR writes the folder of a Stable Diffusion 1.5 of full size, random, in float16
    python peers.py start-sd15 DIR  opens that folder in float16 and makes a picture of one step; prints `stepping`
                                    when the network is called for the first time

WORK is `ddpm-cifar-forward` (batch 64), `ddpm-cifar-train` (batch 32, one AdamW step) or `tiny-1000` (1,000 DDPM
steps, batch 16); LAYOUT is `nchw` (when left out) or `channels-last`. Weights are random and nowhere zero, float32;
every work is warmed up before its first timed round. LANGEVIN_THREADS says how many threads (2).
"""
import os
import sys
import time

THREADS = int(os.environ.get("LANGEVIN_THREADS", "2"))
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def start(folder):
    """Kept apart, and importing no more than a user's script would: this is timed from exec."""
    import torch
    from diffusers import DDPMPipeline
    torch.set_num_threads(THREADS)
    pipeline = DDPMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline(batch_size=1, generator=torch.Generator().manual_seed(0), num_inference_steps=1, output_type="np")
    print("stepped", flush=True)


def start_sd15(folder):
    import torch
    from diffusers import StableDiffusionPipeline
    torch.set_num_threads(THREADS)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float16)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.register_forward_pre_hook(lambda *_: print("stepping", flush=True))
    pipeline("a photo of a cat", num_inference_steps=1, generator=torch.Generator().manual_seed(0),
             height=SD15_SIZE, width=SD15_SIZE, output_type="np")


SD15_SIZE = int(os.environ.get("LANGEVIN_SD15_SIZE", "512"))

if sys.argv[1:2] in (["start"], ["start-sd15"]):
    {"start": start, "start-sd15": start_sd15}[sys.argv[1]](sys.argv[2])
    os._exit(0)

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel


def randomised(network):
    """Parameters that start constant (norms, biases) get a little noise, so no kernel meets a zero."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() > 1 and float(parameter.flatten()[0]) in (0.0, 1.0):
                parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


def cifar():
    """The configuration of google/ddpm-cifar10-32."""
    return randomised(UNet2DModel(
        sample_size=32, in_channels=3, out_channels=3, block_out_channels=(128, 256, 256, 256), layers_per_block=2,
        attention_head_dim=None, norm_eps=1e-6, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D")))


def tiny():
    return randomised(UNet2DModel(
        sample_size=16, in_channels=1, out_channels=1, block_out_channels=(32, 64), layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D")))


def write_sd15(folder):
    """The published configurations of Stable Diffusion 1.5 with random weights in float16, and CLIP's vocabulary."""
    import gzip
    import json
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    words = os.path.join(folder, "tokenizer")
    os.makedirs(words)
    here = os.path.dirname(os.path.abspath(__file__))
    with gzip.open(os.path.join(here, "..", "Sources", "CCLIPVocabulary", "merges.txt.gz"), "rt") as file:
        merges = file.read().splitlines()
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(byte) for byte in shown] + [chr(256 + index) for index in range(256 - len(shown))]
    tokens = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    with open(os.path.join(words, "vocab.json"), "w") as file:
        json.dump({token: index for index, token in enumerate(tokens)}, file)
    with open(os.path.join(words, "merges.txt"), "w") as file:
        file.write("\n".join(["#version: 0.2", *merges]) + "\n")
    tokenizer = CLIPTokenizer(os.path.join(words, "vocab.json"), os.path.join(words, "merges.txt"), model_max_length=77)
    text = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                          hidden_act="quick_gelu", projection_dim=768)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    autoencoder = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, layers_per_block=2, sample_size=512,
        force_upcast=False)
    scheduler = PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
                              steps_offset=1)
    pipeline = StableDiffusionPipeline(
        autoencoder, CLIPTextModel(text), tokenizer, unet, scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)
    pipeline.to(torch.float16).save_pretrained(folder)


def tiny_pipeline():
    pipeline = DDPMPipeline(tiny(), DDPMScheduler(1000))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def laid_out(value, layout):
    return value.to(memory_format=torch.channels_last) if layout == "channels-last" else value


def forward(layout):
    network = laid_out(cifar(), layout)
    sample, time_steps = laid_out(torch.randn(64, 3, 32, 32), layout), torch.randint(0, 1000, (64,))

    def run():
        with torch.no_grad():
            network(sample, time_steps, return_dict=False)
    return run, run


def train(layout):
    network = laid_out(cifar(), layout).train()
    sample, target = (laid_out(torch.randn(32, 3, 32, 32), layout) for _ in range(2))
    time_steps = torch.randint(0, 1000, (32,))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(network(sample, time_steps, return_dict=False)[0], target)
        loss.backward()
        optimizer.step()
    return run, run


def thousand(layout):
    pipeline = tiny_pipeline()
    laid_out(pipeline.unet, layout)

    def run(steps=1000):
        pipeline(batch_size=16, generator=torch.Generator().manual_seed(0), num_inference_steps=steps,
                 output_type="np")
    return run, lambda: run(50)


def k_diffusion():
    """k_diffusion/sampling.py alone; what it imports beside torch is not needed by the samplers here."""
    import importlib.util
    import types
    path = os.environ.get("LANGEVIN_K_DIFFUSION")
    if not path:
        raise SystemExit("peers: set LANGEVIN_K_DIFFUSION to k-diffusion's k_diffusion/sampling.py")
    package = types.ModuleType("k_diffusion")
    package.__path__ = []
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, rank: x[(...,) + (None,) * (rank - x.ndim)]
    package.utils = utils
    for name in ("torchdiffeq", "torchsde", "tqdm", "tqdm.auto", "scipy"):
        if importlib.util.find_spec(name.split(".")[0]) is None:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].odeint = None
            sys.modules[name].trange = lambda *bounds, **_: range(*bounds)
            sys.modules[name].tqdm = lambda x, **_: x
    sys.modules.update({"k_diffusion": package, "k_diffusion.utils": utils})
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["k_diffusion.sampling"] = module
    spec.loader.exec_module(module)
    return module


def solver(function):
    """One hundred steps on a [64, 3, 32, 32] sample; the model hands out a tensor that it has at hand."""
    def work(_):
        sampling = k_diffusion()
        sigmas = sampling.get_sigmas_karras(100, 0.01, 80.0)
        start, data = torch.randn(64, 3, 32, 32) * 80, torch.randn(64, 3, 32, 32)
        sampler = getattr(sampling, function)

        def run():
            with torch.no_grad():
                sampler(lambda x, sigma, **_: data, start, sigmas, disable=True)
        return run, run
    return work


WORKS = {"ddpm-cifar-forward": forward, "ddpm-cifar-train": train, "tiny-1000": thousand,
         "solver-euler": solver("sample_euler"), "solver-heun": solver("sample_heun"),
         "solver-lms": solver("sample_lms"), "solver-dpmpp-2m": solver("sample_dpmpp_2m"),
         "solver-euler-a": solver("sample_euler_ancestral")}


def serve():
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    prepared = {}
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        name, rounds = words[0], int(words[1]) if len(words) > 1 else 1
        if name not in prepared:
            work, _, layout = name.partition(":")
            prepared[name], warm = WORKS[work](layout or "nchw")
            warm()
        for _ in range(rounds):
            begun = time.perf_counter()
            prepared[name]()
            print(f"{(time.perf_counter() - begun) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["folder"]:
        torch.manual_seed(0)
        tiny_pipeline().save_pretrained(sys.argv[2])
    elif sys.argv[1:2] == ["folder-sd15"]:
        torch.manual_seed(0)
        write_sd15(sys.argv[2])
    else:
        serve()
