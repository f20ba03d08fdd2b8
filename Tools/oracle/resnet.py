"""The fully convolutional residual network, written from its formula, as reference forward and gradients.

h0 = conv_in(x); c = silu(time_embedding(sinusoids(t)) + class);
h = h + conv2(silu(norm2(conv1(silu(norm1(h))) + time_emb_proj(c)))) for each block; the output is
conv_out(silu(conv_norm_out(h))).
"""
import math

import torch
from torch import nn
from torch.nn.functional import silu

from common import Draw, arguments, passed, write


class Block(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * width, width)
        self.norm2 = nn.GroupNorm(groups, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h, c):
        inner = self.conv1(silu(self.norm1(h))) + self.time_emb_proj(c)[:, :, None, None]
        return h + self.conv2(silu(self.norm2(inner)))


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear_1 = nn.Linear(width, 4 * width)
        self.linear_2 = nn.Linear(4 * width, 4 * width)

    def forward(self, x):
        return self.linear_2(silu(self.linear_1(x)))


class ResNet(nn.Module):
    def __init__(self, in_channels, width, layers, norm_num_groups, out_channels=None, num_class_embeds=None):
        super().__init__()
        self.width = width
        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        self.time_embedding = TimeEmbedding(width)
        self.class_embedding = nn.Embedding(num_class_embeds, 4 * width) if num_class_embeds else None
        self.blocks = nn.ModuleList([Block(width, norm_num_groups) for _ in range(layers)])
        self.conv_norm_out = nn.GroupNorm(norm_num_groups, width)
        self.conv_out = nn.Conv2d(width, out_channels or in_channels, 3, padding=1)

    def sinusoids(self, time):
        """Sines, then cosines, of t / 10000^(k / half), in float32 whatever the network computes in."""
        half = self.width // 2
        exponents = torch.arange(half, dtype=torch.float32) * -math.log(10_000) / half
        angles = time.float()[:, None] * exponents.double().exp().float()[None, :]
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def forward(self, x, time, labels=None):
        c = self.time_embedding(self.sinusoids(time).to(x.dtype))
        if self.class_embedding is not None:
            c = c + self.class_embedding(labels)
        c, h = silu(c), self.conv_in(x)
        for block in self.blocks:
            h = block(h, c)
        return self.conv_out(silu(self.conv_norm_out(h)))


def reference(draw, index):
    groups = draw.integer(1, 2)
    settings = dict(in_channels=draw.integer(1, 4), width=4 * groups, layers=draw.integer(1, 3), norm_num_groups=groups)
    if index % 2:
        settings["num_class_embeds"] = draw.integer(2, 7)
    if draw.chance(0.5):
        settings["out_channels"] = 2 * settings["in_channels"]
    network = ResNet(**settings)
    with torch.no_grad():
        for parameter in network.parameters():
            values = draw.normal(*parameter.shape, dtype=torch.float32)
            parameter.copy_(values / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.2 * values)
    batch = draw.integer(2, 3)
    given = {"sample": draw.normal(batch, settings["in_channels"], draw.integer(3, 7), draw.integer(3, 7),
                                   dtype=torch.float32),
             "timestep": torch.tensor([float(draw.integer(0, 999)) for _ in range(batch)])}
    if "num_class_embeds" in settings:
        given["class_labels"] = torch.tensor([draw.integer(0, settings["num_class_embeds"] - 1) for _ in range(batch)])
    tensors, parameters = passed(network, given, draw)
    return tensors, {"configuration": settings, "parameters": parameters}


def main():
    options = arguments(__doc__, cases=4)
    for index in range(options.cases):
        tensors, case = reference(Draw(options.seed, f"resnet/{index}"), index)
        write(options.out, f"resnet-{options.seed}-{index}", tensors, {"seed": options.seed, "class": "ResNet", **case})


if __name__ == "__main__":
    main()
