import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct FlowMatchingTests {
    private let plane = GaussianPlane()

    /// E[dx/dt | x] of Gaussian data and noise is the probability flow's velocity, on every Gaussian path.
    @Test func theMinimiserIsTheProbabilityFlow() throws {
        let (data, noise) = plane.batch(300, seed: 4)
        let paths: [any ContinuousSchedule] = [
            StraightSchedule(), TrigonometricSchedule(), ConditionalTransportSchedule(sigmaMinimum: 0.1),
            VariancePreservingSchedule(), VarianceExplodingSchedule(sigmaMaximum: 5),
        ]
        for path in paths {
            let objective = FlowMatching(Interpolant(path))
            for time in [0.1, 0.5, 0.9] {
                let (level, rates) = (path.level(at: time), path.rates(at: time))
                try expectMinimiser(tolerance: 1e-9, "\(type(of: path))") { added in
                    try objective.loss(
                        data, other: noise, times: .full(time, [300], .float64)
                    ) { x, _ in
                        let estimate = plane.mixture.estimate(x, at: level)
                        return estimate.data * rates.alpha + estimate.noise * rates.sigma + added(x)
                    }
                }
            }
        }
    }

    /// The targets of rectified flow, and of the conditional paths with σ_min in the paper's own letters.
    @Test func targetsAreTheArticles() throws {
        let (data, noise) = plane.batch(50, seed: 3)
        let times = RandomGenerator(seed: 1).uniform([50], .float64)
        let column = times.unsqueezed(1)
        let straight = try Interpolant(StraightSchedule())
            .point(data: data, other: noise, latent: nil, times: times)
        expectClose(straight.velocity, noise - data, absolute: 1e-14)
        expectClose(straight.sample, data + column * (noise - data), absolute: 1e-14)
        let minimum = 0.05
        let blurred = try Interpolant(ConditionalTransportSchedule(sigmaMinimum: minimum))
            .point(data: data, other: noise, latent: nil, times: times)
        // ψ_t(x₀) = (1 − (1 − σ_min)·t)·x₀ + t·x₁ with x₀ noise and time reversed; its rate, reversed too.
        let own = 1 - column
        expectClose(
            blurred.sample, (1 - own * (1 - minimum)) * noise + own * data, absolute: 1e-14)
        expectClose(blurred.velocity, -(data - noise * (1 - minimum)), absolute: 1e-14)
    }

    @Test func thePathWithABlurKnowsItsTimes() {
        let path = ConditionalTransportSchedule(sigmaMinimum: 0.05)
        for time in stride(from: 0.0, to: 1, by: 0.07) {
            let level = path.level(at: time)
            #expect(abs(path.time(logSNR: level.logSNR) - time) < 1e-13)
        }
        #expect(path.time(logSNR: 20) == 0)
        #expect(
            ConditionalTransportSchedule(sigmaMinimum: 0).level(at: 0.3) == StraightSchedule().level(at: 0.3))
    }

    @Test func gradientsAreThoseOfDifferences() throws {
        let (data, noise) = plane.batch(8, seed: 2)
        let times = Tensor([0.05, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9, 0.95])
        let latent = RandomGenerator(seed: 7).normal([8, 2], .float64)
        for gamma in [LatentNoise.none, .bridge(), .sineSquared(scale: 0.5), .constant(0.1)] {
            let objective = FlowMatching(Interpolant(TrigonometricSchedule(), latent: gamma))
            try expectGradient(at: smoothParameters) { parameters in
                try objective.loss(
                    data, other: noise, latent: latent, times: times, network: smoothNetwork(parameters)
                ).mean()
            }
        }
    }

    /// The loss with its own draws is the loss of those draws.
    @Test func drawsAreTimesThenNoiseThenLatent() throws {
        let objective = FlowMatching(
            Interpolant(StraightSchedule(), latent: .bridge()), coupling: .optimalTransport,
            times: TimeDensity.logitNormal())
        let (data, _) = plane.batch(8, seed: 2)
        let generator = RandomGenerator(seed: 12)
        let times = TimeDensity.logitNormal().draw(8, generator).times
        let noise = try Coupling.optimalTransport.paired(data, with: generator.normal([8, 2], .float64))
        let latent = generator.normal([8, 2], .float64)
        let network = smoothNetwork(smoothParameters)
        let found = try objective.loss(data, RandomGenerator(seed: 12), network: network)
        let expected = try objective.loss(
            data, other: noise, latent: latent, times: times, network: network)
        #expect(try found.isIdentical(to: expected))
    }

    /// Rectified flow is the objective that predicts `flow` on the straight path, draw for draw; on any
    /// path, flow matching is the noise's loss weighted by (½·σ·λ′)².
    @Test func flowMatchingIsAnObjective() throws {
        let (data, noise) = plane.batch(8, seed: 2)
        let network = smoothNetwork(smoothParameters)
        let flow = try FlowMatching().loss(data, RandomGenerator(seed: 3), network: network)
        let objective = Objective(schedule: StraightSchedule(), prediction: .flow, elementType: .float64)
        expectClose(
            flow, objective.loss(data, RandomGenerator(seed: 3), network: network), relative: 1e-12)
        for path: any ContinuousSchedule in [TrigonometricSchedule(), VariancePreservingSchedule()] {
            let weighting = LossWeighting.onNoise { level in
                pow(path.logSNRRate(at: level.time!) * level.sigma / 2, 2)
            }
            let times = Tensor([0.05, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9, 0.95])
            let denoised = Objective(
                schedule: path, prediction: .noise, weighting: weighting, elementType: .float64
            ).loss(data, noise: noise, times: times, network: network)
            let velocity = try FlowMatching(Interpolant(path)).loss(data, other: noise, times: times) {
                x, told in
                let output = network(x, told)
                let levels = ((try? told.array(of: Double.self)) ?? []).map {
                    (level: path.level(at: $0), rates: path.rates(at: $0))
                }
                func column(_ value: ((level: NoiseLevel, rates: (alpha: Double, sigma: Double))) -> Double)
                    -> Tensor
                {
                    Tensor(levels.map(value)).unsqueezed(1)
                }
                let (alpha, sigma) = (column { $0.level.alpha }, column { $0.level.sigma })
                let data = Prediction.noise.data(output, sample: x, alpha: alpha, sigma: sigma)
                return column { $0.rates.alpha } * data + column { $0.rates.sigma } * output
            }
            expectClose(velocity, denoised, relative: 1e-9)
        }
    }

    // MARK: stochastic interpolants

    /// γ and its rate by differences, and its ends.
    @Test func latentNoiseHasItsRates() {
        for latent in [LatentNoise.none, .bridge(scale: 2), .sineSquared(scale: 0.7), .constant(0.3)] {
            for time in stride(from: 0.1, to: 0.95, by: 0.1) {
                let slope =
                    (latent.value(at: time + 1e-6).scale - latent.value(at: time - 1e-6).scale) / 2e-6
                #expect(abs(slope - latent.value(at: time).rate) < 1e-8)
            }
        }
        for latent in [LatentNoise.bridge(scale: 2), .sineSquared(scale: 0.7)] {
            #expect(latent.value(at: 0).scale == 0 && abs(latent.value(at: 1).scale) < 1e-15)
        }
    }

    /// Between two Gaussian sets of data: the velocity and the latent noise are linear in x, by regression
    /// of known moments, and give the density's score as −E[z | x]/γ.
    @Test func betweenTwoSetsOfDataTheMinimiserIsTheRegression() throws {
        let parts = whitened(400, 6, seed: 5).chunked(3, of: 1)
        let other = Tensor([0.5, 0, -0.3, 1.2], shape: [2, 2])
        let (data, end, z) = (
            parts[0].matmul(plane.factor.transposed()) + plane.mean,
            parts[1].matmul(other.transposed()) - 1, parts[2]
        )
        let interpolant = Interpolant(TrigonometricSchedule(), latent: .sineSquared(scale: 0.8))
        for time in [0.2, 0.5, 0.8] {
            let (level, rates) = (interpolant.path.level(at: time), interpolant.path.rates(at: time))
            let gamma = interpolant.latent.value(at: time)
            let (c0, c1, unit) = (
                plane.covariance, other.matmul(other.transposed()), Tensor.identity(2, .float64)
            )
            let total =
                c0 * pow(level.alpha, 2) + c1 * pow(level.sigma, 2) + unit * pow(gamma.scale, 2)
            let shared =
                c0 * (level.alpha * rates.alpha) + c1 * (level.sigma * rates.sigma)
                + unit * (gamma.scale * gamma.rate)
            let mean = plane.mean * level.alpha - level.sigma
            try expectMinimiser { added in
                try FlowMatching(interpolant).loss(
                    data, other: end, latent: z, times: .full(time, [400], .float64)
                ) { x, _ in
                    (x - mean).matmul(total.inverse()).matmul(shared) + plane.mean * rates.alpha - rates.sigma
                        + added(x)
                }
            }
            let point = try interpolant.point(
                data: data, other: end, latent: z, times: .full(time, [400], .float64))
            try expectMinimiser("latent") { added in
                let score = -(point.sample - mean).matmul(total.inverse())
                return (score * -gamma.scale + added(point.sample) - point.latent!).squared().sumPerExample()
            }
        }
    }

    /// Against noise, γ only adds to it: the velocity learned is that of the path with σ̂² = σ² + γ².
    @Test func latentNoiseAgainstNoiseIsAnotherGaussianPath() throws {
        let parts = whitened(300, 6, seed: 8).chunked(3, of: 1)
        let data = parts[0].matmul(plane.factor.transposed()) + plane.mean
        let interpolant = Interpolant(StraightSchedule(), latent: .bridge())
        for time in [0.25, 0.6] {
            // √(t² + t·(1 − t)) = √t
            let level = NoiseLevel(alpha: 1 - time, sigma: time.squareRoot())
            let rate = 0.5 / time.squareRoot()
            try expectMinimiser { added in
                try FlowMatching(interpolant).loss(
                    data, other: parts[1], latent: parts[2], times: .full(time, [300], .float64)
                ) { x, _ in
                    let estimate = plane.mixture.estimate(x, at: level)
                    return estimate.noise * rate - estimate.data + added(x)
                }
            }
        }
    }

    /// A blend of two samples by share (iterative α-blending) is the straight interpolant.
    @Test func alphaBlendingIsTheStraightInterpolant() throws {
        let (data, other) = plane.batch(5, seed: 1)
        let times = Tensor([0.0, 0.25, 0.5, 0.75, 1])
        let point = try Interpolant(StraightSchedule()).point(
            data: data, other: other, latent: nil, times: times)
        for (index, share) in [0.0, 0.25, 0.5, 0.75, 1].enumerated() {
            expectClose(
                point.sample[index], data[index].interpolated(to: other[index], weight: share),
                absolute: 1e-15)
        }
    }
}
