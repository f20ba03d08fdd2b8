"""Frechet distances of Gaussians (FID's formula) by scipy's matrix square root; singular covariances included."""
import numpy
import scipy.linalg
import torch

from common import Draw, arguments, write


def distance(mean1, covariance1, mean2, covariance2):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), through the symmetric form C1^(1/2) C2 C1^(1/2)."""
    root = scipy.linalg.sqrtm(covariance1)
    cross = scipy.linalg.sqrtm(numpy.real(root @ covariance2 @ root))
    return float(((mean1 - mean2) ** 2).sum() + numpy.trace(covariance1 + covariance2 - 2 * numpy.real(cross)))


def reference(draw, samples):
    size = draw.integer(1, 12)
    count1, count2 = (draw.integer(size + 20, 60) for _ in range(2))
    features1 = draw.normal(count1, size) @ draw.normal(size, size) + draw.normal(size)
    features2 = draw.normal(count2, size) @ draw.normal(size, size) + draw.normal(size)
    if samples == "narrow" and size > 1:
        features1[:, 0] = features1[:, 1]         # rank-deficient, as features of a small network can be
    if samples == "equal":
        features2 = features1
    statistics = [(f.mean(0).numpy(), numpy.cov(f.numpy(), rowvar=False).reshape(size, size)) for f in (features1, features2)]
    (mean1, covariance1), (mean2, covariance2) = statistics
    if samples == "diagonal":
        covariance1, covariance2 = (numpy.diag(numpy.diag(c)) for c in (covariance1, covariance2))
    value = distance(mean1, covariance1, mean2, covariance2)
    if samples == "diagonal":
        closed = ((mean1 - mean2) ** 2).sum() + ((numpy.diag(covariance1) ** 0.5 - numpy.diag(covariance2) ** 0.5) ** 2).sum()
        assert abs(closed - value) < 1e-9 * max(1, closed), (closed, value)
        value = float(closed)
    if samples == "equal":
        assert abs(value) < 1e-5, value
        value = 0.0
    tensors = {"features1": features1, "features2": features2}
    for name, array in dict(mean1=mean1, covariance1=covariance1, mean2=mean2, covariance2=covariance2).items():
        tensors[name] = torch.from_numpy(numpy.ascontiguousarray(array))
    tensors["distance"] = torch.tensor(value, dtype=torch.float64)
    return tensors, {"kind": samples, "dimension": size, "distance": value}


def main():
    options = arguments(__doc__)
    for kind in ("general", "general2", "diagonal", "narrow", "equal"):
        tensors, case = reference(Draw(options.seed, f"frechet/{kind}"), kind)
        write(options.out, f"frechet-{options.seed}-{kind}", tensors, {"seed": options.seed, **case})


if __name__ == "__main__":
    main()
