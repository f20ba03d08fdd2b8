"""The multilayer perceptron on points, written from its formula, as reference forward and gradients.

h0 = input(x); c = silu(time_embedding(sinusoids(t)) + class); h = h + silu(linear(h) + time_emb_proj(c)) for each
layer; the output is a linear function of the last h.
"""
import math

import torch
from torch import nn
from torch.nn import functional

from common import Draw, arguments, passed, write


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.time_emb_proj = nn.Linear(width, width)

    def forward(self, h, c):
        return h + functional.silu(self.linear(h) + self.time_emb_proj(c))


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear_1 = nn.Linear(width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x):
        return self.linear_2(functional.silu(self.linear_1(x)))


class Perceptron(nn.Module):
    def __init__(self, dimension=2, output_dimension=None, width=128, layers=4, num_class_embeds=None):
        super().__init__()
        self.width = width
        self.input = nn.Linear(dimension, width)
        self.time_embedding = TimeEmbedding(width)
        self.class_embedding = nn.Embedding(num_class_embeds, width) if num_class_embeds else None
        self.layers = nn.ModuleList([Layer(width) for _ in range(layers)])
        self.output = nn.Linear(width, output_dimension or dimension)

    def sinusoids(self, time):
        """Sines, then cosines, of t / 10000^(k / half), in float32 whatever the network computes in."""
        half = self.width // 2
        exponents = torch.arange(half, dtype=torch.float32) * -math.log(10_000) / half
        rates = exponents.double().exp().float()
        angles = time.float()[:, None] * rates[None, :]
        return torch.cat([angles.sin(), angles.cos()] + [torch.zeros(len(time), self.width % 2)], dim=1)

    def forward(self, x, time, labels=None):
        c = self.time_embedding(self.sinusoids(time).to(x.dtype))
        if self.class_embedding is not None:
            c = c + self.class_embedding(labels)
        c, h = functional.silu(c), self.input(x)
        for layer in self.layers:
            h = layer(h, c)
        return self.output(h)


def reference(draw, index):
    settings = dict(dimension=draw.integer(1, 5), width=draw.integer(4, 24), layers=draw.integer(1, 4))
    if index % 2:
        settings["num_class_embeds"] = draw.integer(2, 7)
    if draw.chance(0.5):
        settings["output_dimension"] = 2 * settings["dimension"]
    network = Perceptron(**settings)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(draw.normal(*parameter.shape, dtype=torch.float32)
                            / parameter[0].numel() ** 0.5 if parameter.ndim > 1
                            else 0.2 * draw.normal(*parameter.shape, dtype=torch.float32))
    batch = draw.integer(2, 5)
    given = {"sample": draw.normal(batch, settings["dimension"], dtype=torch.float32),
             "timestep": torch.tensor([draw.real(-2, 2) if draw.chance(0.5) else float(draw.integer(0, 999))
                                       for _ in range(batch)])}
    if "num_class_embeds" in settings:
        given["class_labels"] = torch.tensor([draw.integer(0, settings["num_class_embeds"] - 1) for _ in range(batch)])
    tensors, parameters = passed(network, given, draw)
    return tensors, {"configuration": settings, "parameters": parameters}


def main():
    options = arguments(__doc__, cases=4)
    for index in range(options.cases):
        tensors, case = reference(Draw(options.seed, f"mlp/{index}"), index)
        write(options.out, f"mlp-{options.seed}-{index}", tensors, {"seed": options.seed, "class": "MLP", **case})


if __name__ == "__main__":
    main()
