"""Trajectories of every scheduler of diffusers, and of k-diffusion's methods, on exactly solvable models in float64."""
import inspect
import sys

import torch

import kdiffusion
import schedulers
from common import Draw, arguments, betas_float64, write
from mixture import Mixture, Noise, drawn_mixture
from scheduler_draws import DRAWN, SOLVERS


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
