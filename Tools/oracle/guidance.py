"""Guidance: diffusers' guiders and thresholding, and the formulas of CFG++, Perp-Neg and classifier guidance."""
import numpy
import torch
from diffusers import DDPMScheduler
from diffusers.guiders import AutoGuidance, ClassifierFreeGuidance
from diffusers.utils import logging

from common import Draw, arguments, write

PREDICTIONS = ("epsilon", "sample", "v_prediction", "flow_prediction", "score")


def level(draw):
    """A variance-preserving level, or (one time in three) the same scaled."""
    angle, scale = draw.real(0.05, 1.5), draw.real(0.3, 2) if draw.chance(0.33) else 1.0
    return scale * numpy.cos(angle), scale * numpy.sin(angle)


def stacked(cases):
    """Tensors of the same name, one case after the other."""
    return {key: torch.stack([torch.as_tensor(case[key], dtype=torch.float64) for case in cases]) for key in cases[0]}


def guiders(draw, count):
    """What diffusers makes of a conditional and an unconditional output, whatever the output means."""
    cases = []
    for index in range(count):
        conditional, unconditional = draw.normal(2, 2, 3), draw.normal(2, 2, 3)
        scale, share = draw.real(-1, 12), draw.one(0.0, 1.0, draw.real(0, 1))
        if index % 2:
            guider = AutoGuidance(scale, auto_guidance_layers=[0], dropout=1.0, guidance_rescale=share)
        else:
            guider = ClassifierFreeGuidance(scale, guidance_rescale=share)
        alpha, sigma = level(draw)
        cases.append(dict(
            conditional=conditional, unconditional=unconditional, scale=scale, share=share, alpha=alpha, sigma=sigma,
            sample=draw.normal(2, 2, 3), guided=guider.forward(conditional, unconditional).pred))
    return stacked(cases)


def thresholds(draw, count):
    cases = []
    for _ in range(count):
        quantile, maximum = draw.real(0.3, 1), draw.one(1.0, draw.real(1, 4))
        scheduler = DDPMScheduler(
            thresholding=True, dynamic_thresholding_ratio=quantile, sample_max_value=maximum)
        data = draw.normal(2, 3, 2, 2) * draw.real(0.2, 4)
        cases.append(dict(
            data=data, quantile=quantile, maximum=maximum, kept=scheduler._threshold_sample(data),
            kept32=scheduler._threshold_sample(data.float()), kept16=scheduler._threshold_sample(data.bfloat16())))
    return stacked(cases)


def perpendicular(draw, count):
    """Perp-Neg, the perpendicular part as the residual of a least-squares fit."""
    cases = []
    for _ in range(count):
        outputs = draw.normal(4, 2, 5)
        scale, weights = draw.real(0, 10), [draw.real(-1, 3), draw.real(-1, 3)]
        unconditional, wanted = outputs[0].numpy(), (outputs[1] - outputs[0]).numpy()
        guided = numpy.empty_like(wanted)
        for example in range(2):
            direction = wanted[example].copy()
            for weight, negative in zip(weights, outputs[2:].numpy()):
                difference = negative[example] - unconditional[example]
                basis = wanted[example][:, None]
                direction -= weight * (difference - basis @ numpy.linalg.lstsq(basis, difference, rcond=None)[0])
            guided[example] = unconditional[example] + scale * direction
        cases.append(dict(outputs=outputs, scale=scale, weights=weights, guided=torch.from_numpy(guided)))
    return stacked(cases)


def plusplus(draw, count):
    """One DDIM step of CFG++ from predicted noises (arXiv:2406.08070, algorithm 2), and one of its inversion."""
    cases = []
    for _ in range(count):
        x, conditional, unconditional = draw.normal(2, 4), draw.normal(2, 4), draw.normal(2, 4)
        scale, bar, next_bar = draw.real(0, 1), draw.real(0.01, 0.99), draw.real(0.01, 0.99)
        guided = unconditional + scale * (conditional - unconditional)
        data = (x - (1 - bar) ** 0.5 * guided) / bar**0.5
        plain = (x - (1 - bar) ** 0.5 * unconditional) / bar**0.5
        cases.append(dict(
            inverted=next_bar**0.5 * plain + (1 - next_bar) ** 0.5 * guided,
            sample=x, conditional=conditional, unconditional=unconditional, scale=scale, bar=bar, next_bar=next_bar,
            next=next_bar**0.5 * data + (1 - next_bar) ** 0.5 * unconditional))
    return stacked(cases)


def classifier(draw, count):
    """A linear classifier's gradient by autograd in both forms of Dhariwal and Nichol."""
    cases = []
    for _ in range(count):
        x, noise, weight, bias = draw.normal(3, 4), draw.normal(3, 4), draw.normal(5, 4), draw.normal(5)
        labels = torch.tensor([draw.integer(0, 4) for _ in range(3)])
        scale, temperature = draw.real(0, 10), draw.real(0.3, 3)
        bar = draw.real(0.05, 0.99)
        next_bar = bar + (1 - bar) * draw.real(0, 1)
        leaf = x.clone().requires_grad_(True)
        logs = torch.log_softmax((leaf @ weight.T + bias) / temperature, 1)
        gradient = torch.autograd.grad(logs[range(3), labels].sum(), leaf)[0]
        guided = noise - (1 - bar) ** 0.5 * scale * gradient
        beta = 1 - bar / next_bar
        data = (x - (1 - bar) ** 0.5 * noise) / bar**0.5
        mean = beta * next_bar**0.5 / (1 - bar) * data + (1 - beta) ** 0.5 * (1 - next_bar) / (1 - bar) * x
        variance = beta * (1 - next_bar) / (1 - bar)
        cases.append(dict(
            sample=x, noise=noise, weight=weight, bias=bias, labels=labels, scale=scale, temperature=temperature,
            bar=bar, next_bar=next_bar, gradient=gradient, guided_noise=guided,
            guided_data=(x - (1 - bar) ** 0.5 * guided) / bar**0.5, mean=mean, variance=variance,
            shifted_mean=mean + scale * variance * gradient, shifted_large=mean + scale * beta * gradient))
    return stacked(cases)


def main():
    options = arguments(__doc__, cases=40)
    logging.set_verbosity_error()
    for name, make in dict(
            guiders=guiders, thresholds=thresholds, perpendicular=perpendicular, plusplus=plusplus,
            classifier=classifier).items():
        tensors = make(Draw(options.seed, f"guidance/{name}"), options.cases)
        case = {"seed": options.seed, "count": options.cases}
        if name == "guiders":
            case["predictions"] = [PREDICTIONS[index // 2 % len(PREDICTIONS)] for index in range(options.cases)]
        write(options.out, f"{name}-{options.seed}", tensors, case)


if __name__ == "__main__":
    main()
