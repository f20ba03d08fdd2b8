import Checkpoints
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct VariationalBoundTests {
    // MARK: parity

    private func bound(_ fixture: Fixture, clipsData: Bool? = nil) throws -> VariationalBound {
        let betas = BetaSchedule.linear.betas(
            count: try fixture.case.required("count"), from: try fixture.case.required("start"),
            to: try fixture.case.required("end"))
        let (variance, prediction): (String, String) = (
            try fixture.case.required("variance"), try fixture.case.required("prediction")
        )
        return VariationalBound(
            schedule: DiscreteSchedule(betas: betas),
            prediction: try #require(Prediction(rawValue: prediction)),
            variance: try #require(VariationalBound.Variance(rawValue: variance)),
            clipsData: try clipsData ?? fixture.case.required("clips"),
            decoder: try fixture.case.required("approximate") ? .approximatePixels : .pixels)
    }

    /// Every term, prior and total of the articles' formulas, worked out apart in NumPy.
    @Test func termsAgreeWithTheReference() throws {
        let fixtures = try Fixture.all(in: "bound")
        #expect(fixtures.count == 8)
        for fixture in fixtures {
            let (noises, outputs) = (try fixture.tensor("noises"), try fixture.tensor("outputs"))
            let found = try bound(fixture).evaluate(try fixture.tensor("data"), noise: { noises[$0] }) {
                _, times in outputs[(try? times[0].item(Int.self)) ?? -1]
            }
            let terms = try fixture.tensor("terms")
            expectClose(found.steps, terms, relative: 1e-9, absolute: 1e-10, fixture.name)
            expectClose(found.prior, try fixture.tensor("prior"), relative: 1e-10, fixture.name)
            expectClose(found.total, found.prior + terms.sum([1]), relative: 1e-9, fixture.name)
        }
    }

    /// The mean square of the prediction, plus λ·T times the term of the same draw.
    @Test func hybridLossesAgreeWithTheReference() throws {
        let fixture = try Fixture("bound/case-6")
        let bound = try bound(fixture)
        #expect(bound.learnsVariance && !bound.clipsData)
        let objective = try HybridObjective(
            process(bound.schedule, bound.prediction), boundWeight: 0.01, variance: bound.variance,
            decoder: bound.decoder)
        for time in 0..<bound.schedule.count {
            let output = try fixture.tensor("outputs")[time]
            let loss = try objective.losses(
                fixture.tensor("data"), noise: fixture.tensor("noises")[time],
                times: [Double](repeating: Double(time), count: 3)
            ) { _, _ in output }
            let (terms, errors) = (try fixture.tensor("terms"), try fixture.tensor("errors"))
            let expected = errors.select(time, of: 1)
                .adding(terms.select(time, of: 1), scale: 0.01 * Double(bound.schedule.count))
            expectClose(loss, expected, relative: 1e-9, "time \(time)")
        }
    }

    /// Steps, divergences, weights and prior of the forward process that diffusers' scheduler has.
    @Test func stepsAgreeWithTheForwardReference() throws {
        for fixture in try Fixture.all(in: "forward") {
            let schedule = DiscreteSchedule(betas: try fixture.tensor("betas").array())
            let bound = VariationalBound(schedule: schedule, prediction: Prediction.noise)
            let (data, x) = (try fixture.tensor("data"), try fixture.tensor("noisy"))
            let times = try fixture.tensor("timesteps")
            let output = try fixture.tensor("predicted_noise")
            let step = bound.step(x, times: times, output: output)
            expectClose(step.mean, try fixture.tensor("model.mean"), absolute: 1e-9, ofLargest: 1e-9)
            expectClose(
                step.logVariance.exp().select(0, of: 3).select(0, of: 2).select(0, of: 1),
                try fixture.tensor("posterior.variance"), relative: 1e-9)
            let divergence = try fixture.tensor("divergence").meanPerExample() / log(2)
            expectClose(
                bound.term(data, sample: x, times: times, output: output), divergence, relative: 1e-7)
            expectClose(
                bound.prior(data), try fixture.tensor("prior_divergence").meanPerExample() / log(2),
                relative: 1e-9)
            let weighting = LossWeighting.variational(schedule)
            let weights = try times.array(of: Int.self).map {
                weighting.weight(on: Prediction.noise, at: schedule.level(at: Double($0)))
            }
            expectClose(weights, try fixture.tensor("weight").array(), relative: 1e-8)
        }
    }

    /// Without any signal at the last time: the prior costs nothing and every term is finite.
    @Test func zeroTerminalSNRHasABound() throws {
        let betas = BetaSchedule.linear.betas(count: 20, from: 1e-3, to: 0.3)
        let schedule = DiscreteSchedule(betas: betas).rescaledToZeroTerminalSNR()
        let bound = VariationalBound(schedule: schedule, prediction: Prediction.velocity)
        let data = Tensor([-1.0, 0, 1], shape: [3, 1])
        let terms = bound.evaluate(data, noise: { _ in data * 0.3 + 0.2 }) { x, _ in x * 0.5 }
        #expect(try terms.prior.norm().item() < 1e-15)
        #expect(try terms.total.isFinite().all().item(Bool.self))
    }

    // MARK: parts

    /// E_q[ln q − ln p] by a fine sum over the line.
    @Test func divergencesOfNormalDensities() throws {
        for (m1, l1, m2, l2) in [(0.3, -0.5, -0.2, 0.4), (1, 0.7, 1, 0.7), (0, 0, 2, -1)] {
            var sum = 0.0
            for x in stride(from: -20.0, to: 20, by: 0.001) {
                let (a, b) = ((x - m1) * (x - m1) * exp(-l1), (x - m2) * (x - m2) * exp(-l2))
                sum += 0.001 * exp(-(a + l1) / 2) / (2 * Double.pi).squareRoot() * (b + l2 - a - l1) / 2
            }
            let found = normalDivergence(
                mean: Tensor(m1), logVariance: Tensor(l1), from: Tensor(m2), logVariance: Tensor(l2))
            #expect(abs(try found.item() - sum) < 1e-9)
        }
    }

    @Test func theDecoderIsADistribution() throws {
        let values = Tensor((0...255).map { Double($0) / 127.5 - 1 })
        for approximate in [false, true] {
            for (mean, deviation) in [(0.1, 0.02), (-0.9, 0.3), (1.2, 1), (0, 4)] {
                let logs = discreteLogLikelihood(
                    of: values, mean: Tensor(mean), logDeviation: Tensor(log(deviation)),
                    approximate: approximate)
                #expect(abs(try logs.exp().sum().item() - 1) < (approximate ? 1e-9 : 1e-13))
            }
        }
        // 200 deviations off, the exact one still has a number, and a slope that is one.
        try expectGradient(at: Tensor([0.3, -0.8]), tolerance: 1e-6) { mean in
            discreteLogLikelihood(of: Tensor([-1.0, 0.5]), mean: mean, logDeviation: Tensor(log(0.01))).sum()
        }
    }

    @Test(arguments: [VariationalBound.Variance.fixedSmall, .fixedLarge, .learned, .learnedRange])
    func gradientsAreThoseOfDifferences(variance: VariationalBound.Variance) throws {
        let schedule = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 5, from: 0.01, to: 0.3))
        let generator = RandomGenerator(seed: 3)
        let data = ((generator.normal([5, 1, 3], .float64) * 40 + 127).rounded()) / 127.5 - 1
        let (x, times) = (generator.normal([5, 1, 3], .float64), Tensor([0, 1, 2, 3, 4]))
        for prediction in Prediction.allCases {
            let bound = VariationalBound(
                schedule: schedule, prediction: prediction, variance: variance)
            let output = generator.normal([5, bound.learnsVariance ? 2 : 1, 3], .float64) * 0.4
            try expectGradient(at: output, "\(prediction)") { output in
                bound.term(data, sample: x, times: times, output: output).sum()
            }
        }
    }

    /// The mean learns from L_simple alone and the variance from the bound alone.
    @Test func noGradientOfTheBoundGoesThroughTheMean() throws {
        let schedule = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 4, from: 0.01, to: 0.3))
        let bound = VariationalBound(
            schedule: schedule, prediction: Prediction.noise, variance: .learnedRange)
        let generator = RandomGenerator(seed: 7)
        let (data, noise) = (generator.normal([4, 1, 3], .float64), generator.normal([4, 1, 3], .float64))
        let times = Tensor([0, 1, 2, 3])
        let mean = generator.normal([4, 1, 3], .float64).requiringGradient()
        let share = (generator.normal([4, 1, 3], .float64) * 0.5).requiringGradient()
        let output = concatenated([mean, share], along: 1)

        let own = process(schedule, Prediction.noise)
        let (hybrid, steps) = (try HybridObjective(own, boundWeight: 0.1), [0.0, 1, 2, 3])
        var samples: [Tensor] = []
        let loss = try hybrid.losses(data, noise: noise, times: steps) { x, _ in
            samples.append(x)
            return output
        }.sum()
        let simple = try DenoisingObjective(own).losses(data, noise: noise, times: steps) { _, _ in mean }
            .sum()
        let term = bound.term(data, sample: samples[0], times: times, output: output).sum() * 0.4

        let found = try gradients(of: [loss], withRespectTo: [mean, share])
        expectClose(
            try #require(found[0]), try gradients(of: [simple], withRespectTo: [mean])[0]!, absolute: 1e-14)
        let ofTerm = try gradients(of: [term], withRespectTo: [mean, share])
        expectClose(try #require(found[1]), try #require(ofTerm[1]), absolute: 1e-14)
        #expect(try ofTerm[0]!.norm().item() > 1e-2)
    }

    /// The parts of the hybrid loss are named and add up; the bound itself is T times its terms, whose mean over
    /// all times is the bound without its prior.
    @Test func partsAddUpAndTheBoundIsItsTerms() throws {
        let schedule = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 6, from: 0.01, to: 0.3))
        let own = process(schedule, Prediction.noise)
        let generator = RandomGenerator(seed: 7)
        let data = (generator.normal([1, 2, 3], .float64) * 40 + 127).rounded() / 127.5 - 1
        let (all, noise) = (
            data.repeated([6, 1, 1]), generator.normal([1, 2, 3], .float64).repeated([6, 1, 1])
        )
        let network: Roles.Network = { x, time in
            concatenated([x.tanh(), (x * 0.3 + time.broadcast(toRank: 3) * 0.01).sin()], along: 1)
        }
        let times = [0.0, 1, 2, 3, 4, 5]
        let hybrid = try HybridObjective(own, boundWeight: 0.2)
        let losses = try hybrid.losses(
            Example(data: all, noise: noise), Roles(student: network), at: times, generator)
        #expect(losses.parts.map(\.name) == ["simple", "bound"])
        expectClose(losses.total, losses.parts[0].values + losses.parts[1].values, relative: 1e-14)
        let objective = try BoundObjective(own)
        let found = try objective.losses(all, noise: noise, times: times, network: network)
        let terms = objective.bound.evaluate(data, noise: { _ in noise[0].unsqueezed(0) }) {
            network($0, $1.to(.float64))
        }
        #expect(abs(try found.mean().item() - (terms.total - terms.prior).item()) < 1e-11)
        expectClose(losses.parts[1].values, found * 0.2, relative: 1e-12)
    }

    /// Without bins the decoder is the density of the last step.
    @Test func densitiesAreDecoded() throws {
        let schedule = DiscreteSchedule(betas: [0.02, 0.3])
        let bound = VariationalBound(schedule: schedule, prediction: Prediction.data, decoder: .density)
        let (data, x) = (Tensor([1.7], shape: [1, 1]), Tensor([1.6], shape: [1, 1]))
        let output = Tensor([1.5], shape: [1, 1])
        let step = bound.step(x, times: Tensor([0]), output: output)
        let (mean, variance) = (try step.mean.item(), exp(try step.logVariance.item()))
        let nats = pow(1.7 - mean, 2) / (2 * variance) + log(2 * .pi * variance) / 2
        let found = try bound.term(data, sample: x, times: Tensor([0]), output: output).item()
        #expect(abs(found - nats / log(2)) < 1e-12)
    }

    /// A continuous process has no steps to sum over, and one step none before it.
    @Test func otherProcessesAreRefused() {
        for schedule: any NoiseSchedule in [VariancePreservingSchedule(), DiscreteSchedule(betas: [0.1])] {
            #expect(throws: DiffusionError.self) { try HybridObjective(process(schedule, Prediction.noise)) }
            #expect(throws: DiffusionError.self) { try BoundObjective(process(schedule, Prediction.noise)) }
        }
    }

    // MARK: Gaussian data

    /// What the model gives as the variance of its steps.
    enum StepVariance: CaseIterable {
        /// β̃ or β, whatever the data.
        case small, large
        /// β̃, and the decoder's as it is for these data.
        case smallWithDecoder
        /// That of q(x_{t−1} | x_t) for these data.
        case exact
    }

    /// The bound is above −log p of its own model at every value.
    @Test(arguments: StepVariance.allCases)
    func theBoundIsAboveItsModel(variance: StepVariance) throws {
        let line = GaussianLine(steps: 40, variance: variance)
        for (value, surprise) in zip(try line.boundOfEach(), try line.modelSurprise()) {
            #expect(value >= surprise - 1e-9)
        }
    }

    /// It comes down to −log p of the data with the number of steps, at once where each step is exact.
    @Test func theBoundComesDownToTheData() throws {
        func gap(_ steps: Int, _ variance: StepVariance) throws -> Double {
            let line = GaussianLine(steps: steps, variance: variance)
            let gaps = zip(try line.boundOfEach(), try line.dataSurprise()).map { $0 - $1 }
            // The outermost values stand for all beyond, which a model of one Gaussian cannot know.
            return gaps.dropFirst().dropLast().map(abs).max()!
        }
        let gaps = try [25, 100, 400].map { try gap($0, .smallWithDecoder) }
        #expect(gaps[0] > 3 * gaps[1] && gaps[1] > 3 * gaps[2] && gaps[2] < 0.2, "\(gaps)")
        #expect(try gap(5, .exact) < 1e-4)
    }
}

/// Data N(m, s²) rounded to the 256 values, and the model whose every step is linear: what it makes is
/// N(μ, V) rounded, with μ and V by recursion.
private struct GaussianLine {
    let mean = 0.2
    let deviation = 0.3
    let values = [-1, -0.6, -0.2, 0, 0.1, 0.2, 0.5, 0.9, 1].map { ($0 * 127.5 + 127.5).rounded() / 127.5 - 1 }
    let variance: VariationalBoundTests.StepVariance
    let bound: VariationalBound

    init(steps: Int, variance: VariationalBoundTests.StepVariance) {
        // Even in log-SNR, from noise of some bins to hardly any data.
        let bars = (0..<steps).map { 1 / (1 + exp(17.6 * Double($0) / Double(steps - 1) - 5.6)) }
        let kinds: [VariationalBoundTests.StepVariance: VariationalBound.Variance] = [
            .small: .fixedSmall, .large: .fixedLarge,
        ]
        self.variance = variance
        bound = VariationalBound(
            schedule: DiscreteSchedule(betas: zip(bars, [1] + bars).map { 1 - $0 / $1 }),
            prediction: Prediction.data,
            variance: kinds[variance] ?? .learned)
    }

    /// The network: x̂₀ linear in x, and ln of the variance where the bound asks for it.
    func output(_ x: Tensor, _ time: Int) -> Tensor {
        let level = bound.schedule.level(at: Double(time))
        let total = pow(level.alpha * deviation, 2) + level.sigma * level.sigma
        let slope = level.alpha * deviation * deviation / total
        let data = x * slope + mean * (1 - slope * level.alpha)
        guard bound.learnsVariance else { return data }
        let left = deviation * deviation * level.sigma * level.sigma / total
        guard time > 0 else { return concatenated([data, x * 0 + log(left)], along: 1) }
        let (bar, before, beta) = (
            bound.schedule.alphaBars[time], bound.schedule.alphaBars[time - 1], bound.schedule.betas[time]
        )
        let posterior = beta * (1 - before) / (1 - bar)
        let ofData = before * beta * beta / pow(1 - bar, 2) * left
        return concatenated([data, x * 0 + log(posterior + (variance == .exact ? ofData : 0))], along: 1)
    }

    /// −log₂ of the share of each value in what a normal density gives.
    private func surprise(_ mean: Double, _ variance: Double) throws -> [Double] {
        let logs = discreteLogLikelihood(
            of: Tensor(values), mean: Tensor(mean), logDeviation: Tensor(log(variance) / 2))
        return try (logs * (-1 / log(2))).array()
    }

    /// −log₂ p of each value.
    func dataSurprise() throws -> [Double] { try surprise(mean, deviation * deviation) }

    /// −log₂ p_θ of each value.
    func modelSurprise() throws -> [Double] {
        var (mean, variance) = (0.0, 1.0)
        for time in (0..<bound.schedule.count).reversed() {
            // The step is linear: read it off at 0 and 1.
            let x = Tensor([0.0, 1.0], shape: [2, 1])
            let step = bound.step(x, times: Tensor([time, time]), output: output(x, time))
            let ends = try step.mean.array(of: Double.self)
            mean = ends[0] + (ends[1] - ends[0]) * mean
            variance = pow(ends[1] - ends[0], 2) * variance + exp(try step.logVariance[0].item())
        }
        return try surprise(mean, variance)
    }

    /// The bound of each value, expectations by a fine sum over the noise.
    func boundOfEach() throws -> [Double] {
        let noises = stride(from: -7.0, through: 7, by: 0.05).map { $0 }
        let weights = Tensor(noises.map { 0.05 * exp(-$0 * $0 / 2) / (2 * Double.pi).squareRoot() })
        let data = Tensor(values).unsqueezed(1).repeated([1, noises.count]).reshaped([-1, 1])
        let noise = Tensor(noises).repeated([values.count]).unsqueezed(1)
        let terms = bound.evaluate(data, noise: { _ in noise }) { x, times in
            output(x, (try? times[0].item(Int.self)) ?? -1)
        }
        return try (terms.total.reshaped([values.count, noises.count]) * weights).sum([1]).array()
    }
}
