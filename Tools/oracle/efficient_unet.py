"""Imagen's efficient U-Net, written from the paper's appendix B (2205.11487), as reference forward and gradients.

Blocks halve before their convolutions and double after them; what the way up reads of the way down is scaled by 1/sqrt(2) and
laid beside what comes from below; attention has the context's keys and values before those of the pixels, and the time is
given the context's tokens as one vector, by attention of their mean to all of them. Later cases also have the picture of
lower resolution beside the noisy one with its noise level beside the time (section 2.5), or one of the two ways in which the
context is read.
"""
import math

import torch
from torch import nn
from torch.nn.functional import interpolate, silu

from common import Draw, arguments, passed, write


class Residual(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        return self.conv_shortcut(x) + self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))


def attended(query, key, value, heads):
    """softmax(q k^T / sqrt(d)) v, head by head, [batch, tokens, width]."""
    answers = []
    for q, k, v in zip(query.chunk(heads, -1), key.chunk(heads, -1), value.chunk(heads, -1)):
        answers.append(torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), -1) @ v)
    return torch.cat(answers, -1)


class Attention(nn.Module):
    def __init__(self, channels, head_dim, groups, context):
        super().__init__()
        self.heads = channels // head_dim
        self.group_norm = nn.GroupNorm(groups, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])
        if context:
            self.norm_cross = nn.LayerNorm(context)
            self.add_k_proj, self.add_v_proj = nn.Linear(context, channels), nn.Linear(context, channels)

    def forward(self, x, context):
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        key, value = self.to_k(tokens), self.to_v(tokens)
        if context is not None:
            normed = self.norm_cross(context)
            key, value = torch.cat([self.add_k_proj(normed), key], 1), torch.cat([self.add_v_proj(normed), value], 1)
        answer = self.to_out[0](attended(self.to_q(tokens), key, value, self.heads))
        return x + answer.transpose(1, 2).reshape(x.shape)


class Pooled(nn.Module):
    def __init__(self, width, heads, outputs):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2, self.proj = nn.LayerNorm(width), nn.LayerNorm(outputs), nn.Linear(width, outputs)
        self.pool = nn.Module()
        self.pool.positional_embedding = nn.Parameter(torch.zeros(1, width))
        self.pool.q_proj, self.pool.k_proj, self.pool.v_proj = (nn.Linear(width, width) for _ in range(3))

    def forward(self, context):
        tokens = self.norm1(context)
        mean = tokens.mean(1, keepdim=True) + self.pool.positional_embedding
        tokens = torch.cat([mean, tokens], 1)
        pooled = attended(self.pool.q_proj(mean), self.pool.k_proj(tokens), self.pool.v_proj(tokens), self.heads)
        return self.norm2(self.proj(pooled[:, 0]))


class Level(nn.Module):
    def __init__(self, inputs, channels, count, time, attends, settings):
        super().__init__()
        groups = settings["norm_num_groups"]
        self.emb_proj = nn.Linear(time, inputs)
        self.resnets = nn.ModuleList([Residual(channels if index else inputs, channels, groups) for index in range(count)])
        if attends:
            self.attention = Attention(
                channels, settings["attention_head_dim"], groups,
                settings["cross_attention_dim"] if settings.get("context_attention", True) else None)

    def forward(self, x, time, context):
        x = x + self.emb_proj(time)[:, :, None, None]
        for block in self.resnets:
            x = block(x)
        if not hasattr(self, "attention"):
            return x
        return self.attention(x, context if hasattr(self.attention, "norm_cross") else None)


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, 4 * width)

    def forward(self, x):
        return self.linear_2(silu(self.linear_1(x)))


class EfficientUNet(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.width = width = settings["width"]
        widths, time, context = [width * m for m in settings["multipliers"]], 4 * width, settings["cross_attention_dim"]
        rows = list(zip(widths, settings["residual_blocks"], settings["attention"]))
        self.context, self.low, self.level = None, None, None
        self.enlarges = settings.get("low_resolution_factor") is not None
        inputs = settings["in_channels"] * (2 if self.enlarges else 1)
        self.conv_in = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(width)
        classes = settings["num_class_embeds"]
        self.class_embedding = nn.Embedding(classes, time) if classes else None
        pools = context and settings.get("context_pooling", True)
        self.add_embedding = Pooled(context, settings["pooling_heads"], time) if pools else None
        self.noise_level_embedding = TimeEmbedding(width) if settings.get("noise_level_embedding") else None
        self.down = nn.ModuleList([Level(c, c, count, time, attends, settings) for c, count, attends in rows])
        for above, level, c in zip(widths, self.down[1:], widths[1:]):
            level.downsample = nn.Conv2d(above, c, 3, stride=2, padding=1)
        lowest = len(widths) - 1
        self.up = nn.ModuleList([
            Level(c if index == lowest else 2 * c, c, count, time, attends, settings)
            for index, (c, count, attends) in reversed(list(enumerate(rows)))])
        for level, c, above in zip(self.up, widths[::-1], widths[-2::-1]):
            level.upsample = nn.Conv2d(c, above, 3, padding=1)
        self.conv_norm_out = nn.GroupNorm(settings["norm_num_groups"], widths[0])
        self.conv_out = nn.Conv2d(widths[0], settings["out_channels"] or settings["in_channels"], 3, padding=1)

    def sinusoids(self, time):
        """Sines, then cosines, of t / 10000^(k / half), in float32 whatever the network computes in."""
        half = self.width // 2
        exponents = torch.arange(half, dtype=torch.float32) * -math.log(10_000) / half
        angles = time.float()[:, None] * exponents.double().exp().float()[None, :]
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def forward(self, x, time, labels=None):
        context = None if self.context is None else self.context.to(x.dtype)
        c = self.time_embedding(self.sinusoids(time).to(x.dtype))
        if self.class_embedding is not None:
            c = c + self.class_embedding(labels)
        if self.add_embedding is not None:
            c = c + self.add_embedding(context)
        if self.noise_level_embedding is not None:
            c = c + self.noise_level_embedding(self.sinusoids(self.level).to(x.dtype))
        if self.enlarges:
            low = interpolate(self.low.to(x.dtype), size=x.shape[2:], mode="bilinear", align_corners=False)
            x = torch.cat([x, low], 1)
        c, h, kept = silu(c), self.conv_in(x), []
        for level in self.down:
            h = level(level.downsample(h) if kept else h, c, context)
            kept.append(h)
        for index, level in enumerate(self.up):
            if index:
                h = torch.cat([h, kept[-1 - index] / math.sqrt(2)], 1)
            h = level(h, c, context)
            if hasattr(level, "upsample"):
                h = level.upsample(interpolate(h, scale_factor=2, mode="nearest"))
        return self.conv_out(silu(self.conv_norm_out(h)))


def reference(draw, index):
    levels = index % 3 + 1
    settings = dict(
        in_channels=draw.integer(1, 3), out_channels=None, width=4, norm_num_groups=draw.one(1, 2, 4),
        multipliers=[draw.integer(1, 2) for _ in range(levels)], residual_blocks=[draw.integer(1, 2) for _ in range(levels)],
        attention=[draw.chance(0.5) for _ in range(levels)], attention_head_dim=draw.one(1, 2, 4), cross_attention_dim=None,
        pooling_heads=draw.one(1, 2), num_class_embeds=draw.one(None, draw.integer(2, 5)))
    if index % 2 == 0:
        settings["cross_attention_dim"] = settings["pooling_heads"] * draw.integer(2, 4)
    if draw.chance(0.5):
        settings["out_channels"] = 2 * settings["in_channels"]
    if index == 4:
        settings |= {"context_attention": False, "attention": [True] * levels}
    if index >= 5:
        settings |= {"low_resolution_factor": 2, "noise_level_embedding": index > 5}
        if settings["cross_attention_dim"]:
            settings |= {"context_pooling": False, "attention": [True] * levels}
    network = EfficientUNet(settings)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = draw.normal(*parameter.shape, dtype=torch.float32)
            norm = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(values / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.2 * values + (1 if norm else 0))
    batch, unit = draw.integer(1, 2), 2 ** (levels - 1)
    given = {"sample": draw.normal(batch, settings["in_channels"], unit * draw.integer(2, 3), unit * draw.integer(2, 3),
                                   dtype=torch.float32),
             "timestep": torch.tensor([float(draw.integer(0, 999)) for _ in range(batch)])}
    if settings["num_class_embeds"]:
        given["class_labels"] = torch.tensor([draw.integer(0, settings["num_class_embeds"] - 1) for _ in range(batch)])
    if settings["cross_attention_dim"]:
        network.context = draw.normal(batch, draw.integer(2, 5), settings["cross_attention_dim"], dtype=torch.float32)
    if network.enlarges:
        height, width = (side // 2 + 1 for side in given["sample"].shape[2:])
        network.low = draw.normal(batch, settings["in_channels"], height, width, dtype=torch.float32)
        network.level = torch.tensor([float(draw.integer(0, 999)) for _ in range(batch)])
    tensors, parameters = passed(network, given, draw)
    if network.enlarges:
        tensors["input.low_resolution"] = network.low
        if network.noise_level_embedding is not None:
            tensors["input.noise_level"] = network.level
    if network.context is not None:
        tensors["input.context"] = network.context
    return tensors, {"configuration": settings, "parameters": parameters}


def main():
    options = arguments(__doc__, cases=7)
    for index in range(options.cases):
        tensors, case = reference(Draw(options.seed, f"efficient-unet/{index}"), index)
        write(options.out, f"efficient-unet-{options.seed}-{index}", tensors,
              {"seed": options.seed, "class": "EfficientUNet", **case})


if __name__ == "__main__":
    main()
