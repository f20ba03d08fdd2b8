"""AdamW, clipping by the norm, warm-up with cosine decay and the moving average: a trace by torch and diffusers.

The gradients are given, so the trace tests the update rule alone. Each step: clip, set the rate, update, average.
"""
import math

import torch

from common import Draw, arguments, write


def rate(step, base, warmup, total):
    """The learning rate of step 0, 1, ...: linear warm-up, then a half cosine to zero at `total`
    (diffusers' get_cosine_schedule_with_warmup)."""
    if step < warmup:
        return base * step / max(1, warmup)
    progress = (step - warmup) / max(1, total - warmup)
    return base * max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


def trace(settings, initial, gradients, kind):
    parameters = {name: torch.nn.Parameter(value.to(kind).clone()) for name, value in initial.items()}
    average = {name: value.detach().clone() for name, value in parameters.items()}
    optimizer = torch.optim.AdamW(list(parameters.values()), lr=settings["learning_rate"], betas=settings["betas"],
                                  eps=settings["epsilon"], weight_decay=settings["weight_decay"], foreach=False)
    path = {name: [] for name in initial}
    averages = {name: [] for name in initial}
    norms, rates = [], []
    for step in range(settings["steps"]):
        for name, parameter in parameters.items():
            parameter.grad = gradients[name][step].to(kind).clone()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), settings["clip_norm"]))
        rates.append(rate(step, settings["learning_rate"], settings["warmup_steps"], settings["steps"]))
        optimizer.param_groups[0]["lr"] = rates[-1]
        optimizer.step()
        for name, parameter in parameters.items():
            average[name] = settings["ema_decay"] * average[name] + (1 - settings["ema_decay"]) * parameter.detach()
            path[name].append(parameter.detach().clone())
            averages[name].append(average[name].clone())
    tensors = {"norm": torch.stack(norms), "rate": torch.tensor(rates, dtype=torch.float64)}
    for name in initial:
        state = optimizer.state[parameters[name]]
        tensors.update({f"parameter.{name}": torch.stack(path[name]), f"average.{name}": torch.stack(averages[name]),
                        f"first_moment.{name}": state["exp_avg"], f"second_moment.{name}": state["exp_avg_sq"]})
    return tensors


def check_rate(settings):
    """diffusers' own schedule says the same."""
    from diffusers.optimization import get_cosine_schedule_with_warmup
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=settings["learning_rate"])
    schedule = get_cosine_schedule_with_warmup(optimizer, settings["warmup_steps"], settings["steps"])
    for step in range(settings["steps"]):
        own = rate(step, settings["learning_rate"], settings["warmup_steps"], settings["steps"])
        assert abs(own - schedule.get_last_lr()[0]) < 1e-15, step
        optimizer.step()
        schedule.step()


def main():
    options = arguments(__doc__, cases=2)
    for index in range(options.cases):
        draw = Draw(options.seed, f"optimizer/{index}")
        settings = dict(steps=20, learning_rate=draw.real(0.0005, 0.05), betas=[draw.real(0.8, 0.95), draw.real(0.95, 0.9999)],
                        epsilon=draw.one(1e-8, 1e-6), weight_decay=draw.one(0.0, 0.01, draw.real(0, 0.2)),
                        clip_norm=draw.real(0.5, 3), warmup_steps=draw.integer(0, 6), ema_decay=draw.real(0.8, 0.999))
        check_rate(settings)
        shapes = {f"p{i}": [draw.integer(1, 4) for _ in range(draw.integer(1, 3))] for i in range(3)}
        initial = {name: draw.normal(*shape, dtype=torch.float32) for name, shape in shapes.items()}
        gradients = {name: draw.normal(settings["steps"], *shape, dtype=torch.float32) for name, shape in shapes.items()}
        tensors = {f"initial.{name}": value for name, value in initial.items()}
        tensors.update({f"gradient.{name}": value for name, value in gradients.items()})
        for label, kind in (("float32", torch.float32), ("float64", torch.float64)):
            tensors.update({f"{label}.{name}": value for name, value in trace(settings, initial, gradients, kind).items()})
        write(options.out, f"optimizer-{options.seed}-{index}", tensors, {"seed": options.seed, **settings})


if __name__ == "__main__":
    main()
