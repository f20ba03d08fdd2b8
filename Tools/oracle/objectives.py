"""Losses and gradients of objectives of every kind, in float64, from the formulas of the articles.

A case combines at random a process, what the network predicts, an objective with its words and numbers, data and the
weights of a small network. Derivatives of paths and of the signal-to-noise ratio are autograd's here, errors of every
prediction are taken by way of the data, assignments are scipy's: what the program has in closed form is worked out
another way. Draws are those that the program documents: times, noise, the rest, from one generator.

    $python Tools/oracle/objectives.py --seed 7 --out /tmp/objectives
    LANGEVIN_OBJECTIVES=/tmp/objectives scripts/swift.sh test --filter DiffusionTests.ObjectiveParityTests
"""
import math

import common
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri

KINDS = ("denoising", "hybrid", "bound", "score-matching", "flow-matching")
CONTINUOUS = ("edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine")
PREDICTIONS = ("noise", "data", "v", "flow", "score", "edm")
SCALINGS = {"betas": "variancePreserving", "edm": "varianceExploding", "vp-sde": "variancePreserving",
            "sub-vp-sde": "subVariancePreserving", "ve": "varianceExploding", "flow": "straight",
            "cosine": "variancePreserving"}


def column(values, like):
    return values.reshape([-1] + [1] * (like.dim() - 1))


# --- processes ---------------------------------------------------------------------------------------------------


class Process:
    """alpha and sigma as differentiable functions of the time; times of shares and of noise ratios."""

    def __init__(self, word, numbers, latent=None):
        self.word, self.numbers, self.latent = word, numbers, latent or {"word": "none"}
        self.whole = None
        if word == "betas":
            self.betas = common.betas_float64(
                {"num_train_timesteps": numbers["train_steps"], "beta_schedule": numbers["schedule"],
                 "beta_start": numbers["beta_start"], "beta_end": numbers["beta_end"],
                 "rescale_betas_zero_snr": numbers["zero_terminal_snr"]})
            self.bars = torch.cumprod(1 - self.betas, 0)
            self.whole = numbers["train_steps"]

    def level(self, t):
        n = self.numbers
        if self.word == "betas":
            bar = self.bars[t.long()]
            return bar.sqrt(), (1 - bar).sqrt()
        if self.word == "edm":
            return torch.ones_like(t), t
        if self.word == "ve":
            return torch.ones_like(t), n["sigma_min"] * (n["sigma_max"] / n["sigma_min"]) ** t
        if self.word in ("vp-sde", "sub-vp-sde", "variance-preserving"):
            integral = n["beta_min"] * t + (n["beta_max"] - n["beta_min"]) * t**2 / 2
            alpha = torch.exp(-integral / 2)
            return alpha, (1 - alpha**2 if self.word == "sub-vp-sde" else (1 - alpha**2).sqrt())
        if self.word in ("flow", "straight"):
            return 1 - t, t
        if self.word in ("cosine", "trigonometric"):
            return torch.cos(math.pi / 2 * t), torch.sin(math.pi / 2 * t)
        if self.word == "conditional-transport":
            return 1 - t, n["sigma_min"] + (1 - n["sigma_min"]) * t
        raise ValueError(self.word)

    @property
    def start(self):
        return self.numbers["sigma_max"] if self.word == "edm" else 1.0

    def of_share(self, share):
        if self.whole:
            return (share * self.whole).floor().clamp(max=self.whole - 1)
        if self.word == "edm":
            low, high = math.log(self.numbers["sigma_min"]), math.log(self.numbers["sigma_max"])
            return torch.exp(low + share * (high - low))
        return share * self.start

    def of_ratio(self, ratio):
        """The time of sigma / alpha: by a search, whatever the process."""
        if self.whole:
            logs = [0.5 * math.log((1 - bar) / bar) if bar > 0 else math.inf for bar in self.bars.tolist()]
            times = []
            for wanted in ratio.log().tolist():
                above = next((i for i, value in enumerate(logs) if value > wanted), self.whole - 1)
                low = min(max(above - 1, 0), self.whole - 2)
                share = (wanted - logs[low]) / (logs[low + 1] - logs[low])
                times.append(round(low + min(max(share, 0), 1)))
            return torch.tensor(times, dtype=torch.float64)
        if self.word == "edm":
            return ratio.clamp(0, self.start)
        low, high = torch.zeros_like(ratio), torch.full_like(ratio, self.start)
        for _ in range(100):
            middle = (low + high) / 2
            alpha, sigma, _ = bridged(self, self.latent, middle)
            below = sigma < ratio * alpha
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2


def bridged(process, latent, t):
    """alpha, sigma with the latent noise added, gamma."""
    alpha, sigma = process.level(t)
    gamma = latent_scale(latent, t)
    return alpha, (sigma**2 + gamma**2).sqrt(), gamma


def latent_scale(latent, t):
    word, number = latent["word"], latent.get("number")
    return {"none": lambda: 0 * t, "bridge": lambda: (number * t * (1 - t)).sqrt(),
            "sine-squared": lambda: number * torch.sin(math.pi * t) ** 2,
            "constant": lambda: number + 0 * t}[word]()


def slope(function, t):
    """d function / dt at each time, by autograd."""
    t = t.detach().requires_grad_()
    return torch.autograd.grad(function(t).sum(), t, allow_unused=True)[0]


# --- parameterizations -------------------------------------------------------------------------------------------


class Meaning:
    """x0 = skip x + out F, in the network's own scaling."""

    def __init__(self, case, alpha, sigma, t):
        word, deviation = case["prediction"], case["sigma_data"]
        scale = {"variancePreserving": (alpha**2 + sigma**2).sqrt(), "varianceExploding": alpha,
                 "straight": alpha + sigma, "subVariancePreserving": torch.ones_like(alpha)}[case["scaling"]]
        if case["scaling"] == "subVariancePreserving":  # c with (alpha/c)^2 + sigma/c = 1
            scale = (sigma + (sigma**2 + 4 * alpha**2).sqrt()) / 2
        self.scale, self.alpha, self.sigma = scale, alpha / scale, sigma / scale
        a, s = self.alpha, self.sigma
        total = s**2 + a**2 * deviation**2
        self.skip, self.out = {
            "noise": (1 / a, -s / a), "data": (0 * a, 1 + 0 * a), "v": (a / (a**2 + s**2), -s / (a**2 + s**2)),
            "flow": (1 / (a + s), -s / (a + s)), "score": (1 / a, s / a),
            "edm": (a * deviation**2 / total, s * deviation / total.sqrt())}[word]
        normalizes = word == "edm" or case["process"] in ("edm", "ve")
        self.input = 1 / total.sqrt() if normalizes else torch.ones_like(a)
        self.time = (sigma / alpha).log() / 4 if normalizes else t * case["time_factor"]

    def target(self, data, noise):
        """F that gives the data exactly; by its definition where the data do not depend on F."""
        x = column(self.alpha, data) * data + column(self.sigma, data) * noise
        return (data - column(self.skip, data) * x) / column(self.out, data)

    def data(self, output, x):
        return column(self.skip, x) * x + column(self.out, x) * output


class Network(torch.nn.Module):
    def __init__(self, draw, shape, channels, width):
        super().__init__()
        size, self.channels, self.shape = math.prod(shape), channels, shape
        sizes = [(size + 2, width), (width, width), (width, size * channels // shape[0])]
        for index, (i, o) in enumerate(sizes):
            self.register_parameter(f"weight{index}", torch.nn.Parameter(draw.normal(i, o) / math.sqrt(i)))
            self.register_parameter(f"bias{index}", torch.nn.Parameter(draw.normal(o) * 0.3))

    def forward(self, x, time):
        h = torch.cat([x.flatten(1), torch.cos(0.05 * time)[:, None], torch.sin(0.05 * time)[:, None]], 1)
        h = torch.tanh(h @ self.weight0 + self.bias0)
        h = torch.tanh(h @ self.weight1 + self.bias1)
        return (h @ self.weight2 + self.bias2).reshape(-1, self.channels, *self.shape[1:])


# --- times -------------------------------------------------------------------------------------------------------


def density(times, draws):
    word, n = times["word"], times["numbers"]
    if word == "uniform":
        return draws
    if word == "logit-normal":
        return torch.sigmoid(draws * n["deviation"] + n["mean"])
    if word == "mode":
        return 1 - draws - n["scale"] * (torch.cos(math.pi / 2 * draws) ** 2 - 1 + draws)
    if word == "cosmap":
        return 1 - 1 / (torch.tan(math.pi / 2 * draws) + 1)
    return torch.exp(draws * n["deviation"] + n["mean"])


def draw_times(case, process, generator, count, history):
    """Times, and the importance of each draw."""
    times = case["times"]
    word = times["word"]
    if word == "importance":
        strata, roots = len(history), (history**2).mean(1).sqrt()
        share = times["numbers"]["uniform_share"]
        p = (1 - share) * roots / roots.sum() + share / strata
        draws = torch.rand(count, 1, generator=generator, dtype=torch.float64)
        chosen = torch.searchsorted(torch.cumsum(p, 0), draws[:, 0] * p.sum(), right=True).clamp(max=strata - 1)
        t = chosen.to(torch.float64)
        if not process.whole:
            places = torch.rand(count, generator=generator, dtype=torch.float64)
            t = process.of_share((chosen + places) / strata)
        return t, 1 / (strata * p[chosen])
    if word == "uniform" and process.whole:
        t = torch.randint(0, process.whole, (count,), generator=generator)
        return t.to(torch.float64), torch.ones(count, dtype=torch.float64)
    normal = word in ("logit-normal", "log-normal")
    draws = (torch.randn if normal else torch.rand)(count, generator=generator, dtype=torch.float64)
    values = density(times, draws)
    t = process.of_ratio(values) if word == "log-normal" else process.of_share(values)
    return t, torch.ones(count, dtype=torch.float64)


def time_of_share(case, process, share):
    times = case["times"]
    share = torch.tensor([share], dtype=torch.float64)
    if times["word"] in ("uniform", "importance"):
        return process.of_share(share)
    if times["word"] in ("logit-normal", "log-normal"):
        share = torch.tensor(ndtri(share.numpy()))
    if times["word"] == "mode":
        share = 1 - share
    value = density(times, share)
    return process.of_ratio(value) if times["word"] == "log-normal" else process.of_share(value)


# --- losses ------------------------------------------------------------------------------------------------------


def data_weight(case, process, t):
    """The weight of the squared error of the data."""
    weighting, (alpha, sigma) = case["weighting"], process.level(t)
    n, ratio = weighting["numbers"], (alpha / sigma) ** 2
    word = weighting["word"]
    if word == "edm":
        return ratio + 1 / n["sigma_data"] ** 2
    if word == "min-snr":
        return ratio.clamp(max=n["gamma"])
    if word == "p2":
        return ratio / (n["k"] + ratio) ** n["gamma"]
    if word == "sigmoid":
        return ratio * torch.sigmoid(n["bias"] - ratio.log())
    if word == "truncated-snr":
        return ratio.clamp(min=1)
    if word == "bound" and process.whole:
        before = process.level((t - 1).clamp(min=0))
        return 0.5 * torch.where(t == 0, ratio, (before[0] / before[1]) ** 2 - ratio)
    if word == "bound":
        # The times over their shares: the share of each by its level, then the slope there.
        if process.word == "edm":
            low, high = math.log(process.numbers["sigma_min"]), math.log(process.numbers["sigma_max"])
            shares = (t.log() - low) / (high - low)
        else:
            shares = t / process.start

        def snr(share):
            a, s = process.level(process.of_share(share))
            return (a / s) ** 2
        return -0.5 * slope(snr, shares)
    return {"uniform-noise": ratio, "uniform-data": 0 * ratio + 1, "uniform-v": ratio + 1}[word]


def per_example(x):
    return x.flatten(1).mean(1)


def weighted_errors(case, process, meaning, output, data, noise, t):
    errors = per_example((output - meaning.target(data, noise)) ** 2)
    if case["weighting"]["word"] == "simple":
        return errors
    return errors * meaning.out**2 * data_weight(case, process, t)


def normal_kl(m1, l1, m2, l2):
    return 0.5 * (l2 - l1 + torch.exp(l1 - l2) - 1 + (m1 - m2) ** 2 * torch.exp(-l2))


def decoder(case, x, mean, log_variance):
    """-log p(x0 | x1) in nats."""
    if not case["pixels"]:
        return 0.5 * (math.log(2 * math.pi) + log_variance + (x - mean) ** 2 * torch.exp(-log_variance))
    inverse = torch.exp(-log_variance / 2)
    upper, lower = (x - mean + 1 / 255) * inverse, (x - mean - 1 / 255) * inverse
    log_cdf = torch.special.log_ndtr
    flips = lower > 0
    high, low = torch.where(flips, -lower, upper), torch.where(flips, -upper, lower)
    middle = log_cdf(high) + torch.log(-torch.expm1(log_cdf(low) - log_cdf(high)))
    return -torch.where(x < -0.999, log_cdf(upper), torch.where(x > 0.999, log_cdf(-lower), middle))


def bound_term(case, process, meaning, output, said, data, x, t):
    """L_(t-1) in bits, T times: Ho et al. 2020, equations 5 to 8; Nichol and Dhariwal 2021, equation 15."""
    index = t.long()
    betas, bars = process.betas, process.bars
    before = torch.cat([torch.ones(1, dtype=torch.float64), bars[:-1]])
    posterior = betas * (1 - before) / (1 - bars)
    posterior = torch.cat([posterior[1:2], posterior[1:]])
    of_data = betas * before.sqrt() / (1 - bars)
    of_sample = (1 - betas).sqrt() * (1 - before) / (1 - bars)

    def at(table):
        return column(table[index], data)
    share = (said + 1) / 2
    log_variance = share * at(betas.log()) + (1 - share) * at(posterior.log())
    mean = at(of_data) * meaning.data(output, x) + at(of_sample) * x
    true_mean = at(of_data) * data + at(of_sample) * x
    kl = normal_kl(true_mean, at(posterior.log()), mean, log_variance)
    nats = torch.where(column(t == 0, data), decoder(case, data, mean, log_variance), kl)
    return per_example(nats) / math.log(2) * process.whole


def losses(case, process, network, data, t, generator, noise, labels):
    """One number an example, and the named parts."""
    def normal():
        return torch.randn(data.shape, generator=generator, dtype=torch.float64)
    kind = case["kind"]
    noise = normal() if noise is None else noise
    if kind == "flow-matching":
        return flow_losses(case, network, data, t, normal, noise, labels), {}
    meaning = Meaning(case, *process.level(t), t)
    x = column(meaning.alpha, data) * data + column(meaning.sigma, data) * noise

    def ask(x):
        return network(column(meaning.input, x) * x, meaning.time)
    if kind == "denoising":
        return weighted_errors(case, process, meaning, ask(x), data, noise, t), {}
    if kind in ("hybrid", "bound"):
        output, said = ask(x).chunk(2, 1)
        if kind == "bound":
            return bound_term(case, process, meaning, output, said, data, x, t), {}
        simple = weighted_errors(case, process, meaning, output, data, noise, t)
        term = case["bound_weight"] * bound_term(case, process, meaning, output.detach(), said, data, x, t)
        return simple + term, {"simple": simple, "bound": term}

    def score(x):
        data = meaning.data(ask(x), x)
        return -(x - column(meaning.alpha, x) * data) / column(meaning.sigma, x) ** 2
    # The score's error is alpha / sigma^2 times the data's; simply weighted, the network's own errors count the same.
    simple = case["weighting"]["word"] == "simple"
    weight = (1 / meaning.out**2 if simple else data_weight(case, process, t)) * meaning.sigma**4 / meaning.alpha**2
    if case["form"] == "denoising":
        return 0.5 * weight * per_example((score(x) + noise / column(meaning.sigma, x)) ** 2), {}
    direction = normal()
    x = x.detach().requires_grad_()
    value = score(x)
    along = torch.autograd.grad((value * direction).sum(), x, create_graph=True)[0]
    return weight * (per_example(along * direction) + 0.5 * per_example(value**2)), {}


def flow_losses(case, network, data, t, normal, noise, labels):
    path, latent = Process(case["path"]["word"], case["path"]["numbers"]), case["latent"]
    if case["coupling"] == "optimal-transport":
        order = torch.arange(len(data))
        groups = [torch.arange(len(data))] if labels is None else [
            (labels == label).nonzero()[:, 0] for label in labels.unique()]
        for members in groups:
            costs = ((data[members].flatten(1)[:, None] - noise[members].flatten(1)[None]) ** 2).sum(-1)
            order[members] = members[linear_sum_assignment(costs.numpy())[1]]
        noise = noise[order]
    z = normal() if latent["word"] != "none" else 0 * data

    def point(t):
        alpha, sigma = path.level(t)
        return (column(alpha, data) * data + column(sigma, data) * noise
                + column(latent_scale(latent, t), data) * z)
    x, velocity = torch.autograd.functional.jvp(point, t, torch.ones_like(t))
    alpha, sigma, _ = bridged(path, latent, t)
    rates = [slope(lambda t, i=i: bridged(path, latent, t)[i] + 0 * t, t) for i in (0, 1)]
    meaning = Meaning(case, alpha, sigma, t)
    own = x / column(meaning.scale, x)
    output = network(column(meaning.input, x) * own, meaning.time)
    estimate = meaning.data(output, own)
    of_noise = (x - column(alpha, x) * estimate) / column(sigma, x)
    found = column(rates[0], x) * estimate + column(rates[1], x) * of_noise
    return per_example((found - velocity) ** 2)


# --- cases -------------------------------------------------------------------------------------------------------


def drawn_process(draw, word):
    if word == "betas":
        zero = draw.chance(0.25)
        return {"schedule": draw.one("linear", "scaled_linear", "squaredcos_cap_v2"),
                "train_steps": draw.one(7, 50, 200, 1000), "beta_start": draw.real(1e-4, 2e-3),
                "beta_end": draw.real(0.01, 0.3), "zero_terminal_snr": zero}
    if word in ("edm", "ve"):
        return {"sigma_min": draw.real(0.002, 0.05), "sigma_max": draw.real(5, 90)}
    if word in ("vp-sde", "sub-vp-sde", "variance-preserving"):
        return {"beta_min": draw.real(0.05, 0.5), "beta_max": draw.real(5, 25)}
    return {"sigma_min": draw.real(0.001, 0.1)} if word == "conditional-transport" else {}


def drawn_times(draw):
    word = draw.one("uniform", "logit-normal", "mode", "cosmap", "log-normal", "importance")
    numbers = {"logit-normal": lambda: {"mean": draw.real(-1, 1), "deviation": draw.real(0.3, 1.5)},
               "log-normal": lambda: {"mean": draw.real(-1.5, 0), "deviation": draw.real(0.5, 1.4)},
               "mode": lambda: {"scale": draw.real(-0.9, 1.7)},
               "importance": lambda: {"uniform_share": draw.real(0.001, 0.3)}}.get(word, dict)()
    return {"word": word, "numbers": numbers}


def drawn_weighting(draw):
    word = draw.one("simple", "edm", "min-snr", "p2", "sigmoid", "bound", "truncated-snr", "uniform-noise",
                    "uniform-data", "uniform-v")
    numbers = {"edm": lambda: {"sigma_data": draw.real(0.3, 1.2)}, "min-snr": lambda: {"gamma": draw.real(1, 9)},
               "p2": lambda: {"gamma": draw.real(0.5, 1.5), "k": draw.real(0.5, 2)},
               "sigmoid": lambda: {"bias": draw.real(-3, 3)}}.get(word, dict)()
    return {"word": word, "numbers": numbers}


def drawn_case(draw, index):
    kind = KINDS[index % len(KINDS)]
    words = {"hybrid": ("betas",), "bound": ("betas",), "flow-matching": CONTINUOUS}
    word = draw.one(*words.get(kind, ("betas",) + CONTINUOUS))
    case = {"kind": kind, "process": word, "process_numbers": drawn_process(draw, word),
            "prediction": draw.one(*PREDICTIONS), "sigma_data": draw.real(0.3, 1), "scaling": SCALINGS[word],
            "time_factor": 1 if word == "betas" else draw.one(1, 1000), "times": drawn_times(draw),
            "weighting": drawn_weighting(draw), "form": draw.one("denoising", "sliced"),
            "coupling": draw.one("independent", "optimal-transport"), "labelled": draw.chance(0.5),
            "paired": draw.chance(0.3), "bound_weight": draw.real(0.001, 0.1), "pixels": draw.chance(0.5),
            "path": {"word": word, "numbers": drawn_process(draw, word)}, "latent": {"word": "none"},
            "shape": draw.one([2], [3], [2, 3]), "draw_seed": draw.integer(0, 10**6), "share": draw.real(0.05, 0.9)}
    ends_dark = word == "flow" or (word == "betas" and case["process_numbers"]["zero_terminal_snr"])
    if ends_dark and case["prediction"] in ("noise", "score", "edm"):
        case["prediction"] = draw.one("data", "v", "flow")
    case["path"]["numbers"] = case["process_numbers"]
    if word == "betas" and case["times"]["word"] == "importance":  # ten losses a time are to be stored
        case["process_numbers"]["train_steps"] = min(case["process_numbers"]["train_steps"], 50)
    if kind == "flow-matching":
        if word == "flow":
            path = draw.one("straight", "trigonometric", "variance-preserving", "conditional-transport")
            case["path"] = {"word": path, "numbers": drawn_process(draw, path)}
            case["latent"] = {"word": draw.one("none", "bridge", "sine-squared", "constant"),
                              "number": draw.real(0.1, 1)}
        if case["paired"]:
            case["coupling"] = "independent"
    if kind == "bound" or kind == "flow-matching":
        case["weighting"] = {"word": "simple", "numbers": {}}
    return case


def run(draw, case):
    process = Process(case["process"], case["process_numbers"])
    timed = process
    if case["kind"] == "flow-matching":
        timed = Process(case["path"]["word"], case["path"]["numbers"], case["latent"])
    count, shape = 8, case["shape"]
    data = draw.normal(count, *shape) * 0.5
    if case["kind"] in ("hybrid", "bound") and case["pixels"]:
        data = (data * 127.5 + 127.5).round().clamp(0, 255) / 127.5 - 1
    noise = draw.normal(count, *shape) if case["paired"] else None
    labels = torch.tensor([draw.integer(0, 2) for _ in range(count)]) if case["labelled"] else None
    history = None
    if case["times"]["word"] == "importance":
        history = draw.normal(timed.whole or 100, 10).abs() + 0.1
    learned = case["kind"] in ("hybrid", "bound")
    network = Network(draw, shape, shape[0] * (2 if learned else 1), 6)
    generator = torch.Generator("cpu").manual_seed(case["draw_seed"])
    t, importance = draw_times(case, timed, generator, count, history)
    found, parts = losses(case, process, network, data, t, generator, noise, labels)
    total = found * importance
    gradients = torch.autograd.grad(total.mean(), list(network.parameters()))
    generator = torch.Generator("cpu").manual_seed(case["draw_seed"])
    t = time_of_share(case, timed, case["share"]).expand(count)
    at_share, _ = losses(case, process, network, data, t, generator, noise, labels)
    tensors = {"data": data, "total": total, "at_share": at_share}
    tensors |= {"noise": noise} if noise is not None else {}
    tensors |= {"labels": labels} if labels is not None else {}
    tensors |= {"history": history} if history is not None else {}
    tensors |= {f"part.{name}": values * importance for name, values in parts.items()}
    for (name, parameter), gradient in zip(network.named_parameters(), gradients):
        tensors |= {f"network.{name}": parameter, f"gradient.{name}": gradient}
    return tensors


if __name__ == "__main__":
    options = common.arguments(__doc__, cases=60)
    tensors, cases = {}, []
    index = 0
    while len(cases) < options.cases:
        draw = common.Draw(options.seed, f"objectives/{index}")
        case = drawn_case(draw, index)
        made = run(draw, case)
        index += 1
        if not common.finite(*made.values()):
            print("not finite:", case)
            continue
        tensors |= {f"{len(cases)}.{name}": value for name, value in made.items()}
        cases.append(case)
    common.write(options.out, f"seed-{options.seed}", tensors, {"cases": cases})
