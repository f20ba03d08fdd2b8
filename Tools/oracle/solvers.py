"""Trajectories of every scheduler of diffusers, and of k-diffusion's methods, on exactly solvable models in float64."""
import inspect
import sys

import torch

import kdiffusion
import schedulers
from common import Draw, arguments, betas_float64, write
from mixture import Mixture, Noise, drawn_mixture

PREDICTIONS = ("epsilon", "sample", "v_prediction")
NOISE_OF_ALGORITHM = ("dpmsolver", "sde-dpmsolver")


# --- drawing configurations ------------------------------------------------------------------------------------


def process(draw, kinds=("linear", "scaled_linear", "squaredcos_cap_v2"), rescale=True):
    """A table of betas."""
    if draw.chance(0.15):
        count = draw.integer(24, 40)
        betas = {"trained_betas": sorted(draw.real(0.005, 0.35) for _ in range(count))}
    else:
        count = draw.one(1000, 1000, draw.integer(80, 600))
        scale = 1000 / count
        betas = {"beta_schedule": draw.one(*kinds), "beta_start": round(draw.real(1e-4, 2e-3) * scale, 6),
                 "beta_end": round(draw.real(0.008, 0.025) * scale, 6)}
    if rescale and draw.chance(0.3):
        betas["rescale_betas_zero_snr"] = True
    return {"num_train_timesteps": count, **betas}


def spacing(draw, *without):
    kinds = [kind for kind in ("leading", "trailing", "linspace") if kind not in without]
    return {"timestep_spacing": draw.one(*kinds), "steps_offset": draw.one(0, 1, draw.integer(0, 4))}


def clipping(draw, dynamic=True):
    flags = {"clip_sample": draw.chance(0.5)}
    if draw.chance(0.5):
        flags["clip_sample_range"] = draw.real(0.5, 2.5)
    return {**flags, **(thresholding(draw) if dynamic else {})}


def thresholding(draw):
    if draw.chance(0.7):
        return {}
    return {"thresholding": True, "dynamic_thresholding_ratio": draw.real(0.5, 1),
            "sample_max_value": draw.real(1, 2.5)}


def chosen_sigmas(draw, *further):
    """At most one of the ways of choosing sigmas that exclude each other."""
    kinds = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", *further]
    kind = draw.one(None, None, *kinds)
    return {kind: True} if kind else {}


def ends(draw):
    return {"final_sigmas_type": draw.one("zero", "sigma_min")}


def range_of_sigmas(draw):
    flags = {"sigma_min": draw.real(0.01, 0.1)} if draw.chance(0.4) else {}
    return {**flags, "sigma_max": draw.real(5, 40)} if draw.chance(0.4) else flags


def sigma_space(draw, *predictions):
    return {**process(draw, rescale=False), **spacing(draw), "prediction_type": draw.one(*predictions)}


def with_flow(draw, flags, **options):
    """Turns a configuration into one of a straight path; only the predictions that fit it are kept."""
    if not draw.chance(0.3):
        return flags, {}
    for key in ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas",
                "rescale_betas_zero_snr"):
        flags.pop(key, None)
    noise = flags.get("algorithm_type") in (*NOISE_OF_ALGORITHM, "noise_prediction")
    noise = noise or flags.get("predict_x0") is False
    kind = draw.one("epsilon", "sample") if noise else draw.one("flow_prediction", "flow_prediction", "epsilon")
    flags |= {"use_flow_sigmas": True, "flow_shift": draw.real(0.5, 4), "prediction_type": kind}
    if options.get("dynamic") and draw.chance(0.4):
        flags |= {"use_dynamic_shifting": True, "time_shift_type": "exponential"}
        return flags, {"mu": draw.real(0.2, 1.5)}
    return flags, {}


def log_snr(draw):
    """What DPM-Solver's relatives share."""
    return {**process(draw, rescale=False), **thresholding(draw), **chosen_sigmas(draw),
            "prediction_type": draw.one(*PREDICTIONS)}


def may_learn_variance(draw):
    # diffusers takes the first three channels then: all of them here, where D is at most 3.
    return {"variance_type": draw.one("learned", "learned_range")} if draw.chance(0.15) else {}


def may_clip_lambda(draw):
    return {"lambda_min_clipped": draw.real(-6, -1.5)} if draw.chance(0.3) else {}


def ddpm(draw):
    kinds = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
    return {**process(draw, kinds), **clipping(draw), **spacing(draw), "prediction_type": draw.one(*PREDICTIONS),
            "variance_type": draw.one("fixed_small", "fixed_small_log", "fixed_large")}, {}


def ddim(draw):
    return {**process(draw), **clipping(draw), **spacing(draw), "prediction_type": draw.one(*PREDICTIONS),
            "set_alpha_to_one": draw.chance(0.5)}, draw.one({}, {"eta": draw.one(0.5, 1.0, draw.real(0, 1))})


def ddim_inverse(draw):
    return {**process(draw), **clipping(draw, dynamic=False), **spacing(draw, "linspace"),
            "prediction_type": draw.one(*PREDICTIONS), "set_alpha_to_one": draw.chance(0.5)}, {}


def pndm(draw):
    return {**process(draw, rescale=False), **spacing(draw), "prediction_type": draw.one("epsilon", "v_prediction"),
            "set_alpha_to_one": draw.chance(0.5), "skip_prk_steps": draw.chance(0.5)}, {}


def lcm(draw):
    flags = {**process(draw), **clipping(draw), **spacing(draw), "prediction_type": draw.one(*PREDICTIONS),
             "set_alpha_to_one": draw.chance(0.5), "timestep_scaling": draw.real(1, 12)}
    return {**flags, "original_inference_steps": draw.integer(12, min(60, flags["num_train_timesteps"]))}, {}


def tcd(draw):
    return lcm(draw)[0], draw.one({}, {"eta": draw.one(0.0, 1.0, draw.real(0, 1))})


def unclip(draw):
    return {"num_train_timesteps": draw.one(1000, draw.integer(80, 600)), "variance_type": "fixed_small_log",
            "beta_schedule": "squaredcos_cap_v2", "prediction_type": draw.one("epsilon", "sample"),
            **clipping(draw, dynamic=False)}, {}


def euler(draw):
    flags = {**sigma_space(draw, *PREDICTIONS), **chosen_sigmas(draw), **range_of_sigmas(draw), **ends(draw),
             "interpolation_type": draw.one("linear", "linear", "log_linear"),
             "timestep_type": draw.one("discrete", "continuous")}
    return {**flags, **({"rescale_betas_zero_snr": True} if draw.chance(0.3) else {})}, {}


def euler_ancestral(draw):
    return {**process(draw), **spacing(draw), "prediction_type": draw.one("epsilon", "v_prediction")}, {}


def heun(draw):
    return {**sigma_space(draw, *PREDICTIONS), **chosen_sigmas(draw), **clipping(draw, dynamic=False)}, {}


def second_order(draw):
    return {**sigma_space(draw, "epsilon", "v_prediction"), **chosen_sigmas(draw)}, {}


def lms(draw):
    return {**sigma_space(draw, *PREDICTIONS), **chosen_sigmas(draw)}, {}


def dpm_sde(draw):
    return {**second_order(draw)[0], **({"noise_sampler_seed": draw.integer(0, 9)} if draw.chance(0.4) else {})}, {}


def dpm_multistep(draw):
    flags = {**log_snr(draw), **chosen_sigmas(draw, "use_lu_lambdas"), **spacing(draw), **ends(draw),
             **may_learn_variance(draw), **may_clip_lambda(draw), "solver_order": draw.integer(1, 3),
             "algorithm_type": draw.one("dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"),
             "solver_type": draw.one("midpoint", "heun"), "lower_order_final": draw.chance(0.6),
             "euler_at_final": draw.chance(0.3)}
    flags |= {"rescale_betas_zero_snr": True} if draw.chance(0.3) else {}
    return with_flow(draw, exclusive(flags), dynamic=True)


def exclusive(flags):
    """Keeps the last of the flags that exclude each other."""
    kinds = [key for key in flags if key.startswith("use_") and key.endswith(("_sigmas", "_lambdas"))]
    for key in kinds[:-1]:
        del flags[key]
    return flags


def dpm_multistep_inverse(draw):
    flags = {**log_snr(draw), **spacing(draw), **may_learn_variance(draw), **may_clip_lambda(draw),
             "solver_order": draw.integer(1, 3), "algorithm_type": draw.one("dpmsolver", "dpmsolver++"),
             "solver_type": draw.one("midpoint", "heun"), "lower_order_final": draw.chance(0.6),
             "euler_at_final": draw.chance(0.3)}
    return with_flow(draw, flags)


def dpm_singlestep(draw):
    flags = {**log_snr(draw), **ends(draw), **may_learn_variance(draw), **may_clip_lambda(draw),
             "solver_order": draw.integer(1, 3), "lower_order_final": draw.chance(0.6),
             "algorithm_type": draw.one("dpmsolver", "dpmsolver++", "sde-dpmsolver++"),
             "solver_type": draw.one("midpoint", "heun")}
    return with_flow(draw, flags, dynamic=True)


def unipc(draw):
    flags = {**log_snr(draw), **spacing(draw), **ends(draw), **range_of_sigmas(draw),
             "solver_order": draw.integer(1, 3), "solver_type": draw.one("bh1", "bh2"),
             "lower_order_final": draw.chance(0.6), "predict_x0": draw.chance(0.6)}
    flags |= {"rescale_betas_zero_snr": True} if draw.chance(0.3) else {}
    flags |= {"disable_corrector": sorted({draw.integer(0, 3) for _ in range(2)})} if draw.chance(0.3) else {}
    flags, _ = with_flow(draw, flags)
    if not flags.get("use_flow_sigmas"):
        return flags, {}
    kind = draw.one("plain", "terminal", "dynamic", "karras")
    if kind == "terminal":
        flags["shift_terminal"] = draw.real(0.02, 0.2)
    if kind == "karras":
        flags["use_karras_sigmas"] = True
    if kind == "dynamic":
        kind = draw.one("exponential", "linear")
        return {**flags, "use_dynamic_shifting": True, "time_shift_type": kind}, {"mu": draw.real(0.3, 2)}
    return flags, {}


def deis(draw):
    flags = {**log_snr(draw), **spacing(draw), "solver_order": draw.integer(1, 3), "algorithm_type": "deis",
             "solver_type": "logrho", "lower_order_final": draw.chance(0.6)}
    return with_flow(draw, flags, dynamic=True)


def stochastic_adams(draw):
    flags = {**log_snr(draw), **spacing(draw), **may_learn_variance(draw), **may_clip_lambda(draw),
             "predictor_order": draw.integer(1, 3), "corrector_order": draw.integer(1, 3),
             "algorithm_type": draw.one("data_prediction", "data_prediction", "noise_prediction"),
             "lower_order_final": draw.chance(0.7)}
    return with_flow(draw, flags)


def ipndm(draw):
    if draw.chance(0.3):
        # The class reads this key as the sigmas of one run: as many as it has steps, and one more.
        count = draw.integer(4, 11)
        sigmas = sorted((draw.real(0.02, 0.98) for _ in range(count)), reverse=True)
        return {"num_train_timesteps": count, "trained_betas": sigmas}, {}
    return {"num_train_timesteps": draw.one(1000, draw.integer(50, 500))}, {}


def edm(draw):
    return {"sigma_min": draw.real(0.002, 0.05), "sigma_max": draw.real(5, 80), "sigma_data": draw.real(0.3, 1.5),
            "sigma_schedule": draw.one("karras", "exponential"), "rho": draw.real(3, 9),
            "num_train_timesteps": draw.one(1000, draw.integer(50, 500)),
            "prediction_type": draw.one("epsilon", "v_prediction"), **ends(draw)}, {}


def edm_multistep(draw):
    return {**edm(draw)[0], **thresholding(draw), "solver_order": draw.integer(1, 3),
            "algorithm_type": draw.one("dpmsolver++", "sde-dpmsolver++"),
            "solver_type": draw.one("midpoint", "heun"), "lower_order_final": draw.chance(0.6),
            "euler_at_final": draw.chance(0.3)}, {}


def consistency(draw):
    return {"num_train_timesteps": draw.integer(15, 60), "sigma_min": draw.real(0.002, 0.05),
            "sigma_max": draw.real(5, 80), "sigma_data": draw.real(0.3, 1.5), "s_noise": draw.real(0.8, 1.2),
            "rho": draw.real(3, 9), "clip_denoised": draw.chance(0.5)}, {}


def flow_heun(draw):
    return {"num_train_timesteps": draw.one(1000, draw.integer(50, 500)), "shift": draw.real(0.5, 4)}, {}


def flow_lcm(draw):
    flags = {**flow_heun(draw)[0], **chosen_sigmas(draw), "time_shift_type": draw.one("exponential", "linear")}
    if draw.chance(0.25):
        flags["upscale_mode"] = "nearest"
    if draw.chance(0.25):
        flags["invert_sigmas"] = True
    if draw.chance(0.3):
        flags["shift_terminal"] = draw.real(0.02, 0.2)
    if draw.chance(0.5):
        return flags, {}
    flags |= {"use_dynamic_shifting": True, "base_shift": draw.real(0.3, 0.7), "max_shift": draw.real(0.9, 1.4),
              "base_image_seq_len": draw.one(256, 128), "max_image_seq_len": draw.one(4096, 8192)}
    return flags, {"mu": draw.real(0.3, 2)}


def flow_euler(draw):
    flags, options = flow_lcm(draw)
    flags.pop("upscale_mode", None)
    return {**flags, "stochastic_sampling": draw.chance(0.3)}, options


def variance_exploding(draw):
    return {"num_train_timesteps": draw.integer(50, 2000), "snr": draw.real(0.05, 0.3),
            "sigma_min": draw.real(0.01, 0.1), "sigma_max": draw.real(5, 100), "sampling_eps": draw.real(1e-5, 1e-3),
            "correct_steps": draw.integer(0, 2)}, {}


DRAWN = {
    "DDPMScheduler": ddpm, "DDIMScheduler": ddim, "DDIMInverseScheduler": ddim_inverse, "PNDMScheduler": pndm,
    "LCMScheduler": lcm, "TCDScheduler": tcd, "UnCLIPScheduler": unclip, "EulerDiscreteScheduler": euler,
    "EulerAncestralDiscreteScheduler": euler_ancestral, "HeunDiscreteScheduler": heun,
    "KDPM2DiscreteScheduler": second_order, "KDPM2AncestralDiscreteScheduler": second_order,
    "LMSDiscreteScheduler": lms, "DPMSolverSDEScheduler": dpm_sde, "DPMSolverMultistepScheduler": dpm_multistep,
    "DPMSolverMultistepInverseScheduler": dpm_multistep_inverse, "DPMSolverSinglestepScheduler": dpm_singlestep,
    "UniPCMultistepScheduler": unipc, "DEISMultistepScheduler": deis, "SASolverScheduler": stochastic_adams,
    "IPNDMScheduler": ipndm, "EDMEulerScheduler": edm, "EDMDPMSolverMultistepScheduler": edm_multistep,
    "CMStochasticIterativeScheduler": consistency, "FlowMatchEulerDiscreteScheduler": flow_euler,
    "FlowMatchHeunDiscreteScheduler": flow_heun, "FlowMatchLCMScheduler": flow_lcm,
    "ScoreSdeVeScheduler": variance_exploding,
}
# --solver NAME: the class that it stands for, and what it fixes there.
SOLVERS = {
    "ddpm": ("DDPMScheduler", {}), "ddim": ("DDIMScheduler", {}), "plms": ("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": ("EulerDiscreteScheduler", {}), "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}), "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2-a": ("KDPM2AncestralDiscreteScheduler", {}), "lms": ("LMSDiscreteScheduler", {}),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp-2m-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpm-single": ("DPMSolverSinglestepScheduler",
                   {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
    "dpmpp-single": ("DPMSolverSinglestepScheduler", {}), "dpmpp-sde": ("DPMSolverSDEScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}), "deis": ("DEISMultistepScheduler", {}), "ipndm": ("IPNDMScheduler", {}),
    "lcm": ("LCMScheduler", {}), "tcd": ("TCDScheduler", {}), "consistency": ("CMStochasticIterativeScheduler", {}),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {}), "flow-heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "sa-solver": ("SASolverScheduler", {}),
}


# --- cases -----------------------------------------------------------------------------------------------------


class Unsteady(Mixture):
    """A mixture that errs by some fifty times the rounding of float64, to see how far that grows."""

    def __init__(self, mixture):
        super().__init__(**mixture.parameters)

    def output(self, prediction, x, alpha, sigma):
        return super().output(prediction, x, alpha, sigma) * (1 + 1e-14 * torch.cos(1e3 * x))


class Case:
    """One run: what was asked, and what the reference gave."""

    def __init__(self, name, make, draw, steps, options, kwargs, further=None):
        # The exact network has three channels at most where diffusers reads only the first three.
        dimension = draw.integer(1, 3) if self.is_small or kwargs.get("variance_type") else None
        self.mixture = drawn_mixture(draw, dimension)
        # Its correction couples the pictures of a batch; one alone has the step size that it has in every batch.
        count = 1 if name == "ScoreSdeVeScheduler" else 3
        latents = draw.normal(count, self.mixture.dimension)
        self.seed = draw.integer(0, 10**6)
        scheduler = make()
        check_tables(scheduler)
        configuration = schedulers.saved(scheduler)

        def run(scheduler, mixture):
            return schedulers.run(name, scheduler, mixture, latents, steps, options, Noise(self.seed, count))

        self.tensors, counted = run(scheduler, self.mixture)
        states, nearby = self.tensors["states"], run(make(), Unsteady(self.mixture))[0]["states"]
        if float((states - nearby).abs().max()) > 1e-9 * float(states.abs().max()):
            raise schedulers.Refused("rounding grows too far")
        self.json = {
            "class": name, "configuration": configuration, "kwargs": kwargs, "steps": steps, "options": options,
            "noise_seed": self.seed, **counted,
            "time_tolerance": time_tolerance(name, configuration),
            "prediction": prediction(name, configuration),
            "mixture": self.mixture.parameters, **(further or {})}

    is_small = False


def prediction(name, configuration):
    """What the network gives, in the words of an analytic file; data where the class preconditions it itself."""
    if name in schedulers.FLOW:
        return "flow"
    if name in schedulers.PRECONDITIONED or name == "CMStochasticIterativeScheduler":
        return "data"
    if name in ("IPNDMScheduler", "ScoreSdeVeScheduler"):
        return "v" if name == "IPNDMScheduler" else "score"
    words = {"epsilon": "noise", "sample": "data", "v_prediction": "v", "flow_prediction": "flow"}
    return words[configuration["prediction_type"]]


def time_tolerance(name, configuration):
    """1 where the class cuts times off at whole numbers: one that is whole but for rounding falls on either side."""
    kinds = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas")
    return 1 if name in schedulers.LOG_SNR and any(configuration.get(kind) for kind in kinds) else 0


def drawn_steps(name, draw, flags, limit):
    most = min(limit, flags.get("num_train_timesteps", 1000) - 1, flags.get("original_inference_steps", limit))
    if name == "IPNDMScheduler" and "trained_betas" in flags:
        return flags["num_train_timesteps"] - 1
    return draw.integer(4 if name == "PNDMScheduler" else min(3, most), most)


def shown(name, flags, options):
    """The flags that are not as the class has them, with their values where those are words, and the options."""
    defaults = inspect.signature(schedulers.scheduler_class(name).__init__).parameters
    changed = {(key, value if isinstance(value, (str, bool)) else "set")
               for key, value in flags.items() if value != defaults[key].default}
    return changed | {(key, "option") for key in options}


def tried(name, draw, flags, options, limit, without):
    """The case of a configuration, None where diffusers does not take it or its result is not finite."""
    if set(options) & set(without):
        return None
    steps = drawn_steps(name, draw, flags, limit)
    try:
        return Case(name, lambda: schedulers.scheduler_class(name)(**flags), draw, steps, options, flags)
    except (schedulers.Refused, ValueError, NotImplementedError, AssertionError):
        return None


def cases(name, seed, count, limit=12, choices=60, most=6, without=()):
    """`count` cases of a class, each the one of `choices` that shows the most flags not yet seen.

    Count 0 means at least 2, and as many, up to `most`, as show a flag that none before has.
    """
    seen = set()
    for index in range(count or most):
        drawn = []
        for attempt in range(choices):
            draw = Draw(seed, f"{name}/{index}/{attempt}")
            flags, options = DRAWN[name](draw)
            drawn.append((draw, flags, options, shown(name, flags, options) - seen))
        known = {key for key, _ in seen}
        drawn.sort(key=lambda entry: (len({key for key, _ in entry[3]} - known), len(entry[3])), reverse=True)
        if not count and index >= 2 and {key for key, _ in drawn[0][3]} <= known:
            return
        found = ((tried(name, *entry[:3], limit, without), entry[3]) for entry in drawn)
        case, new = next((pair for pair in found if pair[0]), (None, None))
        if case is None:
            raise SystemExit(f"{name}: no case of seed {seed} is finite")
        seen |= new
        yield case


def conversions(seed, count, limit=12):
    """Cases of --solver NAME over the configuration of another class."""
    flow = ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler")
    discrete = [name for name in DRAWN if name in schedulers.SIGMA_SPACE | schedulers.LOG_SNR or
                name in ("DDPMScheduler", "DDIMScheduler", "PNDMScheduler")]
    names = list(SOLVERS)
    first = Draw(seed, "conversions").integer(0, len(names) - 1)
    for index in range(count):
        solver = names[(first + index) % len(names)]
        target, fixed = SOLVERS[solver]
        for attempt in range(200):
            draw = Draw(seed, f"{solver}/{index}/{attempt}")
            if target in schedulers.FLOW:
                source = draw.one(*flow)
            elif solver == "consistency":
                source = draw.one("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
            else:
                source = draw.one(*discrete)
            flags, options = DRAWN[source](draw)
            if source == target or options or not fits(solver, source, flags):
                continue
            try:
                configuration = schedulers.saved(schedulers.scheduler_class(source)(**flags))
                steps = drawn_steps(target, draw, configuration, limit)
                case = Case(
                    target, lambda: schedulers.scheduler_class(target).from_config(configuration, **fixed), draw,
                    steps, {}, flags, {"solver": solver, "source": source})
            except (schedulers.Refused, ValueError, NotImplementedError, AssertionError):
                continue
            case.json["converted"] = case.json["configuration"]
            case.json["configuration"] = configuration
            yield case
            break
        else:
            raise SystemExit(f"{solver}: no conversion of seed {seed} is finite")


def fits(solver, source, flags):
    """Whether the name alone says which method this is: a given algorithm or a path may say another."""
    if flags.get("use_flow_sigmas") and SOLVERS[solver][0] not in schedulers.LOG_SNR:
        return False
    return not (solver.startswith("dpm") and flags.get("algorithm_type", "dpmsolver++") != "dpmsolver++"
                and source.startswith("DPM"))


# --- tables ----------------------------------------------------------------------------------------------------


def check_tables(scheduler):
    """The tables that diffusers made are the closed forms in float64."""
    # A configuration of another class leaves keys here that this one does not read.
    read = inspect.signature(type(scheduler).__init__).parameters
    configuration = {key: value for key, value in scheduler.config.items() if key in read}
    if "beta_start" not in configuration:
        return
    betas = betas_float64(configuration)
    product, products = 1.0, []
    for beta in betas.tolist():
        product *= 1 - beta
        products.append(product)
    if configuration.get("rescale_betas_zero_snr") and type(scheduler).__name__ in CLIPPED:
        products[-1] = 2**-24
    for ours, name in ((betas, "betas"), (torch.tensor(products), "alphas_cumprod")):
        difference = float((ours - getattr(scheduler, name)).abs().max())
        if not difference <= 1e-15:
            raise SystemExit(f"{type(scheduler).__name__}: {name} differs from its closed form by {difference:.1e}")


# These keep a little signal at the last time.
CLIPPED = {"EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler",
           "UniPCMultistepScheduler"}


def tables(seed):
    """betas and their running products of every named table, with and without signal at the end."""
    draw, tensors, made = Draw(seed, "tables"), {}, []
    for kind in ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"):
        for rescale in (False, True):
            flags = {"num_train_timesteps": draw.integer(30, 60), "beta_start": draw.real(1e-3, 5e-3),
                     "beta_end": draw.real(0.1, 0.4), "beta_schedule": kind, "rescale_betas_zero_snr": rescale}
            scheduler = schedulers.scheduler_class("DDPMScheduler")(**flags)
            check_tables(scheduler)
            tensors[f"{len(made)}.betas"] = scheduler.betas
            tensors[f"{len(made)}.alphas_cumprod"] = scheduler.alphas_cumprod
            made.append(schedulers.saved(scheduler))
    return tensors, {"configurations": made}


def main():
    options = arguments(__doc__, cases=0, steps=12, conversions=23, only="", k_diffusion="")
    Case.is_small = options.steps <= 12
    size = 0
    for name in DRAWN:
        if options.only and options.only not in name:
            continue
        for index, case in enumerate(cases(name, options.seed, options.cases, options.steps)):
            short = name.removesuffix("Scheduler")
            size += write(options.out, f"{short}-{options.seed}-{index}", case.tensors, case.json)
    if options.only:
        return
    for index, case in enumerate(conversions(options.seed, options.conversions, options.steps)):
        size += write(options.out, f"convert-{options.seed}-{index}", case.tensors, case.json)
    size += write(options.out, f"tables-{options.seed}", *tables(options.seed))
    if options.k_diffusion:
        for name, tensors, case in kdiffusion.cases(options.k_diffusion, options.seed):
            size += write(options.out, f"k-{name}-{options.seed}", tensors, case)
    else:
        print("k-diffusion's methods are left out: give --k-diffusion FILE, its sampling.py", file=sys.stderr)
    print(f"{size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
