"""Terms of the variational bound and the hybrid loss, from the formulas of the articles in float64.

Ho et al. 2020 (arXiv:2006.11239), equations 5 to 13; Nichol and Dhariwal 2021 (arXiv:2102.09672), equations 15
and 16. Written apart from the program: products and logarithms by NumPy, Phi by scipy.
"""
import math

import common
import numpy
import torch
from scipy.special import log_ndtr


def kl(mean, log_variance, other_mean, other_log_variance):
    return 0.5 * (other_log_variance - log_variance + numpy.exp(log_variance - other_log_variance) - 1
                  + (mean - other_mean) ** 2 / numpy.exp(other_log_variance))


def phi(x):
    """The approximation that the articles' code uses."""
    return (numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)) + 1) / 2


def decoder_approximate(x, mean, deviation):
    upper, lower = phi((x - mean + 1 / 255) / deviation), phi((x - mean - 1 / 255) / deviation)
    probability = numpy.where(x < -0.999, upper, numpy.where(x > 0.999, 1 - lower, upper - lower))
    return numpy.log(numpy.maximum(probability, 1e-12))


def decoder_exact(x, mean, deviation):
    """The difference of two tails, from the side where they are small, in logarithms."""
    upper, lower = (x - mean + 1 / 255) / deviation, (x - mean - 1 / 255) / deviation
    upper = numpy.where(x > 0.999, numpy.inf, upper)
    lower = numpy.where(x < -0.999, -numpy.inf, lower)
    high, low = numpy.where(lower > 0, -lower, upper), numpy.where(lower > 0, -upper, lower)
    with numpy.errstate(divide="ignore"):
        return log_ndtr(high) + numpy.log1p(-numpy.exp(log_ndtr(low) - log_ndtr(high)))


class Process:
    def __init__(self, betas, variance, prediction, clips, approximate):
        self.betas, self.variance, self.prediction, self.clips = betas, variance, prediction, clips
        self.decoder = decoder_approximate if approximate else decoder_exact
        self.bars = numpy.cumprod(1 - betas)
        before = numpy.append(1, self.bars[:-1])
        posterior = betas * (1 - before) / (1 - self.bars)
        self.log_posterior = numpy.log(numpy.append(posterior[1], posterior[1:]))
        self.of_data = betas * numpy.sqrt(before) / (1 - self.bars)
        self.of_sample = (1 - before) * numpy.sqrt(1 - betas) / (1 - self.bars)

    def log_variance(self, t, said):
        large = numpy.append(numpy.exp(self.log_posterior[0]), self.betas[1:])
        if self.variance == "learned":
            return said
        if self.variance == "learned_range":
            share = (said + 1) / 2
            return share * math.log(self.betas[t]) + (1 - share) * self.log_posterior[t]
        return {"fixed_small": self.log_posterior[t], "fixed_large": math.log(large[t])}[self.variance]

    def noised(self, data, noise, t):
        return math.sqrt(self.bars[t]) * data + math.sqrt(1 - self.bars[t]) * noise

    def data(self, output, x, t):
        a, s = math.sqrt(self.bars[t]), math.sqrt(1 - self.bars[t])
        data = {"epsilon": (x - s * output) / a, "sample": output, "v_prediction": a * x - s * output}
        data = data[self.prediction]
        return data.clip(-1, 1) if self.clips else data

    def term(self, data, x, t, output):
        """Bits per dimension of one example."""
        channels = data.shape[0]
        output, said = output[:channels], output[channels:]
        mean = self.of_data[t] * self.data(output, x, t) + self.of_sample[t] * x
        log_variance = self.log_variance(t, said) + 0 * mean
        if t == 0:
            nats = -self.decoder(data, mean, numpy.exp(log_variance / 2))
        else:
            nats = kl(self.of_data[t] * data + self.of_sample[t] * x, self.log_posterior[t], mean, log_variance)
        return nats.mean() / math.log(2)

    def prior(self, data):
        bar = self.bars[-1]
        return kl(math.sqrt(bar) * data, math.log(1 - bar), 0, 0).mean() / math.log(2)

    def target(self, data, noise, t):
        a, s = math.sqrt(self.bars[t]), math.sqrt(1 - self.bars[t])
        return {"epsilon": noise, "sample": data, "v_prediction": a * noise - s * data}[self.prediction]


def case(options, index):
    draw = common.Draw(options.seed, f"bound/{index}")
    settings = {
        "variance": ("fixed_small", "fixed_large", "learned", "learned_range")[index % 4],
        "prediction": draw.one("epsilon", "sample", "v_prediction"), "clips": draw.chance(0.5),
        "approximate": draw.chance(0.5), "count": draw.integer(2, 12),
        "start": draw.real(1e-4, 1e-2), "end": draw.real(0.02, 0.5)}
    betas = numpy.linspace(settings["start"], settings["end"], settings["count"])
    process = Process(betas, settings["variance"], settings["prediction"], settings["clips"],
                      settings["approximate"])
    count, learned = settings["count"], settings["variance"].startswith("learned")
    shape = (3, 2, 4, 4)
    data = (draw.normal(*shape) * 90 + 127.5).round().clamp(0, 255) / 127.5 - 1
    noises = draw.normal(count, *shape)
    outputs = draw.normal(count, 3, 4 if learned else 2, 4, 4) * 0.7
    x = [[process.noised(data[i].numpy(), noises[t, i].numpy(), t) for i in range(3)] for t in range(count)]
    terms = [[process.term(data[i].numpy(), x[t][i], t, outputs[t, i].numpy()) for t in range(count)]
             for i in range(3)]
    errors = [[((outputs[t, i, :2].numpy() - process.target(data[i].numpy(), noises[t, i].numpy(), t)) ** 2).mean()
               for t in range(count)] for i in range(3)]
    common.write(options.out, f"case-{index}", {
        "data": data, "noises": noises, "outputs": outputs, "terms": torch.tensor(terms, dtype=torch.float64),
        "errors": torch.tensor(errors, dtype=torch.float64),
        "prior": torch.tensor([process.prior(data[i].numpy()) for i in range(3)], dtype=torch.float64)}, settings)


if __name__ == "__main__":
    options = common.arguments(__doc__, cases=8)
    for index in range(options.cases):
        case(options, index)
