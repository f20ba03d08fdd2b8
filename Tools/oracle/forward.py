"""The forward process and its posterior: diffusers' add_noise, DDPM equations 6, 7 and 5, in float64."""
import torch
from diffusers import DDPMScheduler

from common import Draw, arguments, use_float64_tables, write


def reference(draw):
    start = draw.real(0.00005, 0.001)
    settings = dict(num_train_timesteps=draw.one(1000, 300, draw.integer(50, 500)), beta_start=start,
                    beta_end=round(start + draw.real(0.008, 0.03), 6),
                    beta_schedule=draw.one("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"))
    scheduler = use_float64_tables(DDPMScheduler(**settings))
    batch = 8
    last = settings["num_train_timesteps"] - 1
    times = torch.tensor([1, last] + [draw.integer(1, last) for _ in range(batch - 2)])
    shape = (batch, draw.integer(1, 3), draw.integer(1, 4), draw.integer(1, 4))
    data, noise, predicted = (draw.normal(*shape) for _ in range(3))
    noisy = scheduler.add_noise(data, noise, times)

    def column(values):
        return values.view(-1, 1, 1, 1)

    beta, alpha = scheduler.betas[times], scheduler.alphas[times]
    product, before = scheduler.alphas_cumprod[times], scheduler.alphas_cumprod[times - 1]
    variance = (1 - before) / (1 - product) * beta                                           # equation 7
    mean = column(before.sqrt() * beta / (1 - product)) * data \
        + column(alpha.sqrt() * (1 - before) / (1 - product)) * noisy                       # equation 7
    from_noise = column(1 / alpha.sqrt()) * (noisy - column(beta / (1 - product).sqrt()) * predicted)   # equation 11
    # Equation 5: KL of the two Gaussians of equal variance, in nats per element, and the weight of equation 12.
    divergence = (mean - from_noise) ** 2 / column(2 * variance)
    weight = beta**2 / (2 * variance * alpha * (1 - product))
    tensors = {"data": data, "noise": noise, "predicted_noise": predicted, "timesteps": times, "noisy": noisy,
               "velocity": scheduler.get_velocity(data, noise, times), "posterior.mean": mean,
               "posterior.variance": variance, "model.mean": from_noise, "divergence": divergence, "weight": weight,
               "betas": scheduler.betas, "alphas_cumprod": scheduler.alphas_cumprod,
               "prior_divergence": 0.5 * (column(scheduler.alphas_cumprod[-1:]) * data**2 - scheduler.alphas_cumprod[-1]
                                          - torch.log(1 - scheduler.alphas_cumprod[-1]))}
    return tensors, {"configuration": settings}


def main():
    options = arguments(__doc__, cases=3)
    for index in range(options.cases):
        tensors, case = reference(Draw(options.seed, f"forward/{index}"))
        write(options.out, f"forward-{options.seed}-{index}", tensors, {"seed": options.seed, **case})


if __name__ == "__main__":
    main()
