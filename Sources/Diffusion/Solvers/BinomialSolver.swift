import Tensors

/// The reverse process of bits ±1: every step draws x_s from q(x_s | x_t, x₀), averaged over the network's bits of the data.
///
/// The coin of a bit is Φ(ε) of a normal number ε, so that bits come from the same streams as all other noise. Steps may leave
/// times out; the last one draws the data.
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), table App.1 (binomial); Austin et al. 2021 (arXiv:2107.03006),
/// equations 3 and 4, for the average.
public struct BinomialSolver: Solver {
    /// The method.
    public init() {}

    /// The sample is read through its signs.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let bits = x.bits
        let estimate = denoiser(bits, step.from)
        let data = estimate.data.clamped(to: -1...1)
        func number(_ value: Double) -> Tensor { .full(value, [], x.elementType, on: x.device) }
        let posterior = BitPosterior(
            kept: number(step.from.alpha / step.to.alpha), before: number(step.to.alpha))(bits)
        let probability = ((1 + data) * posterior.ofOne + (1 - data) * posterior.ofMinusOne) / 2
        let coin = normalDistribution(.tensor(noise.draw(Shape(Array(x.shape.extents.dropFirst())))))
        return ((coin .<= probability).to(x.elementType) * 2 - 1, estimate)
    }
}

private let normalDistribution = Operator("aten::special_ndtr")
