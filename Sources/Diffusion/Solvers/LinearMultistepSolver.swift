import Foundation
import Tensors

/// Adams and Bashforth's method on the probability flow: a polynomial through the estimates of the last steps,
/// integrated exactly. One evaluation a step; its first steps have the orders 1, 2, ….
/// Source: k-diffusion's `sample_lms`; Hairer, Nørsett and Wanner 1993, section III.5, for unequal steps.
public struct LinearMultistepSolver: Solver {
    /// The largest number of steps that are looked at, 1 to 8.
    public var order: Int

    /// Levels before the first step, the nearest first: the polynomial goes through them, too, and the
    /// estimates there count as zero. diffusers does so where it starts in the middle of a grid.
    public var earlier: [NoiseLevel]

    /// The method of an order.
    public init(order: Int = 4, earlier: [NoiseLevel] = []) {
        precondition((1...8).contains(order), "a multistep method of order \(order)")
        self.order = order
        self.earlier = earlier
    }

    /// The last steps, the newest first.
    public typealias Memory = [(level: NoiseLevel, estimate: Estimate)]

    /// Nothing.
    public func start() -> Memory { [] }

    /// y + Σ cⱼ·(dy/dτ)ⱼ with cⱼ = ∫ℓⱼ(τ)dτ over the step.
    ///
    /// A polynomial in one parameter needs a path that is straight in it. Where α = 1 that is σ. Any other path is
    /// made straight by scaling the sample, which no estimate sees: y = x/(α + σ) has α + σ = 1, so that
    /// τ = σ/(α + σ) and dy = (noise − data)·dτ, with no rate of the path and both ends finite.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        memory = Array(([(step.from, estimate)] + memory).prefix(order))
        let isExploding = step.from.alpha == 1 && step.to.alpha == 1
        let scaling = isExploding ? SampleScaling.varianceExploding : .straight
        func parameter(_ level: NoiseLevel) -> Double { level.sigma / scaling.scale(of: level) }
        let weights = lagrangeIntegrals(
            through: (memory.map(\.level) + earlier).prefix(order).map(parameter), from: parameter(step.from),
            to: parameter(step.to))
        var y = isExploding ? x : x / scaling.scale(of: step.from)
        for (weight, past) in zip(weights, memory) {
            y = y.adding(past.estimate.noise, scale: weight)
            if !isExploding { y = y.adding(past.estimate.data, scale: -weight) }
        }
        return (isExploding ? y : y * scaling.scale(of: step.to), estimate)
    }
}

/// ∫ℓⱼ(τ)dτ from a to b, with ℓⱼ the polynomial that is 1 at node j and 0 at the others.
///
/// By Gauss and Legendre's four points, which are exact up to degree 7.
private func lagrangeIntegrals(through nodes: [Double], from a: Double, to b: Double) -> [Double] {
    let points = [
        (0.8611363115940526, 0.34785484513745385), (0.3399810435848563, 0.6521451548625461),
    ].flatMap { [($0.0, $0.1), (-$0.0, $0.1)] }
    let (centre, half) = ((a + b) / 2, (b - a) / 2)
    return nodes.indices.map { j in
        points.reduce(0) { sum, point in
            let tau = centre + half * point.0
            let value = nodes.indices.filter { $0 != j }.reduce(1) { product, k in
                product * (tau - nodes[k]) / (nodes[j] - nodes[k])
            }
            return sum + half * point.1 * value
        }
    }
}
