"""Assignments of least cost by scipy, and time draws by diffusers."""
import common
import numpy
import torch
from diffusers.training_utils import compute_density_for_timestep_sampling
from scipy.optimize import linear_sum_assignment


def costs(draw, case):
    """Costs of several kinds: normal, whole with many ties, squared distances in the plane."""
    rows = draw.integer(1, 24)
    columns = rows + draw.one(0, 0, 0, draw.integer(0, 6))
    kind = draw.one("normal", "ties", "distances")
    if kind == "normal":
        table = draw.normal(rows, columns)
    elif kind == "ties":
        table = (draw.normal(rows, columns) * 2).round()
    else:
        a, b = draw.normal(rows, 2), draw.normal(columns, 2)
        table = ((a[:, None] - b[None]) ** 2).sum(-1)
    case.append(kind)
    return table


def write_assignments(options):
    tensors, kinds, totals = {}, [], []
    for index in range(options.cases):
        table = costs(common.Draw(options.seed, f"assignment/{index}"), kinds)
        chosen = linear_sum_assignment(table.numpy())
        totals.append(float(table.numpy()[chosen].sum()))
        tensors[f"costs.{index}"] = table
    tensors["totals"] = torch.from_numpy(numpy.array(totals))
    common.write(options.out, "assignment", tensors, {"count": options.cases, "kinds": kinds})


def write_times(options):
    for scheme in ("logit_normal", "mode", "none"):
        draw = common.Draw(options.seed, f"times/{scheme}")
        seed = draw.integer(0, 10**6)
        mean, deviation, scale = draw.real(-1, 1), draw.real(0.3, 1.5), draw.real(-1, 1.7)
        times = compute_density_for_timestep_sampling(
            scheme, 64, logit_mean=mean, logit_std=deviation, mode_scale=scale,
            generator=torch.Generator("cpu").manual_seed(seed))
        common.write(options.out, f"times-{scheme}", {"times": times}, {
            "scheme": scheme, "draw_seed": seed, "mean": mean, "deviation": deviation, "scale": scale})


if __name__ == "__main__":
    options = common.arguments(__doc__, cases=60)
    write_assignments(options)
    write_times(options)
