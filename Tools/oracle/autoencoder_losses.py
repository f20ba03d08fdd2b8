"""What autoencoders are trained by, in PyTorch and NumPy of its own: patch discriminator with hinge losses and adaptive
weight, perceptual distance in the layout of the package lpips, finite scalar quantization, moving averages of a
codebook, and the measures of reconstructions.

Weights of perceptual networks are drawn one after the other in the order of their names, so that a file needs the seed
alone.
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from common import Draw, arguments, write


# --- the patch discriminator (Isola et al. 2017; Esser et al. 2021) ------------------------------------------------


class PatchDiscriminator(nn.Module):
    """The published layers under their published numbers; norms use the batch alone."""

    def __init__(self, channels, width, layers):
        super().__init__()
        parts = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        inputs = width
        for number in range(1, layers + 1):
            outputs = width * min(2 ** number, 8)
            stride = 2 if number < layers else 1
            parts += [nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False),
                      nn.BatchNorm2d(outputs, track_running_stats=False), nn.LeakyReLU(0.2)]
            inputs = outputs
        parts.append(nn.Conv2d(inputs, 1, 4, 1, 1))
        self.model = nn.Sequential(*parts)

    def forward(self, pictures):
        return self.model(pictures)


def hinge(discriminator, pictures, reconstructions):
    """The loss of the discriminator."""
    real, made = discriminator(pictures), discriminator(reconstructions)
    return (torch.relu(1 - real).mean() + torch.relu(1 + made).mean()) / 2


def adaptive_factor(fidelity, adversarial, last, weight):
    """Equation 7 of Esser et al. 2021, with the bounds of its code."""
    lengths = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (fidelity, adversarial)]
    return (lengths[0] / (lengths[1] + 1e-4)).clamp(0, 1e4).detach() * weight


# --- the perceptual distance (Zhang et al. 2018) -------------------------------------------------------------------

# Slices of torchvision's feature layers: numbers of convolutions with inputs, outputs, kernel, stride and padding, and
# pools with kernel and stride.
VGG = [[("c", 0, 3, 64, 3, 1, 1), ("c", 2, 64, 64, 3, 1, 1)],
       [("p", 2, 2), ("c", 5, 64, 128, 3, 1, 1), ("c", 7, 128, 128, 3, 1, 1)],
       [("p", 2, 2), ("c", 10, 128, 256, 3, 1, 1), ("c", 12, 256, 256, 3, 1, 1), ("c", 14, 256, 256, 3, 1, 1)],
       [("p", 2, 2), ("c", 17, 256, 512, 3, 1, 1), ("c", 19, 512, 512, 3, 1, 1), ("c", 21, 512, 512, 3, 1, 1)],
       [("p", 2, 2), ("c", 24, 512, 512, 3, 1, 1), ("c", 26, 512, 512, 3, 1, 1), ("c", 28, 512, 512, 3, 1, 1)]]
ALEX = [[("c", 0, 3, 64, 11, 4, 2)], [("p", 3, 2), ("c", 3, 64, 192, 5, 1, 2)],
        [("p", 3, 2), ("c", 6, 192, 384, 3, 1, 1)], [("c", 8, 384, 256, 3, 1, 1)], [("c", 10, 256, 256, 3, 1, 1)]]
BACKBONES = {"vgg": VGG, "alex": ALEX}


def perceptual_shapes(backbone):
    shapes = {}
    for index, layers in enumerate(BACKBONES[backbone]):
        for kind, *numbers in layers:
            if kind == "c":
                number, inputs, outputs, kernel, _, _ = numbers
                shapes[f"net.slice{index + 1}.{number}.weight"] = (outputs, inputs, kernel, kernel)
                shapes[f"net.slice{index + 1}.{number}.bias"] = (outputs,)
        shapes[f"lin{index}.model.1.weight"] = (1, outputs, 1, 1)
    return shapes


def perceptual_weights(backbone, seed):
    """Weights that keep features near one; those of channels are positive, as trained ones are."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in sorted(perceptual_shapes(backbone).items()):
        noise = torch.randn(shape, generator=generator)
        if name.startswith("lin"):
            weights[name] = noise.abs() / shape[1]
        else:
            weights[name] = 0.1 * noise if len(shape) == 1 else noise * math.sqrt(2 / noise[0].numel())
    return weights


def perceptual(backbone, weights, first, second):
    """The distance of each pair of pictures in -1 ... 1."""
    shift = torch.tensor([-0.030, -0.088, -0.188], dtype=first.dtype).reshape(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450], dtype=first.dtype).reshape(1, 3, 1, 1)
    hidden = [(picture - shift) / scale for picture in (first, second)]
    total = 0
    for index, layers in enumerate(BACKBONES[backbone]):
        for kind, *numbers in layers:
            if kind == "p":
                hidden = [functional.max_pool2d(h, *numbers) for h in hidden]
                continue
            number, _, _, _, stride, padding = numbers
            name = f"net.slice{index + 1}.{number}"
            hidden = [torch.relu(functional.conv2d(h, weights[name + ".weight"].to(h), weights[name + ".bias"].to(h),
                                                   stride=stride, padding=padding)) for h in hidden]
        unit = [h / (torch.linalg.vector_norm(h, dim=1, keepdim=True) + 1e-10) for h in hidden]
        squares = (unit[0] - unit[1]) ** 2
        lin = weights[f"lin{index}.model.1.weight"].to(squares)
        total = total + functional.conv2d(squares, lin).mean(dim=(1, 2, 3))
    return total


# --- finite scalar quantization (Mentzer et al. 2023, appendix A.1) ------------------------------------------------


def rounded(z):
    return z + (torch.round(z) - z).detach()


def fsq_bounded(z, levels):
    """z has channels last, as in the paper's listing."""
    count = torch.tensor(levels, dtype=z.dtype)
    half = (count - 1) * (1 - 1e-3) / 2
    offset = torch.where(count % 2 == 1, 0.0, 0.5).to(z.dtype)
    return torch.tanh(z + torch.tan(offset / half)) * half - offset


def fsq(z, levels):
    """The rounded latents in -1 ... 1 and the numbers of their vectors."""
    width = torch.tensor([level // 2 for level in levels], dtype=z.dtype)
    steps = rounded(fsq_bounded(z, levels))
    basis = torch.tensor(np.concatenate(([1], np.cumprod(levels[:-1]))).astype(np.int64))
    return steps / width, ((steps + width).detach().round().long() * basis).sum(-1)


# --- codebooks -----------------------------------------------------------------------------------------------------


def average_step(codebook, counts, sums, latents, decay, epsilon=1e-5):
    """Razavi et al. 2019, section 3.1, vector by vector; latents are rows."""
    nearest = torch.cdist(latents, codebook).argmin(1)
    counts, sums = counts.clone(), sums.clone()
    for k in range(len(codebook)):
        own = latents[nearest == k]
        counts[k] = decay * counts[k] + (1 - decay) * len(own)
        sums[k] = decay * sums[k] + (1 - decay) * own.sum(0)
    total = counts.sum()
    smoothed = (counts + epsilon) / (total + epsilon * len(codebook)) * total
    return sums / smoothed[:, None], counts, sums, nearest


def perplexity(indices, count):
    shares = np.bincount(indices.flatten().numpy(), minlength=count) / indices.numel()
    return float(np.exp(-sum(share * np.log(share) for share in shares if share > 0))), float((shares > 0).mean())


# --- measures of reconstructions -----------------------------------------------------------------------------------


def ssim(x, y, span=2.0):
    """Wang et al. 2004 for one picture [channels, height, width], window by window."""
    side = min(11, *(s if s % 2 else s - 1 for s in x.shape[1:]))
    line = np.exp(-(np.arange(side) - side // 2) ** 2 / (2 * 1.5 ** 2))
    window = np.outer(line, line)
    window /= window.sum()
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = []
    for a, b in zip(x, y):
        for i in range(a.shape[0] - side + 1):
            for j in range(a.shape[1] - side + 1):
                p, q = a[i:i + side, j:j + side], b[i:i + side, j:j + side]
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                found.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp ** 2 + mq ** 2 + c1) * (vp + vq + c2)))
    return float(np.mean(found))


# --- the cases -----------------------------------------------------------------------------------------------------


def write_discriminator(options, index):
    draw = Draw(options.seed, f"discriminator/{index}")
    channels, width, layers = draw.one(1, 3), draw.integer(2, 5), index % 3 + 1
    size = 3 * 2 ** layers + draw.integer(0, 5)
    network = PatchDiscriminator(channels, width, layers)
    torch.manual_seed(draw.integer(0, 2 ** 31))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape) + (parameter.ndim == 1))
    pictures = draw.normal(3, channels, size, size, dtype=torch.float32)
    hidden = draw.normal(3, 4, size, size, dtype=torch.float32)
    last = (0.2 * draw.normal(channels, 4, 3, 3, dtype=torch.float32)).requires_grad_()
    tensors = {"weight." + name: value for name, value in network.named_parameters()}
    tensors.update({"input.pictures": pictures, "input.hidden": hidden, "input.last": last})

    made = functional.conv2d(hidden, last, padding=1)
    tensors["output.patches"] = network(made)
    loss = hinge(network, pictures, made.detach())
    loss.backward()
    tensors["output.hinge"] = loss
    tensors.update({"gradient." + name: value.grad for name, value in network.named_parameters()})

    weight = draw.real(0.1, 2)
    fidelity, adversarial = (made - pictures).abs().mean(), -network(made).mean()
    factor = adaptive_factor(fidelity, adversarial, last, weight)
    tensors["output.factor"] = factor
    tensors["gradient_of_last"], = torch.autograd.grad(fidelity + factor * adversarial, last)
    write(options.out, f"discriminator-{options.seed}-{index}", tensors,
          {"seed": options.seed, "channels": channels, "width": width, "layers": layers, "weight": weight})


def write_perceptual(options, backbone):
    draw = Draw(options.seed, f"perceptual/{backbone}")
    seed = draw.integer(0, 2 ** 31)
    weights = perceptual_weights(backbone, seed)
    size = {"vgg": 16 + draw.integer(0, 5), "alex": 31 + draw.integer(0, 4)}[backbone]
    tensors = {}
    for channels in (1, 3):
        first, second = (torch.tanh(draw.normal(2, channels, size, size, dtype=torch.float32)) for _ in range(2))
        leaf = first.clone().requires_grad_()
        distance = perceptual(backbone, weights, leaf.expand(2, 3, size, size), second.expand(2, 3, size, size))
        gradient, = torch.autograd.grad(distance.sum(), leaf)
        tensors.update({f"first.{channels}": first, f"second.{channels}": second, f"distance.{channels}": distance,
                        f"gradient.{channels}": gradient})
    shapes = {name: list(shape) for name, shape in perceptual_shapes(backbone).items()}
    write(options.out, f"perceptual-{options.seed}-{backbone}", tensors,
          {"seed": options.seed, "weights": seed, "shapes": shapes})


def write_fsq(options, index):
    draw = Draw(options.seed, f"fsq/{index}")
    levels = [draw.integer(2, 9) for _ in range(draw.integer(1, 4))]
    while True:
        features = 2 * draw.normal(2, len(levels), 3, 4)
        steps = fsq_bounded(features.permute(0, 2, 3, 1), levels)
        if ((steps - steps.floor() - 0.5).abs() > 1e-3).all():  # rounding would choose
            break
    leaf = features.clone().requires_grad_()
    latents, indices = fsq(leaf.permute(0, 2, 3, 1), levels)
    latents = latents.permute(0, 3, 1, 2)
    cotangent = draw.normal(*latents.shape)
    gradient, = torch.autograd.grad((latents.sin() * cotangent).sum(), leaf)
    write(options.out, f"fsq-{options.seed}-{index}",
          {"features": features, "latents": latents, "indices": indices, "cotangent": cotangent,
           "gradient": gradient}, {"seed": options.seed, "levels": levels})


def write_codebook(options, index):
    draw = Draw(options.seed, f"codebook/{index}")
    count, width, decay = draw.integer(3, 9), draw.integer(1, 4), draw.real(0.5, 0.99)
    codebook = draw.normal(count, width)
    tensors = {"codebook": codebook}
    counts, sums = torch.ones(count, dtype=torch.float64), codebook.clone()
    for step in range(3):
        latents = draw.normal(2, width, 3, 2)
        codebook, counts, sums, nearest = average_step(
            codebook, counts, sums, latents.permute(0, 2, 3, 1).reshape(-1, width), decay)
        many, used = perplexity(nearest, count)
        tensors.update({f"latents.{step}": latents, f"codebook.{step}": codebook, f"counts.{step}": counts,
                        f"sums.{step}": sums, f"use.{step}": torch.tensor([many, used], dtype=torch.float64)})
    write(options.out, f"codebook-{options.seed}-{index}", tensors,
          {"seed": options.seed, "count": count, "width": width, "decay": decay})


def write_measures(options, index):
    draw = Draw(options.seed, f"measures/{index}")
    channels, height, width = draw.one(1, 3), draw.integer(8, 18), draw.integer(8, 18)
    first = torch.tanh(draw.normal(2, channels, height, width))
    second = (first + draw.real(0.05, 0.5) * draw.normal(2, channels, height, width)).clamp(-1, 1)
    errors = ((first - second) ** 2).flatten(1).mean(1)
    tensors = {"first": first, "second": second, "psnr": 20 * math.log10(2) - 10 * torch.log10(errors),
               "ssim": torch.tensor([ssim(a.numpy(), b.numpy()) for a, b in zip(first, second)], dtype=torch.float64)}
    write(options.out, f"measures-{options.seed}-{index}", tensors, {"seed": options.seed})


def main():
    options = arguments(__doc__, cases=3)
    for index in range(options.cases):
        write_discriminator(options, index)
        write_fsq(options, index)
        write_codebook(options, index)
        write_measures(options, index)
    for backbone in BACKBONES:
        write_perceptual(options, backbone)


if __name__ == "__main__":
    main()
