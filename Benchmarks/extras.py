"""What is laid beside a step costs: live adapters and control networks; and what the hub's cache adds to a start.

    extras.py live --program .build/release/langevin --work FOLDER [--pairs 15] [--size 256] [--dtype bfloat16] [--every-layer]
    extras.py control …
    extras.py hub …

A pair is a run without and a run with, in turns first; a figure is the median over pairs of the ratio (or difference) in a pair,
with the quartiles. Models have the sizes of Stable Diffusion 1.5 and random weights, and are written to FOLDER where they are not
there. One thread each. `control` asks diffusers the same, its U-Net and its control network in this process.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(os.path.dirname(HERE), "Tools", "oracle")
PROMPT = ["generate", "a red apple", "--threads", "1", "--seed", "3", "--guidance", "5"]


# --- models ------------------------------------------------------------------------------------------------------


def prepared(folder, name, make):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        print(f"extras: writing {path}", file=sys.stderr)
        make(path)
    return path


def model(path):
    """Stable Diffusion 1.5's U-Net in bfloat16 between a small text encoder and a small autoencoder."""
    import torch
    import transformers
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    torch.manual_seed(1)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768).to(torch.bfloat16)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4)
    words = os.path.join(os.path.dirname(HERE), "Tests", "Fixtures", "tokenizers", "clip-sd1")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(words)
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=768, intermediate_size=768, num_hidden_layers=1, num_attention_heads=12,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id))
    StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=DDIMScheduler(), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False).save_pretrained(path)


def control(path):
    """A control network of Stable Diffusion 1.5's size in bfloat16, no weight zero."""
    import torch
    from diffusers import ControlNetModel
    torch.manual_seed(2)
    network = ControlNetModel(cross_attention_dim=768)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.01)
    network.to(torch.bfloat16).save_pretrained(path)


def adapter(model, every):
    """Rank 16 at the layers that scripts of the field train: of attention, or those and feed-forward, projections and kernels."""
    def make(path):
        import torch
        from safetensors import safe_open
        from safetensors.torch import save_file
        generator, tensors = torch.Generator().manual_seed(3), {}
        weights = os.path.join(model, "unet", "diffusion_pytorch_model.safetensors")
        with safe_open(weights, "pt") as file:
            for name in file.keys():
                shape = file.get_slice(name).get_shape()
                of_attention = any(part in name for part in (".to_q.", ".to_k.", ".to_v.", ".to_out.0."))
                if not name.endswith(".weight") or len(shape) < 2 or not (every or of_attention):
                    continue
                layer = "unet." + name.removesuffix(".weight")
                tensors[layer + ".lora_A.weight"] = torch.randn(16, *shape[1:], generator=generator) * 0.01
                tensors[layer + ".lora_B.weight"] = torch.randn(shape[0], 16, *[1] * (len(shape) - 2), generator=generator) * 0.01
        save_file(tensors, path)
    return make


def picture(size):
    def make(path):
        import numpy
        import PIL.Image
        PIL.Image.fromarray(numpy.random.default_rng(4).integers(0, 255, (size, size, 3), dtype=numpy.uint8)).save(path)
    return make


# --- measuring ---------------------------------------------------------------------------------------------------


def step(program, arguments, steps):
    """Seconds of a step of the program."""
    done = subprocess.run([program, *arguments, "--steps", str(steps), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["seconds"]["sample"] / steps


def in_pairs(count, sides):
    """The sides' figures in turns, forwards and backwards; a first round is not counted."""
    rounds = []
    for index in range(count + 1):
        order = list(sides) if index % 2 else list(reversed(sides))
        found = {side: sides[side]() for side in order}
        if index:
            rounds.append(found)
            print("  " + ", ".join(f"{side} {found[side]:.4f}" for side in sides), file=sys.stderr, flush=True)
    return rounds


def say(name, values, unit=""):
    low, middle, high = statistics.quantiles(values, n=4)
    print(f"{name}: {middle:.4f}{unit} (quartiles {low:.4f} to {high:.4f}, {len(values)} pairs)")


def live(options, folder, unet, request):
    """A step with a live adapter beside a step without."""
    name = "every.safetensors" if options.every_layer else "attention.safetensors"
    lora = prepared(folder, name, adapter(unet, options.every_layer))
    rounds = in_pairs(options.pairs, {
        "base": lambda: step(options.program, request, options.steps),
        "live": lambda: step(options.program, [*request, "--lora", lora, "--lora-live"], options.steps)})
    say("live ÷ base", [found["live"] / found["base"] for found in rounds])


def theirs(options, unet, network):
    """Steps of diffusers: the U-Net, and the control network before it."""
    import torch
    from diffusers import ControlNetModel, UNet2DConditionModel
    torch.set_num_threads(1)
    kind = getattr(torch, options.dtype)
    unet = UNet2DConditionModel.from_pretrained(unet, subfolder="unet", torch_dtype=kind)
    network = ControlNetModel.from_pretrained(network, torch_dtype=kind)
    side = options.size // 8
    x, context = torch.randn(2, 4, side, side, dtype=kind), torch.randn(2, 77, 768, dtype=kind)
    shown = torch.rand(2, 3, options.size, options.size, dtype=kind)

    def timed(controlled):
        start = time.monotonic()
        for time_step in range(options.steps):
            more = {}
            if controlled:
                down, middle = network(x, 500 - time_step, context, controlnet_cond=shown, return_dict=False)
                more = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
            unet(x, 500 - time_step, context, return_dict=False, **more)
        return (time.monotonic() - start) / options.steps

    return torch.inference_mode()(timed)


def controlled(options, folder, unet, request):
    """A step under control beside a step without, ours and diffusers'."""
    network = prepared(folder, "controlnet", control)
    shown = prepared(folder, f"shown-{options.size}.png", picture(options.size))
    timed = theirs(options, unet, network)
    rounds = in_pairs(options.pairs, {
        "ours": lambda: step(options.program, request, options.steps),
        "ours, controlled": lambda: step(
            options.program, [*request, "--controlnet", network, "--control", shown], options.steps),
        "theirs": lambda: timed(False), "theirs, controlled": lambda: timed(True)})
    for side in ("ours", "theirs"):
        say(f"{side}, controlled ÷ {side}", [found[f"{side}, controlled"] / found[side] for found in rounds])
    say("ours ÷ theirs, controlled", [found["ours, controlled"] / found["theirs, controlled"] for found in rounds])


def hub(options, folder):
    """The start of a model of the hub's cache beside the same folder."""
    sys.path.append(ORACLE)
    from hub_server import HubServer
    plain = os.path.join(folder, "emoji")
    if not os.path.exists(plain):
        source = os.path.join(os.path.dirname(HERE), "models", "emoji.safetensors")
        subprocess.run([options.program, "convert", source, plain], check=True, capture_output=True)
    cache = os.path.join(folder, "cache")
    with HubServer({"org/name": plain}) as server:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        env = {**own, "HF_ENDPOINT": server.address, "HF_HOME": cache, "HF_HUB_DISABLE_TELEMETRY": "1"}
        commit = server.repositories["org/name"].commit

        def run(arguments):
            return subprocess.run([options.program, *arguments], env=env, check=True, capture_output=True)

        def start(model, *more):
            def timed():
                begin = time.monotonic()
                run(["inspect", model, "--json", *more])
                return time.monotonic() - begin
            return timed

        # Weights come with the first picture; opening a model, which is what differs, is all of an inspection.
        run([*PROMPT, "--model", "org/name", "--steps", "1", "-o", os.path.join(folder, "start.png")])
        rounds = in_pairs(options.pairs, {
            "folder": start(plain), "branch": start("org/name"), "commit": start(f"org/name@{commit}"),
            "offline": start("org/name", "--offline")})
    for side in ("branch", "commit", "offline"):
        say(f"{side} − folder", [1000 * (found[side] - found["folder"]) for found in rounds], " ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["live", "control", "hub"])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True, help="a folder for models, 3 GB")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--every-layer", action="store_true", help="of live: all matrices and kernels, not attention's alone")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    if options.what == "hub":
        return hub(options, options.work)
    unet = prepared(options.work, "model", model)
    request = [
        *PROMPT, "--model", unet, "--width", str(options.size), "--height", str(options.size), "--dtype", options.dtype,
        "-o", os.path.join(options.work, "made.safetensors")]
    {"live": live, "control": controlled}[options.what](options, options.work, unet, request)


if __name__ == "__main__":
    main()
