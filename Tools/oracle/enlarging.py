"""Networks that enlarge a picture in one pass, written from their papers under the published names of their layers.

ESRGAN's residual-in-residual dense blocks (arXiv:1809.00219), with pixels that become channels at first as in
Real-ESRGAN (arXiv:2107.10833); SwinIR (arXiv:2108.10257), whose windows are those of arXiv:2103.14030.
"""
import torch
from torch import nn
from torch.nn.functional import gelu, interpolate, leaky_relu, pixel_unshuffle

from common import Draw, arguments, write


def conv(inputs, outputs, kernel=3):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def mirrored(x, multiple):
    """Sides brought to multiples by mirrors at the right and lower border, a row at a time."""
    for dimension in (2, 3):
        while x.shape[dimension] % multiple:
            size = x.shape[dimension]
            missing = -size % multiple
            shown = min(missing, size - 1)
            if shown == 0:
                rows = x.narrow(dimension, 0, 1).repeat_interleave(missing, dimension)
            else:
                rows = x.narrow(dimension, size - 1 - shown, shown).flip(dimension)
            x = torch.cat([x, rows], dimension)
    return x


# --- ESRGAN ------------------------------------------------------------------------------------------------------


class Dense(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        for index in range(5):
            setattr(self, f"conv{index + 1}", conv(features + index * growth, features if index == 4 else growth))

    def forward(self, x):
        known = [x]
        for index in range(4):
            known.append(leaky_relu(getattr(self, f"conv{index + 1}")(torch.cat(known, 1)), 0.2))
        return x + 0.2 * self.conv5(torch.cat(known, 1))


class Block(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(features, growth) for _ in range(3))

    def forward(self, x):
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    def __init__(self, num_in_ch=3, num_out_ch=3, num_feat=64, num_block=23, num_grow_ch=32, num_upsample=2, unshuffle=1):
        super().__init__()
        self.side, self.scale = unshuffle, 2**num_upsample // unshuffle
        self.conv_first = conv(num_in_ch * unshuffle**2, num_feat)
        self.body = nn.ModuleList([Block(num_feat, num_grow_ch) for _ in range(num_block)])
        self.conv_body = conv(num_feat, num_feat)
        self.ups = [f"conv_up{index + 1}" for index in range(num_upsample)]
        for name in self.ups:
            setattr(self, name, conv(num_feat, num_feat))
        self.conv_hr = conv(num_feat, num_feat)
        self.conv_last = conv(num_feat, num_out_ch)

    def forward(self, x):
        height, width = x.shape[2:]
        x = self.conv_first(pixel_unshuffle(mirrored(x, self.side), self.side))
        deep = x
        for block in self.body:
            deep = block(deep)
        x = x + self.conv_body(deep)
        for name in self.ups:
            x = leaky_relu(getattr(self, name)(interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        x = self.conv_last(leaky_relu(self.conv_hr(x), 0.2))
        return x[:, :, :height * self.scale, :width * self.scale]


# --- SwinIR ------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, width, heads, side, bias):
        super().__init__()
        self.heads, self.side = heads, side
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1)**2, heads))
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x, apart):
        """`[windows, pixels, width]`; `apart` says which pairs of pixels of which window do not see each other."""
        count, pixels, width = x.shape
        query, key, value = self.qkv(x).view(count, pixels, 3, self.heads, -1).unbind(2)
        scores = torch.einsum("nphc,nqhc->nhpq", query, key) * (width // self.heads)**-0.5
        rows, columns = (torch.arange(pixels) // self.side, torch.arange(pixels) % self.side)
        place = (rows[:, None] - rows + self.side - 1) * (2 * self.side - 1) + columns[:, None] - columns + self.side - 1
        scores = scores + self.relative_position_bias_table[place].permute(2, 0, 1)
        if apart is not None:
            masked = scores.view(-1, *apart.shape[:1], self.heads, pixels, pixels) - 100.0 * apart[:, None]
            scores = masked.view(count, self.heads, pixels, pixels)
        return self.proj(torch.einsum("nhpq,nqhc->nphc", scores.softmax(-1), value).reshape(count, pixels, width))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(gelu(self.fc1(x)))


def windows(x, side):
    batch, height, width, channels = x.shape
    x = x.view(batch, height // side, side, width // side, side, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side, channels)


class SwinBlock(nn.Module):
    def __init__(self, width, heads, side, hidden, bias, shift):
        super().__init__()
        self.side, self.shift = side, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads, side, bias), Mlp(width, hidden)

    def forward(self, x):
        batch, height, width, channels = x.shape
        hidden, apart = self.norm1(x), None
        if self.shift:
            hidden = torch.roll(hidden, (-self.shift, -self.shift), (1, 2))
            # Where each pixel of the rolled picture is from: two that the border parts do not see each other.
            first = torch.zeros(height, dtype=torch.long)
            second = torch.zeros(width, dtype=torch.long)
            for region in (first, second):
                region[-self.side:-self.shift], region[-self.shift:] = 1, 2
            label = windows((3 * first[:, None] + second)[None, :, :, None].double(), self.side).squeeze(-1)
            apart = (label[:, :, None] != label[:, None, :]).to(x.dtype)
        mixed = self.attn(windows(hidden, self.side), apart)
        mixed = mixed.view(batch, height // self.side, width // self.side, self.side, self.side, channels)
        mixed = mixed.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)
        if self.shift:
            mixed = torch.roll(mixed, (self.shift, self.shift), (1, 2))
        x = x + mixed
        return x + self.mlp(self.norm2(x))


def features(width, kind):
    if kind == "1conv":
        return conv(width, width)
    inner = width // 4
    return nn.Sequential(conv(width, inner), nn.LeakyReLU(0.2), conv(inner, inner, 1), nn.LeakyReLU(0.2), conv(inner, width))


class Blocks(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)


class Group(nn.Module):
    def __init__(self, blocks, width, kind):
        super().__init__()
        self.residual_group = Blocks(blocks)
        self.conv = features(width, kind)

    def forward(self, x):
        hidden = x
        for block in self.residual_group.blocks:
            hidden = block(hidden)
        return x + self.conv(hidden.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Normed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)


class SwinIR(nn.Module):
    def __init__(self, in_chans=3, embed_dim=180, depths=(6,) * 6, num_heads=(6,) * 6, window_size=8, mlp_hidden=360, upscale=4,
                 img_range=1.0, upsampler="pixelshuffle", resi_connection="1conv", num_feat=64, patch_norm=True, qkv_bias=True):
        super().__init__()
        self.side, self.range, self.scale, self.kind = window_size, img_range, upscale, upsampler
        self.conv_first = conv(in_chans, embed_dim)
        if patch_norm:
            self.patch_embed = Normed(embed_dim)
        self.layers = nn.ModuleList([
            Group([SwinBlock(embed_dim, heads, window_size, mlp_hidden, qkv_bias, window_size // 2 if index % 2 else 0)
                   for index in range(depth)], embed_dim, resi_connection)
            for depth, heads in zip(depths, num_heads)])
        self.norm = nn.LayerNorm(embed_dim)
        self.conv_after_body = features(embed_dim, resi_connection)
        if upsampler in ("pixelshuffle", "nearest+conv"):
            self.conv_before_upsample = nn.Sequential(conv(embed_dim, num_feat), nn.LeakyReLU())
        if upsampler == "pixelshuffle":
            steps = [3] if upscale == 3 else [2] * (upscale.bit_length() - 1)
            self.upsample = nn.Sequential(*[part for step in steps for part in (
                conv(num_feat, step**2 * num_feat), nn.PixelShuffle(step))])
        elif upsampler == "pixelshuffledirect":
            self.upsample = nn.Sequential(conv(embed_dim, upscale**2 * in_chans), nn.PixelShuffle(upscale))
        elif upsampler == "nearest+conv":
            self.ups = [f"conv_up{index + 1}" for index in range(upscale.bit_length() - 1)]
            for name in self.ups:
                setattr(self, name, conv(num_feat, num_feat))
            self.conv_hr = conv(num_feat, num_feat)
        if upsampler != "pixelshuffledirect":
            self.conv_last = conv(num_feat if upsampler else embed_dim, in_chans)

    def forward(self, x):
        height, width = x.shape[2:]
        mean = x.new_tensor([0.4488, 0.4371, 0.4040] if x.shape[1] == 3 else [0.0]).view(1, -1, 1, 1)
        x = (mirrored(x, self.side) - mean) * self.range
        shallow = self.conv_first(x)
        deep = shallow.permute(0, 2, 3, 1)
        if hasattr(self, "patch_embed"):
            deep = self.patch_embed.norm(deep)
        for group in self.layers:
            deep = group(deep)
        deep = self.conv_after_body(self.norm(deep).permute(0, 3, 1, 2)) + shallow
        if self.kind == "pixelshuffle":
            x = self.conv_last(self.upsample(self.conv_before_upsample(deep)))
        elif self.kind == "pixelshuffledirect":
            x = self.upsample(deep)
        elif self.kind == "nearest+conv":
            deep = self.conv_before_upsample(deep)
            for name in self.ups:
                deep = leaky_relu(getattr(self, name)(interpolate(deep, scale_factor=2, mode="nearest")), 0.2)
            x = self.conv_last(leaky_relu(self.conv_hr(deep), 0.2))
        else:
            x = x + self.conv_last(deep)
        x = x / self.range + mean
        return x[:, :, :height * self.scale, :width * self.scale]


CLASSES = {"RRDBNet": RRDBNet, "SwinIR": SwinIR}


# --- cases -------------------------------------------------------------------------------------------------------


def drawn_settings(draw, kind):
    """The sizes of a small network, as keyword arguments."""
    if kind == "RRDBNet":
        ups = draw.one(1, 2, 2, 2)
        channels = draw.one(1, 3, 3)
        return dict(num_in_ch=channels, num_out_ch=channels, num_feat=draw.one(4, 6), num_block=draw.integer(1, 2),
                    num_grow_ch=draw.one(2, 3, 4), num_upsample=ups, unshuffle=draw.one(1, 2, 4) if ups == 2 else 1)
    upsampler = draw.one("pixelshuffle", "pixelshuffledirect", "nearest+conv", "")
    scale = {"pixelshuffle": draw.one(2, 3, 4, 8), "pixelshuffledirect": draw.one(2, 3, 4), "nearest+conv": draw.one(2, 4),
             "": 1}[upsampler]
    groups, heads = draw.integer(1, 2), draw.one(1, 2)
    side = draw.one(4, 8) if upsampler else draw.one(4, 7)
    return dict(in_chans=draw.one(1, 3, 3), embed_dim=8, depths=[draw.integer(1, 2) for _ in range(groups)],
                num_heads=[heads] * groups, window_size=side, mlp_hidden=draw.one(8, 16), upscale=scale,
                img_range=255.0 if not upsampler and side == 7 else 1.0, upsampler=upsampler,
                resi_connection=draw.one("1conv", "1conv", "3conv"), num_feat=4)


def drawn_network(draw, kind, settings):
    network = CLASSES[kind](**settings)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = draw.normal(*parameter.shape, dtype=torch.float32)
            if parameter.ndim > 1 and "table" not in name:
                parameter.copy_(values / parameter[0].numel()**0.5)
            else:
                parameter.copy_(0.1 * values + (1 if "norm" in name and name.endswith("weight") else 0))
    return network


def main():
    options = arguments(__doc__, cases=5)
    for kind in CLASSES:
        for index in range(options.cases):
            draw = Draw(options.seed, f"{kind}/{index}")
            settings = drawn_settings(draw, kind)
            network = drawn_network(draw, kind, settings)
            channels = settings.get("num_in_ch", settings.get("in_chans"))
            sample = torch.rand((index % 2 + 1, channels, draw.integer(3, 9), draw.integer(3, 9)),
                                generator=draw.generator)
            with torch.no_grad():
                tensors = {"input.sample": sample, "output.sample": network(sample)}
                tensors |= {f"weight.{name}": parameter.clone() for name, parameter in network.named_parameters()}
                tensors["output64.sample"] = network.double()(sample.double())
            write(options.out, f"{kind.lower()}-{options.seed}-{index}", tensors, {
                "seed": options.seed, "class": kind, "configuration": settings,
                "parameters": sum(parameter.numel() for parameter in network.parameters())})


if __name__ == "__main__":
    main()
