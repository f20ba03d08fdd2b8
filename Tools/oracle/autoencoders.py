"""Reference forward and gradients of random small AutoencoderKL, VQModel and AutoencoderTiny of diffusers."""
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, VQModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from common import Draw, arguments, finite, write


def coders(draw, levels, attention):
    """The keys that AutoencoderKL and VQModel share."""
    groups = draw.one(2, 4)
    blocks = [attention and (level == levels - 1 or draw.chance(0.3)) for level in range(levels)]
    return dict(
        in_channels=draw.integer(1, 4), out_channels=draw.integer(1, 4),
        down_block_types=["AttnDownEncoderBlock2D" if has else "DownEncoderBlock2D" for has in blocks],
        up_block_types=["AttnUpDecoderBlock2D" if has else "UpDecoderBlock2D" for has in reversed(blocks)],
        block_out_channels=[4 * draw.integer(2, 5) for _ in range(levels)], layers_per_block=draw.integer(1, 2),
        act_fn=draw.one("silu", "swish", "gelu", "mish", "relu"), norm_num_groups=groups,
        mid_block_add_attention=True)


def kl_settings(draw, index):
    """Stable Diffusion's kind, Stable Diffusion 3's kind, and one with attention in its blocks."""
    levels = (3, 2, 2)[index % 3]
    result = coders(draw, levels, attention=index % 3 == 2)
    result["sample_size"] = 2 ** (levels - 1) * draw.one(4, 8)
    result["latent_channels"] = (4, 16, draw.integer(1, 5))[index % 3]
    if index % 3 == 1:
        result.update(use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=draw.chance(0.5),
                      shift_factor=draw.real(-1, 1), scaling_factor=draw.real(0.5, 2))
    return result


def vq_settings(draw, index):
    """Attention at the last level, codes of another width than latents, and norms that read the codes."""
    result = coders(draw, 2, attention=index % 3 == 0)
    latent = draw.integer(2, 5)
    result.update(latent_channels=latent, num_vq_embeddings=draw.integer(8, 32))
    if index % 3 == 1:
        result["vq_embed_dim"] = latent + draw.integer(1, 3)
    if index % 3 == 2:
        result.update(norm_type="spatial", block_out_channels=[32, 32], layers_per_block=1)
        result["up_block_types"] = ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"]
    return result


def tiny_settings(draw, index):
    levels = draw.integer(2, 3)
    return dict(
        in_channels=draw.integer(1, 4), out_channels=draw.integer(1, 4), act_fn=draw.one("relu", "gelu", "mish", "silu"),
        encoder_block_out_channels=[draw.integer(3, 9)] * levels,
        decoder_block_out_channels=[draw.integer(3, 9)] * levels,
        num_encoder_blocks=[draw.integer(0, 2) for _ in range(levels)],
        num_decoder_blocks=[draw.integer(0, 2) for _ in range(levels)], latent_channels=draw.integer(2, 16),
        upsample_fn=("nearest", "bilinear")[index % 2])


def draw_weights(network, seed):
    """Parameters that keep activations near one, drawn one after the other in the order of their names, so that
    a file needs to hold only the seed."""
    generator = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.2 * noise + (1 if name.endswith("weight") else 0))
    return network.eval()


def both(network, run):
    """The outputs in float32, and under `output64.` in float64."""
    tensors = {"output." + name: value for name, value in run(torch.float32).items()}
    network.double()
    with torch.no_grad():
        wide = run(torch.float64)
    network.float()
    tensors.update({"output64." + name: value for name, value in wide.items() if value.is_floating_point()})
    return tensors


def pullback(output, leaf, cotangent, *extra):
    """The gradient of the mean of output · cotangent, and of what is added to it."""
    loss = (output * cotangent).mean() + sum(extra)
    return torch.autograd.grad(loss, leaf)


def kl(settings, draw, network):
    scale = 2 ** (len(settings["block_out_channels"]) - 1)
    channels, latent = settings["in_channels"], settings["latent_channels"]
    height, width = draw.integer(2, 4), draw.integer(2, 4)
    tile = settings["sample_size"]
    inputs = {
        "pictures": (2, channels, scale * height, scale * width), "latents": (2, latent, height, width),
        "large": (1, channels, tile + scale * draw.integer(1, 7), tile + scale * draw.integer(1, 9)),
        "large_latents": (1, latent, tile // scale + draw.integer(1, 7), tile // scale + draw.integer(1, 7)),
    }
    inputs = {name: draw.normal(*shape, dtype=torch.float32) for name, shape in inputs.items()}

    def run(dtype):
        x = {name: value.to(dtype) for name, value in inputs.items()}
        network.disable_tiling()
        result = {"moments": network.encode(x["pictures"]).latent_dist.parameters,
                  "pictures": network.decode(x["latents"]).sample}
        network.enable_tiling()
        with torch.no_grad():
            result["large_moments"] = network.encode(x["large"]).latent_dist.parameters
            result["large_pictures"] = network.decode(x["large_latents"]).sample
        network.disable_tiling()
        return result

    tensors = both(network, run)
    pictures, latents = inputs["pictures"].clone().requires_grad_(), inputs["latents"].clone().requires_grad_()
    for leaf, name, output in [(pictures, "pictures", network.encode(pictures).latent_dist.parameters),
                               (latents, "latents", network.decode(latents).sample)]:
        inputs["cotangent." + name] = draw.normal(*output.shape, dtype=torch.float32)
        tensors["gradient." + name], = pullback(output, leaf, inputs["cotangent." + name])
    return tensors, inputs


def vq(settings, draw, network):
    scale = 2 ** (len(settings["block_out_channels"]) - 1)
    height, width = draw.integer(2, 4), draw.integer(2, 4)
    code = settings.get("vq_embed_dim") or settings["latent_channels"]
    inputs = {
        "pictures": draw.normal(2, settings["in_channels"], scale * height, scale * width, dtype=torch.float32),
        "latents": draw.normal(2, code, height, width, dtype=torch.float32),
    }
    rows = inputs["latents"].permute(0, 2, 3, 1).reshape(-1, code)
    nearest = torch.cdist(rows.double(), network.quantize.embedding.weight.double()).sort(1).values
    if (nearest[:, 1] - nearest[:, 0]).min() < 1e-3:
        return None  # rounding would choose

    def run(dtype):
        x = {name: value.to(dtype) for name, value in inputs.items()}
        decoded = network.decode(x["latents"])
        indices = network.quantize(x["latents"])[2][2].reshape(2, height, width)
        return {"latents": network.encode(x["pictures"]).latents, "pictures": decoded.sample,
                "legacy_loss": decoded.commit_loss, "indices": indices,
                "unquantized": network.decode(x["latents"], force_not_quantize=True).sample}

    tensors = both(network, run)
    latents = inputs["latents"].clone().requires_grad_()
    decoded = network.decode(latents)
    inputs["cotangent"] = draw.normal(*decoded.sample.shape, dtype=torch.float32)
    leaves = (latents, network.quantize.embedding.weight)
    tensors["gradient.latents"], tensors["gradient.codebook"] = pullback(
        decoded.sample, leaves, inputs["cotangent"], decoded.commit_loss)
    return tensors, inputs


def tiny(settings, draw, network):
    scale = 2 ** (len(settings["num_encoder_blocks"]) - 1)
    height, width = draw.integer(2, 4), draw.integer(2, 4)
    inputs = {
        "pictures": draw.normal(2, settings["in_channels"], scale * height, scale * width, dtype=torch.float32),
        "latents": 3 * draw.normal(2, settings["latent_channels"], height, width, dtype=torch.float32),
    }

    def run(dtype):
        return {"latents": network.encode(inputs["pictures"].to(dtype)).latents,
                "pictures": network.decode(inputs["latents"].to(dtype)).sample}

    return both(network, run), inputs


def write_posterior(options):
    """Distributions with log-variances on both sides of the clamp."""
    draw = Draw(options.seed, "posterior")
    first, other = (draw.normal(3, 4, 2, 3) * torch.tensor([1.0, 1, 20, 20], dtype=torch.float64).reshape(1, 4, 1, 1)
                    for _ in range(2))
    a, b = DiagonalGaussianDistribution(first), DiagonalGaussianDistribution(other / 4)
    sampled = draw.normal(3, 2, 2, 3)
    seed = draw.integer(0, 2**31)
    tensors = {
        "moments": first, "other": other / 4, "values": sampled, "mean": a.mean, "log_variance": a.logvar,
        "sample": a.sample(torch.Generator("cpu").manual_seed(seed)), "divergence": a.kl(),
        "divergence_from_other": a.kl(b), "negative_log_likelihood": b.nll(sampled),
    }
    write(options.out, f"posterior-{options.seed}", tensors, {"seed": options.seed, "noise": seed})


def main():
    options = arguments(__doc__, cases=3)
    kinds = [("kl", AutoencoderKL, kl_settings, kl), ("vq", VQModel, vq_settings, vq),
             ("tiny", AutoencoderTiny, tiny_settings, tiny)]
    for prefix, kind, configuration, reference in kinds:
        index = attempt = 0
        while index < options.cases:
            draw = Draw(options.seed, f"{prefix}/{attempt}")
            attempt += 1
            settings = configuration(draw, index)
            seed = draw.integer(0, 2**31)
            network = draw_weights(kind(**settings), seed)
            made = reference(settings, draw, network)
            if made is None or not finite(*made[0].values()):
                continue
            tensors, inputs = made
            tensors.update({"input." + name: value for name, value in inputs.items()})
            shapes = {name: list(parameter.shape) for name, parameter in network.named_parameters()}
            write(options.out, f"{prefix}-{options.seed}-{index}", tensors,
                  {"seed": options.seed, "class": kind.__name__, "configuration": settings, "weights": seed,
                   "shapes": shapes, "parameters": network.num_parameters()})
            index += 1
    write_posterior(options)


if __name__ == "__main__":
    main()
