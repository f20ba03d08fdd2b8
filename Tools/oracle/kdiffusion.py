"""k-diffusion's own sampling functions in float64 on an exactly solvable model.

Its `sampling.py` is read at run time from a file that the user names. The process is EDM's: a grid of Karras from
sigma_max to sigma_min in N points, then 0; the start is sigma_max * latents; noise is drawn afresh at each request.
"""
import importlib.util
import inspect
import sys
import types

import torch

from common import Draw
from mixture import Noise, drawn_mixture
from schedulers import Wide

# Name of the case, function, --solver NAME, its options; a list is one to draw from.
CHURN = {"s_churn": [4.0, 20.0, 60.0], "s_tmin": [0.0, 0.1], "s_tmax": [30.0, 1e6], "s_noise": [1.0, 1.003]}
METHODS = [
    ("euler", "sample_euler", "euler", {}), ("euler-churn", "sample_euler", "euler", CHURN),
    ("heun", "sample_heun", "heun", {}), ("heun-churn", "sample_heun", "edm", CHURN),
    ("dpm2", "sample_dpm_2", "dpm2", {}), ("dpm2-churn", "sample_dpm_2", "dpm2", CHURN),
    ("lms", "sample_lms", "lms", {}),
    ("euler-a", "sample_euler_ancestral", "euler-a", {}),
    ("euler-a-eta", "sample_euler_ancestral", "euler-a", {"eta": [0.0, 0.3, 0.7]}),
    ("dpm2-a", "sample_dpm_2_ancestral", "dpm2-a", {}),
    ("dpm2-a-eta", "sample_dpm_2_ancestral", "dpm2-a", {"eta": [0.0, 0.3, 0.7]}),
    ("dpmpp-2s-a", "sample_dpmpp_2s_ancestral", "dpmpp-2s-a", {}),
    ("dpmpp-2s-a-eta", "sample_dpmpp_2s_ancestral", "dpmpp-2s-a", {"eta": [0.0, 0.3, 0.7]}),
    ("dpmpp-sde", "sample_dpmpp_sde", "dpmpp-sde", {}),
    ("dpmpp-sde-eta", "sample_dpmpp_sde", "dpmpp-sde", {"eta": [0.0, 0.3, 0.7]}),
    ("dpmpp-2m", "sample_dpmpp_2m", "dpmpp-2m", {}),
    ("dpmpp-2m-sde", "sample_dpmpp_2m_sde", "dpmpp-2m-sde", {}),
    ("dpmpp-2m-sde-heun", "sample_dpmpp_2m_sde", "dpmpp-2m-sde", {"solver_type": ["heun"], "eta": [0.3, 1.0]}),
    ("dpmpp-3m-sde", "sample_dpmpp_3m_sde", "dpmpp-3m-sde", {}),
    ("dpmpp-3m-sde-eta", "sample_dpmpp_3m_sde", "dpmpp-3m-sde", {"eta": [0.0, 0.3, 0.7]}),
    ("dpm-fast", "sample_dpm_fast", "dpm-fast", {}),
    ("dpm-fast-eta", "sample_dpm_fast", "dpm-fast", {"eta": [0.3, 1.0]}),
    ("dpm-adaptive", "sample_dpm_adaptive", "dpm-adaptive", {}),
    ("dpm-adaptive-eta", "sample_dpm_adaptive", "dpm-adaptive", {"eta": [0.3, 1.0], "order": [2, 3]}),
]


def load(path):
    """The module in the file, with what it imports and never needs here left empty."""
    package = types.ModuleType("k_diffusion")
    package.__path__ = []
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, count: x[(...,) + (None,) * (count - x.ndim)]
    package.utils = utils
    ode = types.ModuleType("torchdiffeq")
    ode.odeint = None
    sys.modules.update({"k_diffusion": package, "k_diffusion.utils": utils})
    sys.modules.setdefault("torchdiffeq", ode)
    sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def states(module, function, mixture, latents, process, steps, options, seed):
    """After each step. A run over the first part of the grid ends where the whole run then is."""
    sample = getattr(module, function)

    def model(x, sigma):
        return mixture.estimate(x, 1.0, sigma[0])[0]

    def run(**arguments):
        noise = Noise(seed, len(latents))
        module.torch = Wide(torch, randn_like=lambda x: noise.draw(x.shape))
        if "noise_sampler" in inspect.signature(sample).parameters:
            arguments["noise_sampler"] = lambda *_: noise.draw(latents.shape)
        result = sample(model, latents * process["sigma_max"], disable=True, **arguments)
        return result, noise.draws

    if function in ("sample_dpm_fast", "sample_dpm_adaptive"):
        more = {"n": steps} if function == "sample_dpm_fast" else {}
        ends = {"sigma_min": process["sigma_min"], "sigma_max": process["sigma_max"]}
        result, draws = run(**ends, **more, **options)
        return result[None], [draws], None
    sigmas = module.get_sigmas_karras(steps, process["sigma_min"], process["sigma_max"], process["rho"])
    found, draws = [], [0]
    for count in range(1, steps + 1):
        changed = dict(options)
        if "s_churn" in options:
            # The function divides it by the number of steps that it is given.
            changed["s_churn"] = options["s_churn"] * count / steps
        result, drawn = run(sigmas=sigmas[: count + 1], **changed)
        found.append(result)
        draws.append(drawn)
    return torch.stack(found), [after - before for before, after in zip(draws, draws[1:])], sigmas


def cases(path, seed):
    """(name, tensors, case) of each method, and the tables of sigmas."""
    module = load(path)
    for name, function, solver, options in METHODS:
        draw = Draw(seed, "k-diffusion/" + name)
        options = {key: draw.one(*values) for key, values in options.items()}
        process = {"kind": "edm", "sigma_min": draw.real(0.005, 0.05), "sigma_max": draw.real(5, 80),
                   "rho": draw.real(4, 8)}
        steps, mixture = draw.integer(5, 12), drawn_mixture(draw, draw.integer(1, 3))
        # The adaptive method takes one step size for a batch; a picture alone has its own.
        count = 1 if function == "sample_dpm_adaptive" else 3
        latents, noise_seed = draw.normal(count, mixture.dimension), draw.integer(0, 10**6)
        found, draws, sigmas = states(module, function, mixture, latents, process, steps, options, noise_seed)
        if not bool(torch.isfinite(found).all()):
            raise SystemExit(f"{function}: not finite")
        tensors = {"latents": latents, "states": found, "final": found[-1]}
        if sigmas is not None:
            tensors["sigmas"] = sigmas
        yield name, tensors, {
            "function": function, "solver": solver, "process": process, "steps": steps, "options": options,
            "noise_seed": noise_seed, "draws": draws, "prediction": "data", "mixture": mixture.parameters}
    yield "tables", *tables(module, Draw(seed, "k-diffusion/tables"))


def tables(module, draw):
    low, high, count = draw.real(0.005, 0.05), draw.real(5, 80), draw.integer(6, 12)
    rho, exponent, beta_d, beta_min, eps = (draw.real(4, 8), draw.real(0.5, 2), draw.real(10, 25), draw.real(0.05, 0.2),
                                            draw.real(1e-4, 1e-2))
    tensors = {
        "karras": module.get_sigmas_karras(count, low, high, rho),
        "exponential": module.get_sigmas_exponential(count, low, high),
        "polyexponential": module.get_sigmas_polyexponential(count, low, high, exponent),
        "vp": module.get_sigmas_vp(count, beta_d, beta_min, eps)}
    return tensors, {
        "steps": count, "sigma_min": low, "sigma_max": high, "karras": {"rho": rho},
        "polyexponential": {"rho": exponent}, "vp": {"beta_d": beta_d, "beta_min": beta_min, "eps_s": eps}}
