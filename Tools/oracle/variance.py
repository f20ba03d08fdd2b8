"""Single steps of diffusers' ancestral schedulers with a variance that the network gives, in float64."""
import torch

import schedulers
from common import Draw, arguments, write
from mixture import Noise

CLASSES = {"DDPMScheduler": ("learned", "learned_range"), "UnCLIPScheduler": ("learned_range",)}


def main():
    options = arguments(__doc__, cases=3)
    for name, variances in CLASSES.items():
        for variance in variances:
            for index in range(options.cases):
                case = f"{name.removesuffix('Scheduler')}-{variance}-{options.seed}-{index}"
                write(options.out, case, *step(name, variance, Draw(options.seed, case), options.seed))


def step(name, variance, draw, seed):
    """One step from a random time: `sample`, `output` [N, 2C, H, W] of the network, and `previous`."""
    flags = {"num_train_timesteps": draw.integer(50, 1000), "variance_type": variance,
             "clip_sample": draw.chance(0.5), "prediction_type": draw.one("epsilon", "sample")}
    if name == "DDPMScheduler":
        flags |= {"beta_schedule": draw.one("linear", "scaled_linear", "squaredcos_cap_v2"),
                  "timestep_spacing": draw.one("leading", "trailing", "linspace")}
    scheduler = schedulers.scheduler_class(name)(**flags)
    steps = draw.integer(5, 20)
    scheduler.set_timesteps(steps)
    position = draw.integer(0, steps - 2)
    time = scheduler.timesteps[position]
    sample, output = draw.normal(2, 3, 2, 2), draw.normal(2, 6, 2, 2)
    # A variance is positive; a share of the range of logarithms lies between -1 and 1.
    further = output[:, 3:]
    output[:, 3:] = further.abs() * 0.1 if variance == "learned" else torch.tanh(further)
    schedulers.LOADED[name].randn_tensor = Noise(seed, 2).draw
    further = {"prev_timestep": scheduler.timesteps[position + 1]} if name == "UnCLIPScheduler" else {}
    previous = scheduler.step(output, time, sample, **further).prev_sample
    case = {"configuration": schedulers.saved(scheduler), "steps": steps, "position": position, "noise_seed": seed}
    return {"sample": sample, "output": output, "previous": previous}, case


if __name__ == "__main__":
    main()
