"""Cascades and other systems of several networks: random small ones drawn from a seed, run by the program and by an independent
implementation, and compared.

    cascades.py --program .build/release/langevin --seed 3 [--only NAME] [--cases 1] [--guided-diffusion FOLDER] [--glide FOLDER]

Every module `cascades_*.py` beside this one has a list `CASES` of pairs: a name, and a function of (program, draw, folder, options)
that gives a line about what was compared and whether it agrees. Prints a line a case; exit code 1 where one failed.
"""
import argparse
import importlib
import os
import pathlib
import sys
import tempfile
import traceback

import torch

from common import Draw


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="the beginning of the names of cases")
    parser.add_argument("--cases", type=int, default=1, help="cases of each name")
    parser.add_argument("--guided-diffusion", help="a checkout of openai/guided-diffusion; without it those cases are passed over")
    parser.add_argument("--glide", help="a checkout of openai/glide-text2im; without it those cases are passed over")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    torch.set_num_threads(1)
    here = pathlib.Path(__file__).parent
    modules = [importlib.import_module(path.stem) for path in sorted(here.glob("cascades_*.py"))]
    passed = total = 0
    for name, case in (pair for module in modules for pair in module.CASES):
        if not name.startswith(options.only):
            continue
        for index in range(options.cases):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    line, agrees = case(options.program, Draw(options.seed, f"{name}/{index}"), folder, options)
                except Exception:
                    line, agrees = traceback.format_exc(limit=-2), False
            if agrees is None:
                print(f"{name}: passed over: {line}", flush=True)
                continue
            passed, total = passed + bool(agrees), total + 1
            print(f"{'' if agrees else 'DIFFERENT '}{name}: {line}", flush=True)
    print(f"{passed} of {total} agree")
    sys.exit(0 if passed == total else 1)


if __name__ == "__main__":
    main()
