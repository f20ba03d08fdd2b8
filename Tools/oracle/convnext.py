"""The annotated ConvNeXt U-Net (MISSION D1), written from the published formulas, as reference and as a count.

Writes small networks with forward and gradients, and `convnext-counts.json`: the parameter count of every module
of the full network (dim 28, one channel), checked here against the figures that S4's table prints.
"""
import json
import math
import os

import torch
from torch import nn

from common import Draw, arguments, write

# S4's table, rows 3-1 to 3-39 that hold parameters; a row is a module below with its own count.
TABLE = {
    "init_conv": 900, "time_mlp.1": 3248, "time_mlp.3": 12656,
    "downs.0.0": 26882, "downs.0.1": 33040, "downs.0.2": 14476, "downs.0.3": 12572,
    "downs.1.0": 91308, "downs.1.1": 122528, "downs.1.2": 28952, "downs.1.3": 50232,
    "downs.2.0": 355096, "downs.2.1": 470848, "downs.2.2": 57904,
    "ups.0.0": 332192, "ups.0.1": 122528, "ups.0.2": 28952, "ups.0.3": 50232,
    "ups.1.0": 92400, "ups.1.1": 33040, "ups.1.2": 14476, "ups.1.3": 12572,
    "mid_block1.mlp.1": 12656, "mid_block1.ds_conv": 5600, "mid_block1.net.0": 224, "mid_block1.net.1": 226016,
    "mid_block1.net.3": 448, "mid_block1.net.4": 225904,
    "mid_attn.fn.fn": 57456, "mid_attn.fn.norm": 224,
    "mid_block2.mlp.1": 12656, "mid_block2.ds_conv": 5600, "mid_block2.net.0": 224, "mid_block2.net.1": 226016,
    "mid_block2.net.3": 448, "mid_block2.net.4": 225904,
    "final_conv.0.ds_conv": 1400, "final_conv.0.net": 28476, "final_conv.1": 29,
}
TOTAL = 2_996_315


class Sinusoid(nn.Module):
    """sin and cos of t / 10000^(k / (d/2 - 1))."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, time):
        half = self.dim // 2
        rates = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        angles = time[:, None] * rates[None, :]
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Block(nn.Module):
    """ConvNeXt block: depthwise 7x7, the time added per channel, two 3x3 convolutions, a residual."""

    def __init__(self, dim, out, time=None, mult=2):
        super().__init__()
        self.mlp = None if time is None else nn.Sequential(nn.GELU(), nn.Linear(time, dim))
        self.ds_conv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.net = nn.Sequential(
            nn.GroupNorm(1, dim), nn.Conv2d(dim, out * mult, 3, padding=1), nn.GELU(),
            nn.GroupNorm(1, out * mult), nn.Conv2d(out * mult, out, 3, padding=1))
        self.res_conv = nn.Identity() if dim == out else nn.Conv2d(dim, out, 1)

    def forward(self, x, time=None):
        h = self.ds_conv(x)
        if self.mlp is not None:
            h = h + self.mlp(time)[:, :, None, None]
        return self.net(h) + self.res_conv(x)


class Attention(nn.Module):
    """Full attention over the pixels."""

    def __init__(self, dim, heads=4, size=32):
        super().__init__()
        self.heads, self.size = heads, size
        self.to_qkv = nn.Conv2d(dim, 3 * heads * size, 1, bias=False)
        self.to_out = nn.Conv2d(heads * size, dim, 1)

    def split(self, x):
        return (part.reshape(x.shape[0], self.heads, self.size, -1) for part in self.to_qkv(x).chunk(3, dim=1))

    def forward(self, x):
        q, k, v = self.split(x)
        weights = torch.softmax((q * self.size**-0.5).transpose(-1, -2) @ k, dim=-1)
        mixed = (weights @ v.transpose(-1, -2)).transpose(-1, -2)
        return self.to_out(mixed.reshape(x.shape[0], -1, *x.shape[2:]))


class LinearAttention(Attention):
    """Attention whose cost grows with the number of pixels: softmax of q over features, of k over pixels."""

    def __init__(self, dim, heads=4, size=32):
        super().__init__(dim, heads, size)
        self.to_out = nn.Sequential(nn.Conv2d(heads * size, dim, 1), nn.GroupNorm(1, dim))

    def forward(self, x):
        q, k, v = self.split(x)
        q, k = q.softmax(dim=-2) * self.size**-0.5, k.softmax(dim=-1)
        context = k @ v.transpose(-1, -2)
        return self.to_out((context.transpose(-1, -2) @ q).reshape(x.shape[0], -1, *x.shape[2:]))


class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.fn = fn
        self.norm = nn.GroupNorm(1, dim)

    def forward(self, x):
        return self.fn(self.norm(x))


class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return x + self.fn(x)


class Unet(nn.Module):
    """The up path mirrors every level but the first, so the first skip connection is never used."""

    def __init__(self, dim, init_dim=None, out_dim=None, dim_mults=(1, 2, 4), channels=1, heads=4, head_size=32):
        super().__init__()
        first = init_dim or dim // 3 * 2
        widths = [first] + [dim * factor for factor in dim_mults]
        pairs = list(zip(widths[:-1], widths[1:]))
        time = 4 * dim

        def attention(kind, width):
            return Residual(PreNorm(width, kind(width, heads, head_size)))

        self.init_conv = nn.Conv2d(channels, first, 7, padding=3)
        self.time_mlp = nn.Sequential(Sinusoid(dim), nn.Linear(dim, time), nn.GELU(), nn.Linear(time, time))
        self.downs = nn.ModuleList()
        for index, (a, b) in enumerate(pairs):
            last = index == len(pairs) - 1
            self.downs.append(nn.ModuleList([
                Block(a, b, time), Block(b, b, time), attention(LinearAttention, b),
                nn.Identity() if last else nn.Conv2d(b, b, 4, 2, 1)]))
        self.mid_block1 = Block(widths[-1], widths[-1], time)
        self.mid_attn = attention(Attention, widths[-1])
        self.mid_block2 = Block(widths[-1], widths[-1], time)
        self.ups = nn.ModuleList()
        for a, b in reversed(pairs[1:]):
            self.ups.append(nn.ModuleList([
                Block(2 * b, a, time), Block(a, a, time), attention(LinearAttention, a),
                nn.ConvTranspose2d(a, a, 4, 2, 1)]))
        self.final_conv = nn.Sequential(Block(dim, dim), nn.Conv2d(dim, out_dim or channels, 1))

    def forward(self, x, time):
        x, time = self.init_conv(x), self.time_mlp(time)
        skips = []
        for first, second, attention, down in self.downs:
            x = attention(second(first(x, time), time))
            skips.append(x)
            x = down(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, time)), time)
        for first, second, attention, up in self.ups:
            x = torch.cat([x, skips.pop()], dim=1)
            x = up(attention(second(first(x, time), time)))
        return self.final_conv(x)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def counts():
    """Module name → parameters, for every module that S4 lists (and all others) of the full network."""
    network = Unet(dim=28, channels=1)
    found = {name: count(module) for name, module in network.named_modules() if name and count(module)}
    for name, expected in TABLE.items():
        assert found[name] == expected, f"{name}: {found[name]} parameters, the table says {expected}"
    assert count(network) == TOTAL == sum(TABLE.values()), count(network)
    return {"configuration": {"dim": 28, "init_dim": 18, "dim_mults": [1, 2, 4], "channels": 1}, "total": TOTAL,
            "table": TABLE, "modules": found,
            "parameters": {name: list(value.shape) for name, value in network.named_parameters()}}


def randomise(network, draw):
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = draw.normal(*parameter.shape, dtype=torch.float32)
            if parameter.ndim > 1:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_((1 if name.endswith("weight") else 0) + 0.2 * noise)
    return network


def reference(draw, index):
    mults = draw.one([1, 2, 4], [1, 2, 2]) if index % 2 else draw.one([1, 2], [1, 3], [1, 1])
    settings = dict(dim=draw.one(4, 6, 8), dim_mults=mults, channels=draw.integer(1, 3))
    if draw.chance(0.5):
        settings["init_dim"] = draw.integer(2, 7)
    network = randomise(Unet(heads=4, head_size=32, **settings), draw)
    halvings = 2 ** (len(mults) - 1)
    batch = draw.integer(1, 2)
    sample = draw.normal(batch, settings["channels"], halvings * draw.integer(2, 3), halvings * draw.integer(2, 3),
                         dtype=torch.float32)
    time = torch.tensor([draw.integer(0, 199) for _ in range(batch)])
    leaf = sample.clone().requires_grad_()
    output = network(leaf, time)
    cotangent = draw.normal(*output.shape, dtype=torch.float32)
    loss = (output * cotangent).mean()
    loss.backward()
    tensors = {"input.sample": sample, "input.timestep": time, "input.cotangent": cotangent,
               "output.sample": output, "output.loss": loss, "gradient.sample": leaf.grad}
    for name, parameter in network.named_parameters():
        tensors["weight." + name] = parameter
        tensors["gradient." + name] = parameter.grad
    parameters = count(network)
    with torch.no_grad():
        sinusoid = network.time_mlp[0]
        network.double()
        sinusoid.register_forward_hook(lambda module, given, result: result.double())
        tensors["output64.sample"] = network(sample.double(), time)
    return tensors, {"configuration": settings, "parameters": parameters}


def main():
    options = arguments(__doc__, cases=2, limit=980)
    with open(os.path.join(options.out, "convnext-counts.json"), "w") as file:
        json.dump(counts(), file, indent=1)
    index = attempt = 0
    while index < options.cases:
        tensors, case = reference(Draw(options.seed, f"convnext/{attempt}"), index)
        attempt += 1
        if sum(t.numel() * t.element_size() for t in tensors.values()) > options.limit * 1024:
            continue
        write(options.out, f"convnext-{options.seed}-{index}", tensors, {"seed": options.seed, "class": "Unet", **case})
        index += 1


if __name__ == "__main__":
    main()
