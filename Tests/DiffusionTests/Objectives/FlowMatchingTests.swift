import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct FlowMatchingTests {
    private let plane = GaussianPlane()

    /// Flow matching on a path, for a network that gives what `flow` means there.
    private func objective(
        _ path: any ContinuousSchedule, _ latent: LatentNoise = .none, output: Prediction = .flow,
        scaling: SampleScaling = .straight, coupling: Coupling = .independent,
        times: (any TimeSampling)? = nil
    ) -> FlowMatchingObjective {
        FlowMatchingObjective(
            process(path, output, scaling: scaling), interpolant: Interpolant(path, latent: latent),
            coupling: coupling, times: times)
    }

    /// E[dx/dt | x] of Gaussian data and noise is the probability flow's velocity, on every Gaussian path and
    /// whatever the network predicts.
    @Test(arguments: Prediction.allCases)
    func theMinimiserIsTheExactEstimate(prediction: Prediction) throws {
        let (data, noise) = plane.batch(300, seed: 4)
        for (path, scaling) in continuousSchedules {
            let objective = objective(path, output: prediction, scaling: scaling)
            for share in [0.1, 0.5, 0.9] {
                let time = path.time(atShare: share)
                let level = path.level(at: time)
                let own = level.divided(by: scaling.scale(of: level))
                try expectMinimiser(tolerance: 1e-7, "\(type(of: path))") { added in
                    let times = Array(repeating: time, count: 300)
                    let unit = try objective.losses(data, noise: noise, times: times) { x, _ in x * 0 }.mean()
                    let loss = try objective.losses(data, noise: noise, times: times) { x, _ in
                        prediction.output(plane.mixture.estimate(x, at: own), at: own) + added(x)
                    }
                    return try loss / unit.item()
                }
            }
        }
    }

    /// For the straight path and `flow` the velocity is the network's output itself.
    @Test func theVelocityOfTheStraightPathIsTheOutput() throws {
        let (data, noise) = plane.batch(8, seed: 2)
        let network = smoothNetwork(smoothParameters)
        let times = [0.001, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9, 0.999]
        let column = Tensor(times).unsqueezed(1)
        let output = network((1 - column) * data + column * noise, Tensor(times))
        expectClose(
            try objective(StraightSchedule()).losses(data, noise: noise, times: times, network: network),
            (output - (noise - data)).squared().meanPerExample(), relative: 1e-11)
    }

    /// The targets of rectified flow, and of the conditional paths with σ_min in the paper's own letters.
    @Test func targetsAreTheArticles() throws {
        let (data, noise) = plane.batch(50, seed: 3)
        let times = RandomGenerator(seed: 1).uniform([50], .float64)
        let column = times.unsqueezed(1)
        let straight = Interpolant(StraightSchedule())
            .point(data: data, other: noise, latent: nil, times: try times.array())
        expectClose(straight.velocity, noise - data, absolute: 1e-14)
        expectClose(straight.sample, data + column * (noise - data), absolute: 1e-14)
        let minimum = 0.05
        let blurred = Interpolant(ConditionalTransportSchedule(sigmaMinimum: minimum))
            .point(data: data, other: noise, latent: nil, times: try times.array())
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
        let times = [0.05, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9, 0.95]
        for gamma in [LatentNoise.none, .bridge(), .sineSquared(scale: 0.5), .constant(0.1)] {
            let objective = objective(TrigonometricSchedule(), gamma)
            try expectGradient(at: smoothParameters) { parameters in
                try objective.losses(data, noise: noise, times: times, network: smoothNetwork(parameters))
                    .mean()
            }
        }
    }

    /// The loss with its own draws is the loss of those draws.
    @Test func drawsAreTimesThenNoiseThenLatent() throws {
        let density = DensityTimes(.logitNormal(), on: StraightSchedule())
        let objective = objective(
            StraightSchedule(), .bridge(), coupling: .optimalTransport, times: density)
        let (data, _) = plane.batch(8, seed: 2)
        let generator = RandomGenerator(seed: 12)
        let times = try density.draw(8, LossHistory(), generator).times
        let noise = try Coupling.optimalTransport.paired(data, with: generator.normal([8, 2], .float64))
        let latent = generator.normal([8, 2], .float64)
        let point = objective.interpolant.point(data: data, other: noise, latent: latent, times: times)
        _ = try objective.losses(Example(data: data), seed: 12) { x, time in
            let levels = times.map(objective.process.schedule.level(at:))
            let scale = Tensor(levels.map { $0.alpha + $0.sigma }).unsqueezed(1)
            expectClose(x, point.sample / scale, absolute: 1e-15)
            expectClose(time, Tensor(times), absolute: 0)
            return x
        }
    }

    /// Rectified flow is the objective that predicts `flow` on the straight path, draw for draw; on any
    /// path, flow matching is the noise's loss weighted by (½·σ·λ′)².
    @Test func flowMatchingIsWeightedDenoising() throws {
        let (data, _) = plane.batch(8, seed: 2)
        let network = smoothNetwork(smoothParameters)
        for (path, scaling) in continuousSchedules {
            let weighting = LossWeighting.onNoise { level in
                // The weight is read at the network's scaling; the path's own level has its σ.
                let own = path.level(at: level.time!)
                return pow(path.logSNRRate(at: level.time!) * own.sigma / 2, 2)
            }
            for prediction in Prediction.allCases {
                let own = process(path, prediction, scaling: scaling)
                let flow = try objective(path, output: prediction, scaling: scaling)
                    .losses(Example(data: data), seed: 3, network: network).total
                let denoised = try DenoisingObjective(own, weighting: weighting)
                    .losses(Example(data: data), seed: 3, network: network).total
                expectClose(flow, denoised, relative: 1e-8, "\(type(of: path)) \(prediction)")
            }
        }
    }

    /// A network of any path is sampled on the straight one: it sees the samples and times that it was trained on, and its
    /// estimates are the same.
    @Test func networksOfOtherPathsAreSampledOnTheStraightOne() throws {
        let given = process(StraightSchedule(), Prediction.flow, scaling: .straight)
        let (data, noise) = plane.batch(6, seed: 2)
        for (path, latent) in [
            (TrigonometricSchedule(), LatentNoise.none), (VariancePreservingSchedule(), .none),
            (TrigonometricSchedule(), .sineSquared(scale: 0.4)),
        ] as [(any ContinuousSchedule, LatentNoise)] {
            let objective = FlowMatchingObjective(given, interpolant: Interpolant(path, latent: latent))
            let level = objective.process.schedule.level(at: 0.35)
            let straight = level.divided(by: level.alpha + level.sigma)
            let estimate = plane.mixture.estimate(
                data * straight.alpha + noise * straight.sigma, at: straight)
            let denoiser = Denoiser(objective.samplingProcess.parameterization) { x, time in
                #expect(abs(((try? time.item(Double.self)) ?? .nan) - 0.35) < 1e-6)
                return Prediction.flow.output(plane.mixture.estimate(x, at: straight), at: straight)
            }
            let onStraight = StraightSchedule().level(at: straight.sigma)
            let found = denoiser(data * straight.alpha + noise * straight.sigma, onStraight)
            expectClose(found.data, estimate.data, absolute: 1e-12)
        }
    }

    // MARK: couplings

    /// Within classes the plan is each class's own; the noise that a class gets is the noise drawn for it.
    @Test func transportStaysWithinClasses() throws {
        let generator = RandomGenerator(seed: 5)
        let (data, noise) = (generator.normal([12, 2], .float64), generator.normal([12, 2], .float64))
        let labels = Tensor([0, 1, 0, 2, 1, 0, 2, 2, 1, 0, 0, 1])
        let coupling = Coupling.optimalTransport
        let paired = try coupling.paired(data, with: noise, labels: labels)
        for label in 0..<3 {
            let members = try labels.array(of: Int.self).enumerated().filter { $0.element == label }
                .map(\.offset)
            let rows = Tensor(members)
            let alone = try coupling.paired(data.gathered(rows), with: noise.gathered(rows))
            #expect(try paired.gathered(rows).isIdentical(to: alone))
        }
        #expect(try !paired.isIdentical(to: coupling.paired(data, with: noise)))
        #expect(try Coupling.independent.paired(data, with: noise, labels: labels).isIdentical(to: noise))
    }

    /// Data that come with their noise keep it: nothing is drawn, and no coupling pairs it anew.
    @Test func pairedNoiseIsKept() throws {
        let (data, noise) = plane.batch(8, seed: 2)
        let generator = RandomGenerator(seed: 12)
        let times = try generator.uniform([8], .float64).array(of: Double.self)
        let next = generator.state
        let used = RandomGenerator(seed: 12)
        var memory = LossHistory()
        let network = smoothNetwork(smoothParameters)
        let pair = Example(data: data, noise: noise)
        let found = try objective(StraightSchedule()).losses(pair, Roles(student: network), &memory, used)
            .total
        #expect(try used.state.isIdentical(to: next))
        expectClose(
            found,
            try objective(StraightSchedule()).losses(data, noise: noise, times: times, network: network),
            absolute: 0)
        #expect(throws: DiffusionError.self) {
            try objective(StraightSchedule(), coupling: .optimalTransport).losses(
                pair, seed: 1, network: network)
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
            let point = interpolant.point(
                data: data, other: end, latent: z, times: Array(repeating: time, count: 400))
            try expectMinimiser { added in
                let x = point.sample
                let velocity =
                    (x - mean).matmul(total.inverse()).matmul(shared) + plane.mean * rates.alpha - rates.sigma
                return (velocity + added(x) - point.velocity).squared().sumPerExample()
            }
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
            let (found, rates) = (interpolant.schedule.level(at: time), interpolant.schedule.rates(at: time))
            #expect(abs(found.sigma - level.sigma) < 1e-15 && found.alpha == level.alpha)
            #expect(abs(rates.sigma - rate) < 1e-14 && rates.alpha == -1)
            #expect(abs(interpolant.schedule.time(logSNR: found.logSNR) - time) < 1e-13)
            let point = interpolant.point(
                data: data, other: parts[1], latent: parts[2], times: Array(repeating: time, count: 300))
            try expectMinimiser { added in
                let estimate = plane.mixture.estimate(point.sample, at: level)
                let velocity = estimate.noise * rate - estimate.data + added(point.sample)
                return (velocity - point.velocity).squared().sumPerExample()
            }
        }
    }

    /// A blend of two samples by share (iterative α-blending) is the straight interpolant.
    @Test func alphaBlendingIsTheStraightInterpolant() throws {
        let (data, other) = plane.batch(5, seed: 1)
        let point = Interpolant(StraightSchedule()).point(
            data: data, other: other, latent: nil, times: [0.0, 0.25, 0.5, 0.75, 1])
        for (index, share) in [0.0, 0.25, 0.5, 0.75, 1].enumerated() {
            expectClose(
                point.sample[index], data[index].interpolated(to: other[index], weight: share),
                absolute: 1e-15)
        }
    }
}
