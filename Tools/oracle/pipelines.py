"""Runs `langevin generate` and `langevin sample` on fresh tiny checkpoints and compares with diffusers' pipelines.

    pipelines.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]

Everything structural is drawn from the seed: widths, depths, schedulers and their flags, sizes, prompts, steps, scales.
A reference must show contrast, change with prompt, seed and scale, and be steady against rounding; else the case is drawn
again. Prints a line a case; exit code 1 where one failed.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings

import torch

import pipeline_files
import pipeline_marks
import pipeline_fixtures
import pipeline_models as models
import pipeline_others
import pipeline_requests
import pipeline_stable
from common import Draw
from pipeline_cases import Place
from pipeline_references import Unfit, decides_times, read_json, repeats_times, shake

KINDS = {**pipeline_stable.KINDS, **pipeline_others.KINDS, **pipeline_files.KINDS, **pipeline_marks.KINDS}
LATENTS, PIXELS, PIXELS_ON_AVERAGE = 1e-4, 2, 0.05
ATTEMPTS = 60


# --- references that show something ------------------------------------------------------------------------------


def distance(first, second):
    return float((first.astype(float) - second.astype(float)).__abs__().mean())


def check_contrast(pixels):
    for picture in pixels:
        if picture.std() < 12:
            raise Unfit("flat")
        if ((picture == 0) | (picture == 255)).mean() > 0.6:
            raise Unfit("saturated")


def variations(request):
    """Requests that must give another picture, and by how much on average."""
    if request.initial is None and request.denoising_start is None:
        yield "seed", request.changed(seed=request.seed + 77), 1.0
    if request.prompt is not None:
        yield "prompt", request.changed(prompt="an astronaut riding a horse"), 0.5
    if request.label is not None:
        yield "class", request.changed(label=request.label ^ 1), 0.5
    if request.guidance is not None:
        yield "scale", request.changed(guidance=request.guidance + 3), 0.5


def relative(found, expected):
    if found.shape != expected.shape:
        return float("inf")
    return float((found - expected).abs().max() / expected.abs().max())


def reference(job, limit=LATENTS / 5):
    """What diffusers gives, and how far rounding moves it, which is at most `limit`."""
    opened = job.open()
    result = opened(job.request)
    if not torch.isfinite(result.latents).all():
        raise Unfit("not finite")
    if result.latents.abs().max() > 1e4:
        # A class that predicts noise where flow begins divides by what rounding makes of no signal.
        raise Unfit("latents that no decoder takes")
    check_contrast(result.pixels)
    alone = job.request.changed(count=1, initial=None)
    plain = opened(alone) if job.request.initial else result
    for name, other, least in variations(alone):
        if distance(opened(other).pixels[0], plain.pixels[0]) < least:
            raise Unfit(f"the same for another {name}")
    for scheduler in opened.schedulers():
        if repeats_times(scheduler) or decides_times(scheduler):
            raise Unfit("times that come twice and are looked up, or are decided by rounding")
    generator = torch.Generator("cpu").manual_seed(0)
    for network in opened.networks():
        models.perturb(network, generator)
    for scheduler in opened.schedulers():
        shake(scheduler, generator)
    moved = opened(job.request)
    steadiness = relative(moved.latents, result.latents)
    if steadiness < 1e-8:
        raise Unfit("hardly any network in it")
    if not steadiness < limit or abs(moved.pixels.astype(int) - result.pixels).max() > 1:
        raise Unfit("decided by rounding")
    return result, steadiness


def refused(error):
    """Whether diffusers does not take a case, as its own files show by raising in many ways."""
    here = os.path.dirname(os.path.abspath(__file__))
    frames = traceback.extract_tb(error.__traceback__)
    return os.path.dirname(frames[-1].filename) != here


def drawn(kind, make, seed, vocabularies, folder, log, attempts=ATTEMPTS, **limits):
    """A case whose reference is fit, with the reference."""
    reasons = {}
    for attempt in range(attempts):
        shutil.rmtree(folder, ignore_errors=True)
        place = Place(Draw(seed, f"{kind}/{attempt}"), vocabularies, folder)
        try:
            job = make(place)
            return job, *reference(job, **limits)
        except Exception as error:
            if not (isinstance(error, Unfit) or refused(error)):
                raise
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:110] if str(error) else ''}"
            reasons[reason] = reasons.get(reason, 0) + 1
            log(f"    {kind} drawn again: {reason}")
    raise SystemExit(f"{kind}: no fit case in {attempts}: {reasons}")


# --- the program -------------------------------------------------------------------------------------------------


def ran(program, command):
    """What went wrong with a run of the program; None where nothing did."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    try:
        done = subprocess.run([program, *command], capture_output=True, text=True, timeout=180, env=environment)
    except subprocess.TimeoutExpired:
        return "no answer in three minutes"
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return f"exit code {done.returncode}: {lines[-1] if lines else 'no message'}"
    return None


def compared(program, command, result, folder):
    """(problem or None, figures): latents, then pictures, of one request."""
    latents = os.path.join(folder, "found.safetensors")
    if problem := ran(program, [*command, "-o", latents]):
        return problem, ""
    found = pipeline_requests.tensor(latents, "samples").float()
    if found.shape != result.latents.shape:
        return f"latents are {tuple(found.shape)}, not {tuple(result.latents.shape)}", ""
    away = relative(found, result.latents)
    pictures = os.path.join(folder, "found")
    shutil.rmtree(pictures, ignore_errors=True)
    os.makedirs(pictures)
    if problem := ran(program, [*command, "-o", os.path.join(pictures, "%05d.png")]):
        return problem, ""
    pixels = pipeline_requests.pixels(pictures)
    if pixels.shape != result.pixels.shape:
        return f"pictures are {pixels.shape}, not {result.pixels.shape}", ""
    difference = abs(pixels.astype(int) - result.pixels)
    figures = f"latents {away:.1e}, pixels {difference.max()} and {difference.mean():.4f}"
    # A comparison with NaN is false, so each is asked the way that fails then.
    if not (away <= LATENTS and difference.max() <= PIXELS and difference.mean() <= PIXELS_ON_AVERAGE):
        return figures, figures
    return None, figures


def written(program, job, result):
    """What is wrong with the folder that the program makes of a single file, in the eyes of diffusers; None or a word."""
    command, folder = job.conversion()
    if problem := ran(program, command):
        return "convert: " + problem
    # Two runs of diffusers on equal files can differ by one level.
    difference = abs(job.open(folder)(job.request).pixels.astype(int) - result.pixels).max()
    return None if difference <= 1 else f"diffusers' picture of what convert wrote is another: pixels {difference}"


def describe(job):
    """The scheduler that runs."""
    own = read_json(f"{job.folder}/scheduler/scheduler_config.json")["_class_name"].removesuffix("Scheduler")
    return f"{own} as {job.request.solver}" if job.request.solver else own


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="every case is drawn from it")
    parser.add_argument("--program", help="the langevin program; without it only the references are made")
    parser.add_argument("--cases", type=int, default=1, help="cases of each kind")
    parser.add_argument("--only", default="", help="only the kinds with this in their names")
    parser.add_argument("--keep", help="folder that receives the files of each case that fails")
    parser.add_argument("--out", help="folder that receives a few small cases for the tests")
    parser.add_argument("--verbose", action="store_true", help="say why cases are drawn again, and the commands")
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    log = print if options.verbose else lambda text: None
    if options.out:
        return pipeline_fixtures.write_all(options, KINDS, drawn, compared, log)
    table = {True: 0, False: 0}
    with tempfile.TemporaryDirectory() as folder:
        vocabularies = models.Vocabularies(os.path.join(folder, "tokenizers"), Draw(options.seed, "vocabularies"))
        for kind in [kind for kind in KINDS if options.only in kind]:
            for index in range(options.cases):
                place = os.path.join(folder, "case")
                job, result, steadiness = drawn(f"{kind}/{index}", KINDS[kind], options.seed, vocabularies, place, log)
                command = job.command()
                problem, figures = compared(options.program, command, result, place) if options.program else (None, "reference only")
                if options.program and not problem and isinstance(job, pipeline_files.FileJob):
                    problem = written(options.program, job, result)
                table[problem is None] += 1
                print(f"{'passed' if problem is None else 'FAILED'} {kind:18} {describe(job):24} {problem or figures} "
                      f"(rounding {steadiness:.0e})", flush=True)
                if problem or options.verbose:
                    print("    " + " ".join(repr(word) if " " in word else word for word in command))
                if problem and options.keep:
                    keep(job, result, place, os.path.join(options.keep, f"{kind}-{options.seed}-{index}"))
    print(f"{table[True]} passed, {table[False]} failed")
    sys.exit(1 if table[False] or not any(table.values()) else 0)


def keep(job, result, place, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(place, target)
    models.save_file({"latents": result.latents.contiguous(), "pixels": torch.from_numpy(result.pixels.copy())},
                     os.path.join(target, "expected.safetensors"))
    models.write_json(os.path.join(target, "command.json"), [word.replace(place, target) for word in job.command()])


if __name__ == "__main__":
    main()
