"""Divergences, entropies, stochastic processes, densities and posteriors by scipy."""
import numpy
import torch
from scipy import integrate, sparse, stats

from common import Draw, arguments, write
from guidance import stacked


def covariance(draw, size):
    root = draw.normal(size, size)
    return root @ root.T + 0.1 * torch.eye(size, dtype=torch.float64)


def quadrature(function, centre, width):
    return integrate.quad(function, centre - 12 * width, centre + 12 * width, epsabs=1e-13, epsrel=1e-12, limit=500)[0]


def gaussians(draw, count):
    cases = []
    for _ in range(count):
        mean1, mean2, covariance1, covariance2 = draw.normal(3), draw.normal(3), covariance(draw, 3), covariance(draw, 3)
        points = draw.normal(4, 3)
        first = stats.multivariate_normal(mean1.numpy(), covariance1.numpy())
        divergence = torch.distributions.kl_divergence(
            torch.distributions.MultivariateNormal(mean1, covariance1),
            torch.distributions.MultivariateNormal(mean2, covariance2))
        deviations = [[numpy.sqrt(c[i, i].item()) for i in range(3)] for c in (covariance1, covariance2)]
        diagonal, entropy = 0.0, 0.0
        for m, n, s, r in zip(mean1.tolist(), mean2.tolist(), *deviations):
            p, q = stats.norm(m, s), stats.norm(n, r)
            diagonal += quadrature(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), m, s)
            entropy += p.entropy()
        cases.append(dict(
            mean1=mean1, mean2=mean2, covariance1=covariance1, covariance2=covariance2, points=points,
            log_density=first.logpdf(points.numpy()), entropy=first.entropy(), divergence=divergence,
            diagonal_divergence=diagonal, diagonal_entropy=entropy))
    return stacked(cases)


def finite(draw, count):
    cases = []
    for _ in range(count):
        p = [draw.one(0.0, draw.real(0, 1), draw.real(0, 1)) for _ in range(5)] + [draw.real(0.1, 1)]
        q = [draw.real(0.01, 1) for _ in range(6)]
        cases.append(dict(
            p=p, q=q, nats=stats.entropy(p), bits=stats.entropy(p, base=2), divergence=stats.entropy(p, q)))
    return stacked(cases)


def processes(draw, count):
    """Moments of Ornstein-Uhlenbeck by integrating their equations, of geometric Brownian motion as a lognormal."""
    cases = []
    for _ in range(count):
        rate, level, volatility, start, time = (
            draw.real(0.2, 3), draw.real(-1, 1), draw.real(0.2, 1.5), draw.real(0.3, 2), draw.real(0.05, 3))
        flow = integrate.solve_ivp(
            lambda t, m: [rate * (level - m[0]), volatility**2 - 2 * rate * m[1]], (0, time), [start, 0.0],
            rtol=1e-12, atol=1e-14, method="DOP853")
        lognormal = stats.lognorm(
            s=volatility * time**0.5, scale=start * numpy.exp((level - volatility**2 / 2) * time))
        cases.append(dict(
            rate=rate, level=level, volatility=volatility, start=start, time=time, mean=flow.y[0, -1],
            variance=flow.y[1, -1], geometric_mean=lognormal.mean(), geometric_variance=lognormal.var()))
    return stacked(cases)


def density(draw):
    """A double well with a diffusion that depends on place: central differences on a fine grid, exact in time."""
    cells, fine, low, high = 100, 2000, -3.0, 3.0
    base, slope, centre, width, time = (
        draw.real(0.6, 0.9), draw.real(0.1, 0.3), draw.real(-0.5, 0.5), draw.real(0.3, 0.5), draw.real(0.3, 1.0))
    step = (high - low) / fine
    middles = low + (numpy.arange(fine) + 0.5) * step
    faces = low + numpy.arange(1, fine) * step
    spread = (base + slope * numpy.sin(middles)) ** 2 / 2
    drift = faces - faces**3
    # J = f (p_l + p_r) / 2 - (D_r p_r - D_l p_l) / step
    left, right = drift / 2 + spread[:-1] / step, drift / 2 - spread[1:] / step
    index = numpy.arange(fine - 1)
    flux = sparse.csr_matrix((left, (index, index)), (fine - 1, fine)) + sparse.csr_matrix(
        (right, (index, index + 1)), (fine - 1, fine))
    divergence = sparse.csr_matrix((-numpy.ones(fine - 1), (index, index)), (fine, fine - 1)) + sparse.csr_matrix(
        (numpy.ones(fine - 1), (index + 1, index)), (fine, fine - 1))
    start = stats.norm.pdf(middles, centre, width)
    start /= start.sum() * step
    end = sparse.linalg.expm_multiply(divergence @ flux / step * time, start)
    return {
        "density": torch.from_numpy(end.reshape(cells, -1).mean(1)),
    }, dict(cells=cells, low=low, high=high, base=base, slope=slope, centre=centre, width=width, time=time)


def posteriors(draw, count):
    """A Gaussian's unknown mean: the evidence as a density of all observations, moments and bound by quadrature."""
    cases = []
    for _ in range(count):
        prior_mean, mean = draw.normal(2), draw.normal(2)
        prior_variance, noise, variance = (draw.normal(2) ** 2 + 0.2 for _ in range(3))
        observations = draw.normal(5, 2) * noise.sqrt() + draw.normal(2)
        evidence, bound, posterior = 0.0, 0.0, []
        for i in range(2):
            y, v, n = observations[:, i].numpy(), prior_variance[i].item(), noise[i].item()
            evidence += stats.multivariate_normal(
                numpy.full(5, prior_mean[i].item()), n * numpy.eye(5) + v).logpdf(y)
            prior = stats.norm(prior_mean[i].item(), v**0.5)
            q = stats.norm(mean[i].item(), variance[i].item() ** 0.5)

            def joint(theta):
                return prior.logpdf(theta) + stats.norm(theta, n**0.5).logpdf(y).sum()

            bound += quadrature(lambda x: q.pdf(x) * (joint(x) - q.logpdf(x)), q.mean(), q.std())
            near = y.mean()
            weight, first, second = (
                quadrature(lambda x: x**k * numpy.exp(joint(x) - joint(near)), near, n**0.5) for k in range(3))
            posterior.append([first / weight, second / weight - (first / weight) ** 2])
        posterior = torch.tensor(posterior, dtype=torch.float64)
        cases.append(dict(
            prior_mean=prior_mean, prior_variance=prior_variance, noise=noise, observations=observations, mean=mean,
            variance=variance, evidence=evidence, bound=bound, posterior_mean=posterior[:, 0],
            posterior_variance=posterior[:, 1]))
    return stacked(cases)


def quartics(draw, count):
    """Normaliser and moments of exp(-a x^4 + b x^2 + c x)."""
    cases = []
    for _ in range(count):
        factors = draw.real(0.2, 1), draw.real(-1, 1.2), draw.real(-0.7, 0.7)

        def unnormalised(x):
            return numpy.exp(-factors[0] * x**4 + factors[1] * x**2 + factors[2] * x)

        total, first, second = (quadrature(lambda x: x**k * unnormalised(x), 0, 0.8) for k in range(3))
        cases.append(dict(
            factors=factors, log_normalizer=numpy.log(total), mean=first / total,
            variance=second / total - (first / total) ** 2))
    return stacked(cases)


def main():
    options = arguments(__doc__, cases=8)
    for name, make in dict(
            gaussians=gaussians, finite=finite, processes=processes, posteriors=posteriors).items():
        tensors = make(Draw(options.seed, f"montecarlo/{name}"), options.cases)
        write(options.out, f"{name}-{options.seed}", tensors, {"seed": options.seed, "count": options.cases})
    tensors = quartics(Draw(options.seed, "montecarlo/quartics"), 4)
    write(options.out, f"quartics-{options.seed}", tensors, {"seed": options.seed, "count": 4})
    for index in range(2):
        tensors, case = density(Draw(options.seed, f"montecarlo/density/{index}"))
        write(options.out, f"density-{options.seed}-{index}", tensors, {"seed": options.seed, **case})


if __name__ == "__main__":
    main()
