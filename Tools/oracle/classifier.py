"""The classifier of noisy pictures: diffusers' blocks for the way down and the middle, and pools written anew, as reference
forward and gradients.

The attention pool is a query of the mean of all places (each with a place of its own added) to the mean and all places,
in heads, then one layer; the average pool is a layer on the mean of all places.
"""
import torch
from diffusers import UNet2DModel
from torch import nn
from torch.nn.functional import silu, softmax

from common import Draw, arguments, passed, write
from unet import randomise


class AttentionPool(nn.Module):
    def __init__(self, width, head, places, outputs):
        super().__init__()
        self.head = head
        self.positional_embedding = nn.Parameter(torch.zeros(places + 1, width))
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, outputs)])

    def forward(self, x):
        tokens = x.flatten(2).mT
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.positional_embedding
        queries, keys, values = self.to_q(tokens[:, 0]), self.to_k(tokens), self.to_v(tokens)
        mixed = []
        for first in range(0, queries.shape[1], self.head):
            part = slice(first, first + self.head)
            scores = torch.einsum("bc,bnc->bn", queries[:, part], keys[..., part]) / self.head ** 0.5
            mixed.append(torch.einsum("bn,bnc->bc", softmax(scores, -1), values[..., part]))
        return self.to_out[0](torch.cat(mixed, 1))


class AveragePool(nn.Module):
    def __init__(self, width, outputs):
        super().__init__()
        self.proj = nn.Linear(width, outputs)

    def forward(self, x):
        return self.proj(x.mean((2, 3)))


class Classifier(nn.Module):
    """The network of a configuration as this project's config.json has it."""

    def __init__(self, num_classes, pool, time_features=None, **settings):
        super().__init__()
        assert time_features is None, "diffusers' networks have no such width"
        widths, size = settings["block_out_channels"], settings["sample_size"]
        height, breadth = (size, size) if isinstance(size, int) else size
        whole = UNet2DModel(
            up_block_types=["UpBlock2D"] * len(widths), attn_norm_num_groups=settings["norm_num_groups"], **settings)
        self.parts = [whole.time_proj]
        self.time_embedding, self.conv_in = whole.time_embedding, whole.conv_in
        self.down_blocks, self.mid_block = whole.down_blocks, whole.mid_block
        self.conv_norm_out = nn.GroupNorm(settings["norm_num_groups"], widths[-1], settings["norm_eps"])
        shrunk = 2 ** (len(widths) - 1)
        places = (height // shrunk) * (breadth // shrunk)
        head = settings["attention_head_dim"] or widths[-1]
        self.pool = (AttentionPool(widths[-1], head, places, num_classes) if pool == "attention"
                     else AveragePool(widths[-1], num_classes))

    def forward(self, x, time, labels=None):
        embedded = self.time_embedding(self.parts[0](time).to(x.dtype))
        hidden = self.conv_in(x)
        for block in self.down_blocks:
            hidden = block(hidden, embedded)[0]
        hidden = self.mid_block(hidden, embedded)
        return self.pool(silu(self.conv_norm_out(hidden)))


def configuration(draw, index):
    levels = (2, 1, 3)[index % 3]
    head = draw.one(None, 2, 4)
    halvings = 2 ** (levels - 1)
    height, width = (halvings * draw.integer(2, 3) for _ in range(2))
    return dict(
        sample_size=height if height == width else [height, width], in_channels=draw.integer(1, 3),
        freq_shift=draw.one(0, 1), flip_sin_to_cos=draw.chance(0.5),
        down_block_types=[draw.one("DownBlock2D", "AttnDownBlock2D") for _ in range(levels)],
        block_out_channels=[4 * draw.integer(1, 3) for _ in range(levels)], layers_per_block=draw.integer(1, 2),
        downsample_padding=draw.one(0, 1), downsample_type=draw.one("conv", "resnet"),
        act_fn=draw.one("silu", "gelu"), attention_head_dim=head, norm_num_groups=draw.one(1, 2, 4),
        norm_eps=draw.one(1e-5, 1e-3), resnet_time_scale_shift=draw.one("default", "scale_shift"), dropout=0.0,
        num_classes=draw.integer(2, 6), pool=("attention", "average")[index % 4 == 3])


def reference(draw, index):
    settings = configuration(draw, index)
    network = randomise(Classifier(**settings), draw)
    size = settings["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    batch = draw.integer(2, 3)
    given = {"sample": draw.normal(batch, settings["in_channels"], height, width, dtype=torch.float32),
             "timestep": torch.tensor([float(draw.integer(0, 999)) for _ in range(batch)])}
    tensors, parameters = passed(network, given, draw)
    return tensors, {"configuration": settings, "parameters": parameters}


def main():
    options = arguments(__doc__, cases=4)
    for index in range(options.cases):
        tensors, case = reference(Draw(options.seed, f"classifier/{index}"), index)
        write(options.out, f"classifier-{options.seed}-{index}", tensors,
              {"seed": options.seed, "class": "UNetClassifier", **case})


if __name__ == "__main__":
    main()
