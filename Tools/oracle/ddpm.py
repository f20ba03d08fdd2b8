"""Reference tables, steps and trajectories of random DDPMScheduler and DDIMScheduler configurations.

The network of the trajectories is the exact prediction for data that is Gaussian in every element, so both sides
can evaluate it: for x = a x0 + s e, with x0 ~ N(m, d^2), E[e|x] = s (x - a m) / (a^2 d^2 + s^2).
`tables64`, `step.*` and `trajectory.*` use float64 tables (see README.md); `trajectory32.states` is the same run
with diffusers' own float32 tables.
"""
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, DDPMScheduler

from common import Draw, arguments, finite, use_float64_tables, write

CLASSES = {"DDPMScheduler": DDPMScheduler, "DDIMScheduler": DDIMScheduler,
           "DDIMInverseScheduler": DDIMInverseScheduler}
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
VARIANCES = ("fixed_small", "fixed_small_log", "fixed_large")
SPACINGS = ("leading", "trailing", "linspace")
PREDICTIONS = ("epsilon", "sample", "v_prediction")


def configuration(draw, kind, index):
    """Schedule, spacing, prediction and variance go round with the index; the rest is drawn."""
    ddpm = kind == "DDPMScheduler"
    schedules = SCHEDULES if ddpm else SCHEDULES[:3]
    spacings = SPACINGS[:2] if kind == "DDIMInverseScheduler" else SPACINGS
    start = draw.real(0.00005, 0.002)
    result = dict(
        num_train_timesteps=draw.one(1000, 1000, 500, 200, 100, draw.integer(40, 300)),
        beta_start=start, beta_end=round(start + draw.real(0.005, 0.03), 6),
        beta_schedule=schedules[index % len(schedules)], timestep_spacing=spacings[index % len(spacings)],
        prediction_type=PREDICTIONS[(index + index // 3) % 3],
        clip_sample=draw.chance(0.5), clip_sample_range=draw.one(1.0, draw.real(0.5, 2)),
        rescale_betas_zero_snr=draw.chance(0.25))
    if kind != "DDIMInverseScheduler":
        result.update(thresholding=draw.chance(0.3), dynamic_thresholding_ratio=draw.real(0.6, 0.999),
                      sample_max_value=draw.one(1.0, draw.real(1, 3)))
    if ddpm:
        result["variance_type"] = VARIANCES[(index // 2) % len(VARIANCES)]
    else:
        result["set_alpha_to_one"] = draw.chance(0.6)
    if draw.chance(0.15):
        result["num_train_timesteps"] = count = draw.integer(30, 60)
        result["trained_betas"] = [draw.real(0.001, 0.06) for _ in range(count)]
    if result["timestep_spacing"] == "leading":
        result["steps_offset"] = draw.one(0, 1, draw.integer(0, 3))
    return result


def steps_for(draw, settings, wanted):
    """The number of solver steps; with `leading` the largest time must stay inside the schedule."""
    count = settings["num_train_timesteps"]
    steps = wanted if wanted else draw.integer(1, min(count, 30))
    while settings["timestep_spacing"] == "leading":
        if (steps - 1) * (count // steps) + settings["steps_offset"] < count:
            break
        steps -= 1
    return steps


class GaussianNetwork:
    """The exact prediction of the drawn kind at the scheduler's own level."""

    def __init__(self, mean, deviation, kind):
        self.mean, self.deviation, self.kind = mean, deviation, kind

    def __call__(self, x, product):
        a, s = product.double() ** 0.5, (1 - product.double()) ** 0.5
        total = a**2 * self.deviation**2 + s**2
        noise = s * (x - a * self.mean) / total
        data = self.mean + a * self.deviation**2 * (x - a * self.mean) / total
        return {"epsilon": noise, "sample": data, "v_prediction": a * noise - s * data}[self.kind]


class Recorded:
    """Hands out given noise where diffusers would draw it, and remembers whether it was asked."""

    def __init__(self, noise):
        self.noise, self.asked = noise, False

    def __call__(self, *shape, **more):
        self.asked = True
        return self.noise


def step(scheduler, output, time, sample, source, more):
    """One step of the scheduler; `source` is called where diffusers would draw. Returns (previous, data)."""
    module = __import__(type(scheduler).__module__, fromlist=["randn_tensor"])
    original = getattr(module, "randn_tensor", None)
    if original is not None:
        module.randn_tensor = source
    try:
        result = scheduler.step(output, time, sample, **more)
    finally:
        if original is not None:
            module.randn_tensor = original
    return result.prev_sample, result.pred_original_sample


def trajectory(scheduler, network, start, noise, more):
    states, draws, x = [], [], start
    for index, time in enumerate(scheduler.timesteps):
        output = network(x, scheduler.alphas_cumprod[time])
        source = Recorded(noise[index])
        x, _ = step(scheduler, output, time, x, source, more)
        states.append(x)
        draws.append(source.asked)
    return torch.stack(states), draws


def draws_of_pictures(seed, count, shape, steps, asked):
    """Start and step noise as INTERFACE.md's Seeds paragraph says: picture i has its own generator, seed + i."""
    start, noise = [], []
    for i in range(count):
        generator = torch.Generator("cpu").manual_seed(seed + i)
        start.append(torch.randn(1, *shape, generator=generator, dtype=torch.float64))
        noise.append([torch.randn(1, *shape, generator=generator, dtype=torch.float64) if drawn
                      else torch.zeros(1, *shape, dtype=torch.float64) for drawn in asked])
    return torch.cat(start), torch.stack([torch.cat(column) for column in zip(*noise)])


def scheduler_for(kind, settings, steps, wide):
    scheduler = CLASSES[kind](**settings)
    if wide:
        use_float64_tables(scheduler)
    scheduler.set_timesteps(steps)
    return scheduler


def reference(draw, kind, index, wanted=None):
    """The tensors and description of one case; None where the reference itself is not finite."""
    settings = configuration(draw, kind, index)
    steps = steps_for(draw, settings, wanted)
    more = {}
    if kind == "DDIMScheduler":
        more = dict(eta=draw.one(0.0, 1.0, draw.real(0, 1)), use_clipped_model_output=draw.chance(0.3))
    own, wide = (scheduler_for(kind, settings, steps, flag) for flag in (False, True))
    if int(wide.timesteps.max()) >= settings["num_train_timesteps"]:
        return None
    shape = (draw.integer(1, 3), draw.integer(2, 4), draw.integer(2, 4))
    count, seed = draw.integer(1, 2), draw.integer(0, 2**31)
    mean = draw.normal(*shape)
    deviation = 0.2 + 0.5 * draw.normal(*shape).abs()
    network = GaussianNetwork(mean, deviation, settings["prediction_type"])
    # Which steps draw does not depend on the values: a first run finds out.
    nothing = torch.zeros(len(wide.timesteps), count, *shape, dtype=torch.float64)
    _, asked = trajectory(wide, network, torch.zeros(count, *shape, dtype=torch.float64), nothing, more)
    start, noise = draws_of_pictures(seed, count, shape, len(asked), asked)
    states, _ = trajectory(wide, network, start, noise, more)
    states32, _ = trajectory(own, network, start, noise, more)
    tensors = {"tables.betas": own.betas, "tables.alphas_cumprod": own.alphas_cumprod,
               "tables64.betas": wide.betas, "tables64.alphas_cumprod": wide.alphas_cumprod,
               "timesteps": wide.timesteps, "trajectory.mean": mean, "trajectory.deviation": deviation,
               "trajectory.initial": start, "trajectory.noise": noise, "trajectory.states": states,
               "trajectory32.states": states32}
    singles = []
    for number in range(min(4, len(asked))):
        position = draw.integer(0, len(asked) - 1)
        x, output, fresh = (draw.normal(count, *shape) for _ in range(3))
        time = wide.timesteps[position]
        source = Recorded(fresh)
        previous, data = step(wide, output, time, x, source, more)
        for name, value in dict(sample=x, output=output, noise=fresh, previous=previous, data=data).items():
            tensors[f"step.{number}.{name}"] = value
        singles.append({"timestep": int(time), "position": position, "draws": source.asked})
    if not finite(*tensors.values()):
        return None
    case = {"class": kind, "configuration": settings, "steps": steps, "draws": asked, "noise_seed": seed,
            "single_steps": singles, **more}
    return tensors, case


def main():
    options = arguments(__doc__, cases=6, steps=20)
    for kind, name in (("DDPMScheduler", "ddpm"), ("DDIMScheduler", "ddim"), ("DDIMInverseScheduler", "inverse")):
        index = attempt = 0
        wanted = options.cases if kind != "DDIMInverseScheduler" else max(1, options.cases // 2)
        while index < wanted:
            # Every third case draws its number of steps too.
            made = reference(Draw(options.seed, f"{name}/{attempt}"), kind, index, None if index % 3 == 2 else options.steps)
            attempt += 1
            if made is not None:
                write(options.out, f"{name}-{options.seed}-{index}", made[0], {"seed": options.seed, **made[1]})
                index += 1


if __name__ == "__main__":
    main()
