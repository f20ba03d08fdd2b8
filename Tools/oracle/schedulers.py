"""diffusers' schedulers in float64, and their runs on an exactly solvable model.

diffusers writes float32 into its tables, its grids and some of its steps. Here every scheduling module sees a `torch`
and a `numpy` in which `float32` is float64, and torch's default is float64 as well; all else is diffusers' own code.
"""
import importlib
import json
import logging
import math
import sys
import types
import warnings

import diffusers
import numpy as np
import torch

MODULES = {
    "DDPMScheduler": "ddpm", "DDIMScheduler": "ddim", "DDIMInverseScheduler": "ddim_inverse",
    "PNDMScheduler": "pndm", "LCMScheduler": "lcm", "TCDScheduler": "tcd", "UnCLIPScheduler": "unclip",
    "EulerDiscreteScheduler": "euler_discrete", "EulerAncestralDiscreteScheduler": "euler_ancestral_discrete",
    "HeunDiscreteScheduler": "heun_discrete", "KDPM2DiscreteScheduler": "k_dpm_2_discrete",
    "KDPM2AncestralDiscreteScheduler": "k_dpm_2_ancestral_discrete", "LMSDiscreteScheduler": "lms_discrete",
    "DPMSolverSDEScheduler": "dpmsolver_sde", "DPMSolverMultistepScheduler": "dpmsolver_multistep",
    "DPMSolverMultistepInverseScheduler": "dpmsolver_multistep_inverse",
    "DPMSolverSinglestepScheduler": "dpmsolver_singlestep", "UniPCMultistepScheduler": "unipc_multistep",
    "DEISMultistepScheduler": "deis_multistep", "SASolverScheduler": "sasolver", "IPNDMScheduler": "ipndm",
    "EDMEulerScheduler": "edm_euler", "EDMDPMSolverMultistepScheduler": "edm_dpmsolver_multistep",
    "CMStochasticIterativeScheduler": "consistency_models",
    "FlowMatchEulerDiscreteScheduler": "flow_match_euler_discrete",
    "FlowMatchHeunDiscreteScheduler": "flow_match_heun_discrete", "FlowMatchLCMScheduler": "flow_match_lcm",
    "ScoreSdeVeScheduler": "sde_ve",
}
SIGMA_SPACE = {
    "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler", "LMSDiscreteScheduler", "DPMSolverSDEScheduler"}
LOG_SNR = {
    "DPMSolverMultistepScheduler", "DPMSolverMultistepInverseScheduler", "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "SASolverScheduler"}
PRECONDITIONED = {"EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"}
FLOW = {"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler"}


class Wide:
    """A namespace with some of its names changed."""

    def __init__(self, real, **changed):
        self.__dict__.update(changed)
        self.__dict__["_real"] = real

    def __getattr__(self, name):
        return getattr(self._real, name)


def load():
    """The scheduling modules by class name, in float64."""
    torch.set_default_dtype(torch.float64)
    warnings.filterwarnings("ignore")
    # One module imports it for its tree of noise, which `run` replaces by independent draws.
    sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
    modules = {}
    for name, file in MODULES.items():
        module = importlib.import_module("diffusers.schedulers.scheduling_" + file)
        module.torch = Wide(torch, float32=torch.float64)
        if hasattr(module, "np"):
            module.np = Wide(np, float32=np.float64)
        modules[name] = module
    diffusers.logging.set_verbosity(logging.CRITICAL)
    return modules


LOADED = load()


def scheduler_class(name):
    return getattr(LOADED[name], name)


def saved(scheduler):
    """What `save_config` writes into scheduler_config.json."""
    return json.loads(scheduler.to_json_string())


class Refused(Exception):
    """diffusers does not run this combination, or what it gives is not finite."""


def number(value):
    return float(value.item() if isinstance(value, torch.Tensor) else value)


def level(name, scheduler, t):
    """The scheduler's own (alpha, sigma) for the sample that it hands over, before `step`."""
    if name == "DDIMInverseScheduler":
        before = min(int(t) - scheduler.config.num_train_timesteps // scheduler.num_inference_steps,
                     scheduler.config.num_train_timesteps - 1)
        bar = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.initial_alpha_cumprod
        return number(bar) ** 0.5, (1 - number(bar)) ** 0.5
    if hasattr(scheduler, "_step_index") and scheduler.step_index is None:
        scheduler._init_step_index(t)
        if scheduler.step_index != 0:
            # Where the first time comes twice, a class looks it up and starts at the second.
            raise Refused("the run starts in the middle")
    if name in SIGMA_SPACE:
        return 1.0, sigma_space_sigma(name, scheduler)
    if name in LOG_SNR:
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[scheduler.step_index])
        return number(alpha), number(sigma)
    if name in PRECONDITIONED or name == "CMStochasticIterativeScheduler":
        return 1.0, number(scheduler.sigmas[scheduler.step_index])
    if name in FLOW:
        sigma = number(scheduler.sigmas[scheduler.step_index])
        return 1 - sigma, sigma
    if name == "IPNDMScheduler":
        index = scheduler.step_index
        return number(scheduler.alphas[index]), number(scheduler.betas[index])
    bar = number(scheduler.alphas_cumprod[t])
    return bar**0.5, (1 - bar) ** 0.5


def sigma_space_sigma(name, scheduler):
    index = scheduler.step_index
    sigma = scheduler.sigmas[index]
    if not getattr(scheduler, "state_in_first_order", True):
        if name == "KDPM2DiscreteScheduler":
            sigma = scheduler.sigmas_interpol[index]
        elif name == "KDPM2AncestralDiscreteScheduler":
            sigma = scheduler.sigmas_interpol[index - 1]
        elif name == "DPMSolverSDEScheduler":
            sigma = scheduler.mid_point_sigma
    return number(sigma)


def network(name, scheduler, mixture, x, alpha, sigma):
    """What a perfect network would hand to `step`."""
    if name in PRECONDITIONED:
        # D = skip x + out F, the preconditioning of EDM.
        data, _ = mixture.estimate(x, alpha, sigma)
        skip = scheduler.precondition_outputs(torch.ones_like(x), torch.zeros_like(x), sigma)
        out = scheduler.precondition_outputs(torch.zeros_like(x), torch.ones_like(x), sigma)
        return (data - skip * x) / out
    if name == "CMStochasticIterativeScheduler":
        data, _ = mixture.estimate(x, alpha, sigma)
        skip, out = scheduler.get_scalings_for_boundary_condition(torch.tensor(sigma))
        return (data - skip * x) / out if out != 0 else torch.zeros_like(x)
    if name in FLOW:
        return mixture.output("flow_prediction", x, alpha, sigma)
    if name == "IPNDMScheduler":
        return mixture.output("v_prediction", x, alpha, sigma)
    return mixture.output(scheduler.config.prediction_type, x, alpha, sigma)


def is_whole(name, scheduler, call, calls):
    """Whether a step of the method ends with this call of `step`."""
    if call == calls - 1:
        return True
    if name == "PNDMScheduler":
        if scheduler.config.skip_prk_steps:
            return call > 0
        return call >= len(scheduler.prk_timesteps) or call % 4 == 3
    return getattr(scheduler, "state_in_first_order", True)


def run(name, scheduler, mixture, latents, steps, options, noise):
    """The whole trajectory from `latents` [N, D].

    Gives tensors: `states` [steps, N, D] after each whole step of the method, `levels` [steps, 2] (alpha, sigma where
    each begins), `times` [steps], `timesteps` and `sigmas` as the scheduler has them, `final`; and lists for the case:
    `calls` and `draws`, evaluations of the network and draws of noise in each step.
    """
    module = LOADED[name]
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = noise.draw
    if name == "DPMSolverSDEScheduler":
        module.BrownianTreeNoiseSampler = lambda x, *_, **__: lambda *_: noise.draw(x.shape)
    x = latents[:, :, None, None]
    try:
        if name == "ScoreSdeVeScheduler":
            trace = variance_exploding(scheduler, mixture, x, steps, noise)
        else:
            trace = ordinary(name, scheduler, mixture, x, steps, options, noise)
    except (ValueError, IndexError, AssertionError, NotImplementedError, TypeError, RuntimeError, ZeroDivisionError,
            OverflowError, UnboundLocalError) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    states = torch.stack([state.reshape(latents.shape) for state in trace["states"]])
    if not bool(torch.isfinite(states).all()) or float(states.abs().max()) > 1e6:
        raise Refused("not finite")
    tensors = {"latents": latents, "states": states, "final": states[-1],
               "levels": torch.tensor(trace["levels"]), "times": torch.tensor(trace["times"]),
               "timesteps": scheduler.timesteps}
    for table in ("sigmas", "discrete_sigmas"):
        if isinstance(getattr(scheduler, table, None), torch.Tensor):
            tensors[table] = getattr(scheduler, table)
    if not bool(torch.isfinite(tensors["levels"]).all()):
        raise Refused("not finite")
    return tensors, {"calls": trace["calls"], "draws": trace["draws"]}


def ordinary(name, scheduler, mixture, x, steps, options, noise):
    scheduler.set_timesteps(steps, **{key: options[key] for key in ("mu",) if key in options})
    further = {key: value for key, value in options.items() if key != "mu"}
    x = x * number(getattr(scheduler, "init_noise_sigma", 1.0))
    trace = {"states": [], "levels": [], "times": [], "calls": [], "draws": []}
    calls, begins = len(scheduler.timesteps), True
    for call, t in enumerate(scheduler.timesteps):
        alpha, sigma = level(name, scheduler, t)
        if hasattr(scheduler, "scale_model_input"):
            scaled = scheduler.scale_model_input(x, t)
        if name in SIGMA_SPACE and not torch.allclose(scaled, x / math.sqrt(sigma**2 + 1), rtol=1e-13, atol=0,
                                                         equal_nan=True):
            raise SystemExit(f"{name}: the network is handed another level than {sigma}")
        output = network(name, scheduler, mixture, x, alpha, sigma)
        if begins:
            trace["levels"].append([alpha, sigma])
            trace["times"].append(number(t))
            first_call, first_draw = call, noise.draws
        if name == "UnCLIPScheduler":
            further["prev_timestep"] = scheduler.timesteps[call + 1] if call + 1 < calls else None
        shape = x.shape
        x = scheduler.step(output, t, x, **further).prev_sample
        if x.shape != shape:
            raise Refused("the shape changes")
        begins = is_whole(name, scheduler, call, calls)
        if begins:
            trace["states"].append(x)
            trace["calls"].append(call + 1 - first_call)
            trace["draws"].append(noise.draws - first_draw)
    return trace


def variance_exploding(scheduler, mixture, x, steps, noise):
    """As diffusers' ScoreSdeVePipeline runs it: correction, prediction, and the mean of the last prediction."""
    scheduler.set_timesteps(steps)
    scheduler.set_sigmas(steps)
    x = x * number(scheduler.init_noise_sigma)
    trace = {"states": [], "levels": [], "times": [], "calls": [], "draws": []}
    for index, t in enumerate(scheduler.timesteps):
        sigma, before = number(scheduler.sigmas[index]), noise.draws
        for _ in range(scheduler.config.correct_steps):
            x = scheduler.step_correct(mixture.output("score", x, 1.0, sigma), x).prev_sample
        result = scheduler.step_pred(mixture.output("score", x, 1.0, sigma), t, x)
        x = result.prev_sample_mean if index == steps - 1 else result.prev_sample
        trace["levels"].append([1.0, sigma])
        trace["times"].append(sigma)
        trace["states"].append(x)
        trace["calls"].append(scheduler.config.correct_steps + 1)
        trace["draws"].append(noise.draws - before)
    return trace
