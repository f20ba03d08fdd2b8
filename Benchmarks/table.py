"""The table of a run, and what it was made on."""
import datetime
import json
import os
import platform
import subprocess

from works import LIMITS, WORKS

PEERS = {"eager": "diffusers eager", "compiled": "compiled", "openvino": "OpenVINO"}


def machine():
    def first(path, key):
        try:
            with open(path) as file:
                return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), None)
        except OSError:
            return None
    name = first("/proc/cpuinfo", "model name")
    if platform.system() == "Darwin":
        name = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True).stdout.strip()
    flags = (first("/proc/cpuinfo", "flags") or "").split()
    return {"processor": name or platform.processor(), "cores": os.cpu_count(),
            "features": [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags],
            "memory": first("/proc/meminfo", "MemTotal"), "system": platform.platform()}


def number(value):
    """A time or a size with three or four figures."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(value):
    return "–" if value is None else f"{value:.2f}"


def error(row, side):
    """A side's distance from eager float32, marked where it is too large."""
    if side not in row.errors:
        return "–"
    far = not row.errors[side] <= LIMITS[row.dtype]
    return f"**{row.errors[side]:.1e} too far**" if far else f"{row.errors[side]:.1e}"


def cells(row):
    work = WORKS[row.work]
    best = {peer: row.best(work.sides.get(peer, ())) for peer in PEERS}
    ours = row.median("ours") if "ours" in row.samples else None
    found = [f"{work.description}, {work.unit}", row.dtype, number(ours)]
    found += [number(row.median(side) if side else None) for side in best.values()]
    found += [number(row.ceiling())]
    found += [ratio(row.ratio(side) if side else None) for side in best.values()]
    found += [ratio(row.over_ceiling())]
    return found + [" / ".join(error(row, side) for side in ("ours", *best.values()))]


def besides(row):
    """The sides that were measured with busy processes beside them, and without."""
    return {"ours": "ours"} | {name: side for peer, name in PEERS.items()
                               if (side := row.best(WORKS[row.work].sides.get(peer, ()))) in row.alone}


def table(rows):
    head = ["work", "type", "ours", *PEERS.values(), "ceiling", *(f"{name} ÷ ours" for name in PEERS.values()),
            "ours ÷ ceiling", "error: ours / " + " / ".join(PEERS)]
    lines = [head, ["---"] * len(head)] + [cells(row) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def versions(python):
    """Versions of the peers' packages; none where one is not installed."""
    code = ("import importlib.metadata as m, json\n"
            "def version(name):\n"
            "    try: return m.version(name)\n"
            "    except m.PackageNotFoundError: return None\n"
            "print(json.dumps({name: version(name) for name in ('torch', 'diffusers', 'transformers', 'accelerate', 'openvino')}))")
    return json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)


def report(rows, options, found):
    """The run as Markdown."""
    host, now = machine(), datetime.datetime.now(datetime.timezone.utc)
    ours = subprocess.run([options.program, "--version"], capture_output=True, text=True).stdout.strip()
    lines = [
        f"{now:%Y-%m-%d}: {host['processor']} ({host['cores']} cores, {', '.join(host['features'])}), {host['memory']}; "
        f"{options.threads} threads, medians of {options.rounds} rounds or {options.seconds:g} s of them. Ours: {ours}. Theirs: "
        + ", ".join(f"{name} {version or '(not installed)'}" for name, version in found.items()) + ".",
        "", table(rows), "",
        "Ratios above 1: ours is faster, or holds less. The ceiling is the work's arithmetic at the speed of the best of a "
        "few convolutions and products in this run. Errors are root mean squares of the difference to diffusers eager in "
        "float32 over those of its output, in both types; "
        + ", ".join(f"{limit:g} is allowed in {dtype}" for dtype, limit in LIMITS.items()) + "."]
    alone = [f"- {WORKS[row.work].description}, {row.dtype}: " + ", ".join(
        f"{name} {ratio(row.over_alone(side))}" for name, side in besides(row).items()) for row in rows if row.alone]
    lines += ["", "Beside one busy process ÷ alone, in the same rounds:", *alone] if alone else []
    missing = [f"- {row.work} {row.dtype}, {side}: {reason}" for row in rows for side, reason in row.missing.items()]
    return "\n".join(lines + (["", "Not measured:", *missing] if missing else []))


def document(rows, options, found):
    """The run with every sample, for a JSON file."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"date": now.isoformat(timespec="seconds"), "machine": machine(), "threads": options.threads,
            "rounds": options.rounds, "seconds": options.seconds, "versions": found, "rows": [row.json() for row in rows]}
