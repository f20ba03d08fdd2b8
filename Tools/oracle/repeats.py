"""Runs in which steps begin twice at one time or at one level: `langevin sample analytic:FILE.json` beside diffusers.

    repeats.py --program .build/release/langevin --seed 3 [--cases 40] [--only CLASS]
    repeats.py --seed 0 --out Tests/Fixtures/repeats

Where a class looks up the first time of a run and it comes twice, it begins with the second step and ends with an error.
diffusers' pipelines say where a run begins instead (`set_begin_index`), and so does this script. What diffusers serves
must be served with the same samples; what it refuses, or what is not finite there, must be refused with one sentence.
"""
import argparse
import collections
import os
import sys
import tempfile

import torch

import analytic
import schedulers
import solvers
from common import Draw, write
from mixture import Noise, drawn_mixture
from scheduler_draws import DRAWN

# Classes that look a step up by its place, not by its time.
CLASSES = sorted(schedulers.LOG_SNR | schedulers.SIGMA_SPACE | {"EDMDPMSolverMultistepScheduler", "EDMEulerScheduler"})


def beginning(scheduler):
    """The scheduler with runs that begin with their first step, as pipelines have them."""
    own = scheduler.set_timesteps

    def set_timesteps(*values, **named):
        own(*values, **named)
        # The inverse class lacks it, and keeps each time once.
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(0)

    scheduler.set_timesteps = set_timesteps
    return scheduler


def repeats(name, scheduler, steps):
    """Whether a time or a level comes twice in a run."""
    scheduler.set_timesteps(steps)
    times = scheduler.timesteps.tolist()
    if getattr(scheduler, "order", 1) == 2:
        times = times[::2]
    sigmas = scheduler.sigmas.tolist()[:-1]
    if getattr(scheduler, "order", 1) == 2:
        sigmas = sigmas[::2]
    return len(set(times)) < len(times) or len(set(sigmas)) < len(sigmas)


def has_idle_end(scheduler, steps):
    """Whether the last step has no length but for rounding: some classes divide by that, and the program leaves the sample as
    it is."""
    scheduler.set_timesteps(steps)
    last, end = scheduler.sigmas.tolist()[-2:]
    return abs(last - end) <= 1e-9 * last


# A published model's schedule, with steps so close to its noisy end that two of them begin at the time 999.
PUBLISHED = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
             "use_karras_sigmas": True, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}


def made(name, flags, steps, draw):
    """A case, and what diffusers gives: tensors, or why it gives nothing; None where rounding decides."""
    make = lambda: beginning(schedulers.scheduler_class(name)(**flags))
    configuration = schedulers.saved(make())
    mixture, count = drawn_mixture(draw, draw.integer(1, 3)), 3
    latents, noise = draw.normal(count, mixture.dimension), draw.integer(0, 10**6)
    case = {"class": name, "configuration": configuration, "kwargs": flags, "steps": steps, "options": {},
            "noise_seed": noise, "prediction": solvers.prediction(name, configuration), "mixture": mixture.parameters}

    def run(mixture):
        return schedulers.run(name, make(), mixture, latents, steps, {}, Noise(noise, count))[0]

    try:
        found, nearby = run(mixture), run(solvers.Unsteady(mixture))
    except schedulers.Refused as refusal:
        return None if has_idle_end(make(), steps) else (case, {"latents": latents, "final": latents}, str(refusal))
    moved = float((found["states"] - nearby["states"]).abs().max())
    if moved > 1e-9 * float(found["states"].abs().max()):
        return None
    return case, {"latents": latents, "final": found["final"]}, None


def drawn(name, seed, index):
    """A case with a repetition, None where none is found."""
    for attempt in range(400):
        draw = Draw(seed, f"repeats/{name}/{index}/{attempt}")
        flags, options = DRAWN[name](draw)
        flags["num_train_timesteps"] = draw.one(5, 12, 20, 50)
        flags.pop("trained_betas", None)
        # A process with fewer times than leading steps would be asked at one of them all along.
        is_leading = flags.get("timestep_spacing") == "leading" and name in schedulers.SIGMA_SPACE
        steps = draw.integer(2, flags["num_train_timesteps"] if is_leading else 40)
        try:
            if options or not repeats(name, beginning(schedulers.scheduler_class(name)(**flags)), steps):
                continue
            found = made(name, flags, steps, draw)
        except (ValueError, NotImplementedError, AssertionError, IndexError, RuntimeError, ZeroDivisionError):
            continue
        if found:
            return found
    return None


def compared(options, folder):
    failed, table = 0, collections.Counter()
    for name in [name for name in CLASSES if options.only in name]:
        for index in range(options.cases):
            found = drawn(name, options.seed, index)
            if found is None:
                break
            case, tensors, refusal = found
            problem = analytic.run(options.program, case["configuration"], case, tensors, folder)
            is_refused = problem is not None and problem.startswith("exit code 2: error: ")
            table[name, "refused" if refusal else "served"] += 1
            if is_refused if refusal else problem is None:
                continue
            failed += 1
            print(f"{name}: {'diffusers: ' + refusal + '; ' if refusal else ''}program: {problem}\n"
                  f"    {case['steps']} steps, {case['kwargs']}", flush=True)
    for (name, outcome), count in sorted(table.items()):
        print(f"{name:40} {outcome:8} {count}")
    print(f"{sum(table.values())} cases, {failed} failed")
    return failed == 0 and bool(table)


def written(out, seed):
    """A case of each class that works in log-SNR, for the tests."""
    os.makedirs(out, exist_ok=True)
    cases = {"published": made("DPMSolverMultistepScheduler", PUBLISHED, 36, Draw(seed, "repeats/published"))}
    for name in sorted(schedulers.LOG_SNR):
        found = (drawn(name, seed, index) for index in range(20))
        cases[name.removesuffix("Scheduler")] = next(case for case in found if case and not case[2])
    for name, (case, tensors, _) in cases.items():
        write(out, name, tensors, case)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=20, help="cases of each class")
    parser.add_argument("--only", default="", help="only the classes with this in their names")
    parser.add_argument("--out", help="folder that receives a few cases for the tests")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.out:
        return written(options.out, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if compared(options, folder) else 1)


if __name__ == "__main__":
    main()
