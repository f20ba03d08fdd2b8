"""Runs `langevin sample analytic:FILE.json` on fresh cases and compares its samples with the references.

    analytic.py --program .build/release/langevin --seed 3 [--cases 3] [--steps 20] [--k-diffusion FILE]

Prints each case that fails, then a table by class; exit code 1 where one failed.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import kdiffusion
import solvers

TOLERANCE = 1e-6


def jobs(options):
    """(group, schedule, case as JSON, tensors) of every case."""
    for name in solvers.DRAWN:
        if options.only in name:
            # What a shift that depends on the size is given cannot be said on the command line.
            for case in solvers.cases(name, options.seed, options.cases, options.steps, without=("mu",)):
                yield name, case.json["configuration"], case.json, case.tensors
    for case in solvers.conversions(options.seed, options.conversions, options.steps):
        if options.only in case.json["solver"]:
            yield "--solver " + case.json["solver"], case.json["configuration"], case.json, case.tensors
    for name, tensors, case in kdiffusion.cases(options.k_diffusion, options.seed) if options.k_diffusion else ():
        if options.only in name and set(case.get("options", {"none": 0})) <= {"eta"}:
            yield "k-diffusion " + case["solver"], case["process"], case, tensors


def run(program, schedule, case, tensors, folder):
    """What is wrong with the program's answer, None where nothing is."""
    words = {"score": "noise"}
    model = {"kind": "gaussian-mixture", **case["mixture"], "schedule": schedule,
             "prediction": words.get(case["prediction"], case["prediction"])}
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump(model, file, indent=2)
    save_file({"latents": tensors["latents"].contiguous()}, os.path.join(folder, "latents.safetensors"))
    output = os.path.join(folder, "out.safetensors")
    if os.path.exists(output):
        os.remove(output)
    command = [
        program, "sample", f"analytic:{folder}/model.json", "--steps", str(case["steps"]), "--dtype", "float64",
        "--seed", str(case["noise_seed"]), "--initial", f"{folder}/latents.safetensors", "--count",
        str(len(tensors["latents"])), "-o", output]
    if "solver" in case:
        command += ["--solver", case["solver"]]
    if "eta" in case["options"]:
        command += ["--eta", str(case["options"]["eta"])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "no answer in two minutes"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return f"exit code {done.returncode}: {lines[-1] if lines else 'no message'}"
    samples, expected = load_file(output)["samples"], tensors["final"]
    if samples.dtype != torch.float64 or samples.shape != expected.shape:
        return f"the samples are {samples.dtype} {tuple(samples.shape)}, not float64 {tuple(expected.shape)}"
    difference = float((samples - expected).abs().max())
    # NaN is not within any tolerance.
    return None if difference <= TOLERANCE else f"off by {difference:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the langevin program")
    parser.add_argument("--seed", type=int, default=1, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=3, help="cases of each class")
    parser.add_argument("--conversions", type=int, default=46, help="cases of --solver over another class")
    parser.add_argument("--steps", type=int, default=20, help="the most steps of a case")
    parser.add_argument("--only", default="", help="only the classes and solvers with this in their name")
    parser.add_argument("--k-diffusion", default="", help="k-diffusion's sampling.py")
    parser.add_argument("--keep", help="folder that receives model, latents and reference of each case that fails")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        for index, (group, schedule, case, tensors) in enumerate(jobs(options)):
            problem = run(options.program, schedule, case, tensors, folder)
            passed, total = table.get(group, (0, 0))
            table[group] = (passed + (problem is None), total + 1)
            if problem:
                print(f"{group}: {problem}\n    {case['steps']} steps, {json.dumps(case.get('kwargs', schedule))} "
                      f"{json.dumps(case['options'])}")
                if options.keep:
                    keep(options.keep, index, folder, tensors, case)
    for group, (passed, total) in table.items():
        print(f"{group:40} {passed} of {total}")
    failed = sum(total - passed for passed, total in table.values())
    print(f"{sum(total for _, total in table.values())} cases, {failed} failed")
    sys.exit(1 if failed or not table else 0)


def keep(place, index, folder, tensors, case):
    solvers.write(place, f"{index}-reference", tensors, case)
    os.replace(os.path.join(folder, "model.json"), os.path.join(place, f"{index}-model.json"))
    os.replace(os.path.join(folder, "latents.safetensors"), os.path.join(place, f"{index}-latents.safetensors"))


if __name__ == "__main__":
    main()
