import Foundation
import Tensors

/// The likelihood of data under a diffusion model, by its probability flow.
///
/// The flow dx/dt = x̂₀·α′ + ε̂·σ′ carries the density of the model's noise to that of its data; along it
/// ln p falls by the divergence of the flow.
/// Source: Song et al. 2021 (arXiv:2011.13456), equations 13 and 39.
public struct FlowLikelihood: Sendable {
    /// How the flow is followed.
    public enum Integration: Sendable, Equatable {
        /// In steps whose error stays within tolerances.
        case adaptive(AdaptiveIntegrator)
        /// In as many steps of fifth order, even in time.
        case fixed(steps: Int)
    }

    /// The path.
    public var schedule: any ContinuousSchedule
    /// The time of least noise, whose samples stand for the data.
    public var end: Double
    /// How the flow is followed.
    public var integration: Integration
    /// How its divergence is found.
    public var divergence: Divergence

    /// The likelihood along a path, from a time of little noise to the schedule's start.
    public init(
        _ schedule: any ContinuousSchedule, from end: Double,
        integration: Integration = .adaptive(AdaptiveIntegrator()), divergence: Divergence = .exact
    ) {
        self.schedule = schedule
        self.end = end
        self.integration = integration
        self.divergence = divergence
    }

    /// ln p(x₀) of data `[batch, …]` in nats: `[batch]`.
    ///
    /// The data are taken for samples at the time `end`, scaled by its α; what that leaves out vanishes
    /// with σ² there.
    /// - Parameters:
    ///   - denoiser: must be differentiable, and treat every example by itself.
    ///   - generator: draws Hutchinson's probes.
    ///   - prior: ln of the density at the start, `[batch]` of `[batch, …]`; by default that of N(0, σ²·1).
    /// - Throws: `DiffusionError` where the flow cannot be followed; `TensorError` where arithmetic failed.
    public func logDensity(
        _ data: Tensor, denoiser: Denoiser, generator: RandomGenerator,
        prior: ((Tensor) -> Tensor)? = nil
    ) throws -> Tensor {
        let first = schedule.level(at: end)
        let probe = divergence.probe(for: data, generator)
        let rate: AdaptiveIntegrator.Rate = { time, state in
            let flow = try Divergence.value(
                of: { velocity($0, at: time, denoiser) }, at: state[0], probe: probe)
            return [flow.value, flow.divergence]
        }
        let state = [data * first.alpha, Tensor.zeros([data.shape[0]], data.elementType, on: data.device)]
        let last =
            switch integration {
            case .adaptive(let integrator):
                try integrator.integrate(state, from: end, to: schedule.start, rate: rate)
            case .fixed(let steps):
                try AdaptiveIntegrator.integrate(
                    state, from: end, to: schedule.start, steps: steps, rate: rate)
            }
        let dimension = Double(data.shape.dropFirst().reduce(1, *))
        let atStart = prior?(last[0]) ?? normal(last[0], dimension)
        return atStart + last[1] + dimension * log(first.alpha)
    }

    /// x̂₀·α′ + ε̂·σ′
    private func velocity(_ x: Tensor, at time: Double, _ denoiser: Denoiser) -> Tensor {
        let estimate = denoiser(x, schedule.level(at: time))
        let rates = schedule.rates(at: time)
        return (estimate.noise * rates.sigma).adding(estimate.data, scale: rates.alpha)
    }

    private func normal(_ x: Tensor, _ dimension: Double) -> Tensor {
        let variance = pow(schedule.level(at: schedule.start).sigma, 2)
        return (x.squared().sumPerExample() / variance + dimension * log(2 * .pi * variance)) * -0.5
    }

    /// Bits for each element of data whose ln p is given.
    ///
    /// Data in −1 … 1 that stand for whole numbers from 0 to 255 have elements 2/256 apart.
    /// - Parameters:
    ///   - logDensity: ln p, `[batch]`
    ///   - dimension: the number of elements of an example.
    ///   - spacing: how far apart neighbouring values of an element are.
    public static func bitsPerDimension(
        _ logDensity: Tensor, dimension: Int, spacing: Double = 2.0 / 256
    ) -> Tensor {
        (logDensity / Double(dimension) + log(spacing)) * (-1 / log(2))
    }
}
