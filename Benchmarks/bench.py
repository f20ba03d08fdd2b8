"""Ours against every peer, in turns within one run: prints one table.

    python bench.py [WORK ...] [--dtype float32|bfloat16|bf16x3] [--peers eager,compiled,openvino] [--rounds 5]
                    [--seconds 20] [--markdown FILE] [--json FILE] [--program .build/release/langevin] [--python PYTHON]

Without a WORK every usual one is measured. Of each work and type, `langevin bench WORK --serve` lives through the whole
row, and the peers' ways of doing it (`peers.py`) live beside it one after the other: a round is one repetition of ours
and one of theirs, the other waiting meanwhile. The first round is not counted. Cold starts and peak memory are of whole
processes in turn. Both sides read the same weights and inputs, and what they leave is compared.

Weights, converted models and compiled kernels are kept in LANGEVIN_BENCH_CACHE (~/.cache/langevin/bench), about 20 GB.
Exit code 1 where our output is too far from diffusers' in eager float32.
"""
import argparse
import json
import os
import sys

from measure import HERE, MEASURES, Bench, Row
from table import PEERS, document, report, versions
from works import LIMITS, WORKS


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", metavar="WORK", help=" ".join(WORKS))
    parser.add_argument("--dtype", help="one of the works' types; each of them where not given")
    parser.add_argument("--peers", default=",".join(PEERS), help="which peers, by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="how long ours and a side take turns at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", help="file that receives what is printed")
    parser.add_argument("--json", help="file that receives every sample")
    parser.add_argument("--program", default=os.path.join(HERE, "..", ".build", "release", "langevin"))
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and diffusers")
    options = parser.parse_args()
    options.peers = [peer for peer in options.peers.split(",") if peer]
    options.cache = os.environ.get("LANGEVIN_BENCH_CACHE") or os.path.expanduser("~/.cache/langevin/bench")
    for kind, given, known in (("work", options.works, WORKS), ("peer", options.peers, PEERS)):
        for name in given:
            if name not in known:
                parser.error(f"unknown {kind} {name}: choose from {' '.join(known)}")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if not os.access(options.program, os.X_OK):
        parser.error(f"{options.program} is not a program: run make build first or give --program")
    return parser, options


def write(path, text):
    with open(path + ".part", "w") as file:
        file.write(text + "\n")
    os.replace(path + ".part", path)


def main():
    parser, options = arguments()
    names = options.works or [name for name, work in WORKS.items() if work.is_usual]
    wanted = [(name, dtype) for name in names for dtype in WORKS[name].dtypes if options.dtype in (None, dtype)]
    if not wanted:
        parser.error(f"none of these works is measured in {options.dtype}")
    found = versions(options.python)
    bench, rows = Bench(options, found), []
    for name, dtype in wanted:
        rows.append(Row(name, dtype))
        MEASURES[WORKS[name].way](bench, rows[-1])
        # After every row, so that a run that is cut short leaves what it has.
        if options.json:
            write(options.json, json.dumps(document(rows, options, found), indent=1))
        if options.markdown:
            write(options.markdown, report(rows, options, found))
    print(report(rows, options, found))
    if any(not row.errors["ours"] <= LIMITS[row.dtype] for row in rows if "ours" in row.errors):
        sys.exit(1)


if __name__ == "__main__":
    main()
