"""DDIM as the notes S0 spell it (skips, eta), inversion and back, and spherical interpolation, in float64."""
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from common import Draw, arguments, betas_float64, use_float64_tables, write
from ddpm import GaussianNetwork, draws_of_pictures, trajectory


def ddim_step(x, t, noise, level, next_level, eta, fresh):
    """S0's step, line for line: `level` and `next_level` are the products of alphas at this time and the next."""
    variance = (1 - next_level) / (1 - level) * (1 - level / next_level)
    sigma = variance.sqrt() * eta
    data = (x - (1 - level).sqrt() * noise) / level.sqrt()
    x = next_level.sqrt() * data + ((1 - next_level) - sigma**2).sqrt() * noise
    return x + sigma * fresh if t > 0 else x


def sample(network, levels, start, fresh, skips, eta):
    """S0's loop: times are the multiples of `skips`, downwards; the last step goes to level one."""
    times = list(reversed(range(0, len(levels), skips)))
    states, x = [], start
    for i, t in enumerate(times):
        following = levels[times[i + 1]] if t > 0 else torch.tensor(1.0, dtype=torch.float64)
        x = ddim_step(x, t, network(x, levels[t]), levels[t], following, eta, fresh[i])
        states.append(x)
    return times, torch.stack(states)


def gaussian(draw, kind="epsilon"):
    shape = (draw.integer(1, 3), draw.integer(2, 4), draw.integer(2, 4))
    mean, deviation = draw.normal(*shape), 0.2 + 0.5 * draw.normal(*shape).abs()
    return shape, GaussianNetwork(mean, deviation, kind), {"mean": mean, "deviation": deviation}


def schedule(draw, *kinds):
    start = draw.real(0.00005, 0.001)
    return dict(num_train_timesteps=draw.one(1000, 400, 200), beta_start=start,
                beta_end=round(start + draw.real(0.008, 0.02), 6), beta_schedule=draw.one(*kinds))


def literal(draw, eta):
    settings = schedule(draw, "linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
    levels = torch.cumprod(1 - betas_float64(settings), 0)
    skips = draw.one(draw.integer(12, 25), settings["num_train_timesteps"] // 20)
    times = list(reversed(range(0, len(levels), skips)))
    asked = [t > 0 and eta > 0 for t in times]
    shape, network, tensors = gaussian(draw)
    count, seed = draw.integer(1, 2), draw.integer(0, 2**31)
    start, fresh = draws_of_pictures(seed, count, shape, len(times), asked)
    times, states = sample(network, levels, start, fresh, skips, eta)
    tensors.update(initial=start, noise=fresh, states=states, timesteps=torch.tensor(times), alphas_cumprod=levels)
    return tensors, {"kind": "ddim", "configuration": settings, "skips": skips, "eta": eta, "noise_seed": seed,
                     "draws": asked}


def inversion(draw, steps):
    """Data to latent by DDIMInverseScheduler and back by DDIMScheduler, each with `steps` steps."""
    settings = schedule(draw, "linear", "scaled_linear", "squaredcos_cap_v2")
    settings.update(clip_sample=False, set_alpha_to_one=False, timestep_spacing="leading", steps_offset=0)
    shape, network, tensors = gaussian(draw)
    data = network.mean + network.deviation * draw.normal(2, *shape)
    inverse = use_float64_tables(DDIMInverseScheduler(**settings))
    forward = use_float64_tables(DDIMScheduler(**settings))
    inverse.set_timesteps(steps)
    forward.set_timesteps(steps)
    nothing = torch.zeros(steps, *data.shape, dtype=torch.float64)
    upward, _ = trajectory(inverse, network, data, nothing, {})
    downward, _ = trajectory(forward, network, upward[-1], nothing, {"eta": 0.0})
    tensors.update(data=data, latent_states=upward, states=downward, inverse_timesteps=inverse.timesteps,
                   timesteps=forward.timesteps)
    return tensors, {"kind": "inversion", "configuration": settings, "steps": steps,
                     "round_trip_error": float((downward[-1] - data).abs().max())}


def spherical(draw):
    """slerp of whole pictures (DDIM paper, equation 67); at parallel pictures it is linear."""
    shape = (draw.integer(1, 4), draw.integer(2, 6), draw.integer(2, 6))
    first, second = draw.normal(*shape), draw.normal(*shape) * draw.real(0.5, 2)
    weights = torch.tensor([0.0, 1.0] + [draw.real(-0.2, 1.2) for _ in range(5)], dtype=torch.float64)
    angle = torch.acos((first * second).sum() / (first.norm() * second.norm()))
    mixed = [(torch.sin((1 - w) * angle) * first + torch.sin(w * angle) * second) / torch.sin(angle) for w in weights]
    return {"first": first, "second": second, "weights": weights, "angle": angle,
            "mixed": torch.stack(mixed)}, {"kind": "slerp"}


def main():
    options = arguments(__doc__)
    draw = Draw(options.seed, "s0")
    etas = [0.0, 0.3, 1.0, draw.real(0, 1)]
    made = {f"eta{i}": literal(draw, eta) for i, eta in enumerate(etas)}
    made.update({f"inversion{steps}": inversion(Draw(options.seed, "inversion"), steps) for steps in (5, 20)})
    made["slerp"] = spherical(draw)
    for name, (tensors, case) in made.items():
        write(options.out, f"s0-{options.seed}-{name}", tensors, {"seed": options.seed, **case})


if __name__ == "__main__":
    main()
