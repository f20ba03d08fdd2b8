import Foundation
import Tensors

/// KL(N(m₁, e^{l₁}) ‖ N(m₂, e^{l₂})) of each element, in nats, from means and logarithms of variances.
/// Source: Kullback and Leibler's divergence of two normal densities, in closed form.
public func normalDivergence(
    mean m1: Tensor, logVariance l1: Tensor, from m2: Tensor, logVariance l2: Tensor
) -> Tensor {
    let ratio = l1 - l2
    return 0.5 * (ratio.exp() - 1 - ratio + (m1 - m2).squared() * (-l2).exp())
}

/// ln of the probability that N(mean, e^{2·logDeviation}) gives the bin of each value, in nats.
///
/// Values are k/127.5 − 1 of whole numbers k in 0 … 255; a bin is ±1/255 around its value, and the first
/// and the last reach to infinity.
/// Source: Ho et al. 2020 (arXiv:2006.11239), equation 13.
/// - Parameter approximate: Φ by the hyperbolic tangent's approximation, as the code of that article and
///   its successors have it, and probabilities kept above 1e−12 as there; otherwise exact, also in bins
///   that lie far out.
public func discreteLogLikelihood(
    of x: Tensor, mean: Tensor, logDeviation: Tensor, approximate: Bool = false
) -> Tensor {
    let inverse = (-logDeviation).exp()
    let upper = (x - mean + 1.0 / 255) * inverse
    let lower = (x - mean - 1.0 / 255) * inverse
    let (isFirst, isLast) = (x .< -0.999, x .> 0.999)
    guard !approximate else {
        let (below, above) = (approximateNormalCumulative(upper), approximateNormalCumulative(lower))
        func logarithm(_ x: Tensor) -> Tensor { x.clamped(from: 1e-12).log() }
        let inner = isLast.choosing(logarithm(1 - above), otherwise: logarithm(below - above))
        return isFirst.choosing(logarithm(below), otherwise: inner)
    }
    // Φ(u) − Φ(l) = Φ(−l) − Φ(−u): on the side where both are small, nothing cancels.
    let flips = lower .> 0
    let high = flips.choosing(-lower, otherwise: upper)
    let low = flips.choosing(-upper, otherwise: lower)
    let (logHigh, logLow) = (logNormalCumulative(high), logNormalCumulative(low))
    let middle = logHigh + (-(logLow - logHigh).expMinusOne()).log()
    let inner = isLast.choosing(logNormalCumulative(-lower), otherwise: middle)
    return isFirst.choosing(logNormalCumulative(upper), otherwise: inner)
}

/// ½·(1 + tanh(√(2/π)·(x + 0.044715·x³))) for Φ(x).
/// Source: Page 1977, as in Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
func approximateNormalCumulative(_ x: Tensor) -> Tensor {
    0.5 * (1 + ((x + x.power(3) * 0.044715) * (2 / Double.pi).squareRoot()).tanh())
}

private let logNormalDistribution = Operator("aten::special_log_ndtr")

/// ln Φ(x), exact in the tails too.
func logNormalCumulative(_ x: Tensor) -> Tensor { logNormalDistribution(.tensor(x)) }
