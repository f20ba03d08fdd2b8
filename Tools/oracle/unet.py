"""Reference forward and gradients of random small diffusers UNet2DModel configurations."""
import torch
from diffusers import UNet2DModel

from common import Draw, arguments, finite, write


def configuration(draw, index, extended=False):
    """A legal configuration: every option is drawn, the widths stay small. Depth, time embedding and shift go
    round with the index, so that a few cases already meet every kind."""
    levels = (2, 1, 3)[index % 3]
    groups = draw.one(1, 2, 4)
    head = draw.one(None, 2, 4, 8)
    unit = 8 if head == 8 else 4
    top = 16 if levels < 3 else 12
    widths = [unit * draw.integer(1, top // unit) for _ in range(levels)]
    shift = "scale_shift" if index % 4 == 2 else "default"
    time = "fourier" if index % 5 == 4 else "positional"
    classes = draw.integer(2, 11) if index % 2 else None
    halvings = 2 ** (levels - 1)
    height = halvings * draw.integer(2, 4)
    width = draw.one(height, halvings * draw.integer(2, 5))
    if levels == 1:
        height, width = draw.integer(3, 8), draw.integer(3, 8)
    result = dict(
        sample_size=height if height == width else [height, width],
        in_channels=draw.integer(1, 4), out_channels=draw.integer(1, 4),
        center_input_sample=draw.chance(0.3),
        time_embedding_type=time, freq_shift=draw.one(0, 1), flip_sin_to_cos=draw.chance(0.5),
        down_block_types=[draw.one("DownBlock2D", "AttnDownBlock2D") for _ in range(levels)],
        up_block_types=[draw.one("UpBlock2D", "AttnUpBlock2D") for _ in range(levels)],
        block_out_channels=widths, layers_per_block=draw.integer(1, 2),
        mid_block_scale_factor=draw.one(1, 1.4142135, 0.5), downsample_padding=draw.one(0, 1),
        act_fn=draw.one("silu", "swish", "gelu", "mish", "relu"),
        attention_head_dim=head, norm_num_groups=groups,
        attn_norm_num_groups=draw.one(None, None, groups), norm_eps=draw.one(1e-5, 1e-6, 1e-3),
        resnet_time_scale_shift=shift, add_attention=draw.chance(0.75), num_class_embeds=classes,
        dropout=0.0,
    )
    if draw.chance(0.3):
        result["time_embedding_dim"] = 4 * draw.integer(2, 9)
    if extended and classes is None:
        result["class_embed_type"] = draw.one("timestep", "identity", None)
    if extended and time == "positional" and result.get("class_embed_type") != "timestep" and draw.chance(0.3):
        result.update(time_embedding_type="learned", num_train_timesteps=40)
    return result


def randomise(network, draw):
    """Every parameter non-zero and of a size that keeps activations near one."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = draw.normal(*parameter.shape, dtype=torch.float32)
            if parameter.ndim > 1:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
            elif name.endswith("weight") and "time_proj" not in name:
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_((16 if "time_proj" in name else 0.2) * noise)
    return network.eval()


def inputs(settings, draw, batch):
    size = settings["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    sample = draw.normal(batch, settings["in_channels"], height, width, dtype=torch.float32)
    if settings["time_embedding_type"] == "fourier":
        timestep = torch.tensor([draw.real(0.05, 50) for _ in range(batch)])
    else:
        timestep = torch.tensor([draw.integer(0, (settings.get("num_train_timesteps") or 1000) - 1) for _ in range(batch)])
    labels = None
    if settings["num_class_embeds"] is not None:
        labels = torch.tensor([draw.integer(0, settings["num_class_embeds"] - 1) for _ in range(batch)])
    elif settings.get("class_embed_type") == "timestep":
        labels = torch.tensor([draw.real(0.5, 90) for _ in range(batch)])
    elif settings.get("class_embed_type") == "identity":
        width = settings.get("time_embedding_dim") or 4 * settings["block_out_channels"][0]
        labels = draw.normal(batch, width, dtype=torch.float32)
    return sample, timestep, labels


class Float64Sinusoid(torch.nn.Module):
    """diffusers' positional time projection in float64 (the class itself always works in float32)."""

    def __init__(self, original):
        super().__init__()
        self.channels, self.flip, self.shift = original.num_channels, original.flip_sin_to_cos, original.downscale_freq_shift

    def forward(self, time):
        half = self.channels // 2
        exponent = -torch.arange(half, dtype=torch.float64) * torch.log(torch.tensor(1e4, dtype=torch.float64))
        angles = time.double()[:, None] * torch.exp(exponent / (half - self.shift))[None]
        parts = [angles.cos(), angles.sin()] if self.flip else [angles.sin(), angles.cos()]
        result = torch.cat(parts, -1)
        return torch.nn.functional.pad(result, (0, self.channels % 2))


def reference(settings, draw):
    """The tensors of one case, or None where the reference itself is not finite."""
    network = randomise(UNet2DModel(**settings), draw)
    sample, timestep, labels = inputs(settings, draw, batch=draw.integer(1, 3))
    more = {} if labels is None else {"class_labels": labels}
    leaf = sample.clone().requires_grad_()
    output = network(leaf, timestep, **more).sample
    cotangent = draw.normal(*output.shape, dtype=torch.float32)
    loss = (output * cotangent).mean()
    loss.backward()
    tensors = {"input.sample": sample, "input.timestep": timestep, "input.cotangent": cotangent,
               "output.sample": output, "output.loss": loss, "gradient.sample": leaf.grad}
    if labels is not None:
        tensors["input.class_labels"] = labels
    for name, parameter in network.named_parameters():
        tensors["weight." + name] = parameter
        if parameter.requires_grad:
            tensors["gradient." + name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    with torch.no_grad():
        network.double()
        network.time_proj.register_forward_hook(lambda module, given, result: result.double())
        wide = {key: value.double() if value.is_floating_point() else value for key, value in more.items()}
        time = timestep.double() if timestep.is_floating_point() else timestep
        tensors["output64.sample"] = network(sample.double(), time, **wide).sample
        if settings["time_embedding_type"] == "positional":
            network.time_proj = Float64Sinusoid(network.time_proj)
        tensors["output64exact.sample"] = network(sample.double(), time, **wide).sample
    return (tensors, network.num_parameters()) if finite(*tensors.values()) else None


def write_cases(options, prefix, configuration):
    """Draws configurations until enough of them have a finite reference within the limit, and writes those."""
    index = attempt = 0
    while index < options.cases:
        draw = Draw(options.seed, f"{prefix}/{attempt}")
        attempt += 1
        settings = configuration(draw, index)
        made = reference(settings, draw)
        if made is None or sum(t.numel() * t.element_size() for t in made[0].values()) > options.limit * 1024:
            continue
        tensors, count = made
        write(options.out, f"{prefix}-{options.seed}-{index}", tensors,
              {"seed": options.seed, "class": "UNet2DModel", "configuration": settings, "parameters": count})
        index += 1


def main():
    options = arguments(__doc__, cases=6, limit=500, extended=False)
    write_cases(options, "unet", lambda draw, index: configuration(draw, index, options.extended))


if __name__ == "__main__":
    main()
