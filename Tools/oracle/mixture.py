"""Data that are a mixture of Gaussians, and the perfect network for them, in float64."""
import math

import torch


class Mixture:
    """q(x0) = sum of w_k N(m_k, C_k): what a perfect network would say is known at every (alpha, sigma)."""

    def __init__(self, weights, means, covariances):
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.means = torch.tensor(means, dtype=torch.float64)
        self.covariances = torch.tensor(covariances, dtype=torch.float64)

    @property
    def parameters(self):
        return {name: getattr(self, name).tolist() for name in ("weights", "means", "covariances")}

    @property
    def dimension(self):
        return self.means.shape[1]

    def estimate(self, x, alpha, sigma):
        """E[x0 | x] and E[noise | x] of x = alpha x0 + sigma noise, in the shape of x."""
        alpha, sigma = (torch.as_tensor(value, dtype=torch.float64) for value in (alpha, sigma))
        flat = x.reshape(x.shape[0], -1)
        offset = flat[:, None, :] - alpha * self.means
        total = alpha**2 * self.covariances + sigma**2 * torch.eye(self.dimension, dtype=torch.float64)
        solved = torch.linalg.solve(total[None], offset[..., None])[..., 0]
        joint = self.weights.log() - 0.5 * ((offset * solved).sum(-1) + torch.logdet(total))
        shares = torch.softmax(joint, 1)[..., None]
        pulled = alpha * torch.einsum("kij,nkj->nki", self.covariances, solved)
        data = (shares * (self.means + pulled)).sum(1)
        noise = (shares * sigma * solved).sum(1)
        return data.reshape(x.shape), noise.reshape(x.shape)

    def output(self, prediction, x, alpha, sigma):
        """What a network with this `prediction_type` gives; `v_prediction` in variance-preserving scale."""
        data, noise = self.estimate(x, alpha, sigma)
        if prediction == "epsilon":
            return noise
        if prediction == "sample":
            return data
        if prediction == "v_prediction":
            return (alpha * noise - sigma * data) / math.sqrt(alpha**2 + sigma**2)
        if prediction == "flow_prediction":
            return noise - data
        if prediction == "score":
            return -noise / sigma
        raise ValueError(f"unknown prediction_type {prediction}")


def drawn_mixture(draw, dimension=None):
    """1 to 4 parts in 1 to 4 dimensions (or the one given)."""
    count, dimension = draw.integer(1, 4), dimension or draw.integer(1, 4)
    weights = [draw.real(0.2, 1) for _ in range(count)]
    means = [[draw.real(-2, 2) for _ in range(dimension)] for _ in range(count)]
    covariances = []
    for _ in range(count):
        root = torch.tensor([[draw.real(-0.6, 0.6) for _ in range(dimension)] for _ in range(dimension)],
                            dtype=torch.float64)
        matrix = root @ root.T + draw.real(0.05, 0.3) * torch.eye(dimension, dtype=torch.float64)
        covariances.append(((matrix + matrix.T) / 2).tolist())
    total = sum(weights)
    return Mixture([weight / total for weight in weights], means, covariances)


class Noise:
    """The draws of INTERFACE.md: picture i has the generator seeded `seed + i`, `[1, D]` a draw, float64."""

    def __init__(self, seed, count):
        self.generators = [torch.Generator("cpu").manual_seed(seed + index) for index in range(count)]
        self.draws = 0

    def draw(self, shape, **ignored):
        self.draws += 1
        size = (1, *shape[1:])
        return torch.cat([torch.randn(size, generator=own, dtype=torch.float64) for own in self.generators])
