import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ObjectiveTests {
    private let plane = GaussianPlane()
    private let discrete = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 100, from: 1e-3, to: 0.1))

    private let meanings: [any OutputMeaning] =
        Prediction.allCases + [EDMPreconditioning(sigmaData: 0.7), ScaledScore()]

    /// What a network of a meaning would have given for an estimate.
    private func output(_ meaning: any OutputMeaning, _ estimate: Estimate, at level: NoiseLevel) -> Tensor {
        meaning.target(
            data: estimate.data, noise: estimate.noise, alpha: Tensor(level.alpha), sigma: Tensor(level.sigma)
        )
    }

    /// One objective, every process: the exact network is the minimiser, whatever it predicts.
    @Test func theMinimiserIsTheExactDenoiser() throws {
        let (data, noise) = plane.batch(300, seed: 4)
        func check(
            _ schedule: any NoiseSchedule, _ scaling: SampleScaling, _ meaning: any OutputMeaning,
            _ weighting: LossWeighting, at time: Double
        ) throws {
            let level = schedule.level(at: time)
            let own = level.divided(by: scaling.scale(of: level))
            let objective = DenoisingObjective(
                process(schedule, meaning, scaling: scaling), weighting: weighting)
            try expectMinimiser(tolerance: 1e-9, "\(type(of: schedule)) \(meaning.word)") { added in
                try objective.losses(data, noise: noise, times: Array(repeating: time, count: 300)) { x, _ in
                    output(meaning, plane.mixture.estimate(x, at: own), at: own) + added(x)
                }
            }
        }
        for meaning in meanings {
            for weighting in [LossWeighting.simple, .minSNR(), .sigmoid(bias: 1)] {
                for time in [3.0, 60] {
                    try check(discrete, .variancePreserving, meaning, weighting, at: time)
                }
                for (schedule, scaling) in continuousSchedules {
                    for time in [0.2, 0.7] { try check(schedule, scaling, meaning, weighting, at: time) }
                }
            }
        }
    }

    /// The value of the loss at the minimiser, in closed form: of data N(m, s²), a denoiser leaves the variance
    /// s²σ²/(α²s² + σ²), and each output its own unit of it.
    @Test func theLeastLossIsThePosteriorVariance() throws {
        let parts = whitened(400, 2, seed: 6).chunked(2, of: 1)
        let (mean, deviation) = (0.4, 0.6)
        let (data, noise) = (parts[0] * deviation + mean, parts[1])
        let mixture = GaussianMixture(
            weights: Tensor([1.0]), means: Tensor([mean], shape: [1, 1]),
            covariances: Tensor([deviation * deviation], shape: [1, 1, 1]))
        for (schedule, scaling) in continuousSchedules {
            let level = schedule.level(at: 0.3)
            let own = level.divided(by: scaling.scale(of: level))
            let (a, s, d) = (own.alpha, own.sigma, deviation)
            let left = d * d * s * s / (a * a * d * d + s * s)
            for meaning in meanings {
                let times = Array(repeating: 0.3, count: 400)
                func loss(_ weighting: LossWeighting) throws -> Double {
                    try DenoisingObjective(
                        process(schedule, meaning, scaling: scaling), weighting: weighting
                    ).losses(data, noise: noise, times: times) { x, _ in
                        output(meaning, mixture.estimate(x, at: own), at: own)
                    }.mean().item()
                }
                #expect(abs(try loss(.uniformData) / left - 1) < 1e-9, "\(meaning.word)")
                #expect(abs(try loss(.uniformNoise) / (left * a * a / (s * s)) - 1) < 1e-9, "\(meaning.word)")
                let edm = (s * s + a * a * 0.25) / (s * s * 0.25)
                #expect(abs(try loss(.edm()) / (left * edm) - 1) < 1e-9, "\(meaning.word)")
            }
        }
    }

    @Test func gradientsAreThoseOfDifferences() throws {
        let (data, noise) = plane.batch(8, seed: 2)
        let times = [0.0, 3, 10, 30, 50, 70, 90, 99]
        for meaning in meanings {
            for weighting in [LossWeighting.simple, .edm(), .minSNR(), .p2(), .variational(discrete)] {
                let objective = DenoisingObjective(process(discrete, meaning), weighting: weighting)
                try expectGradient(at: smoothParameters) { parameters in
                    try objective.losses(data, noise: noise, times: times, network: smoothNetwork(parameters))
                        .mean()
                }
            }
        }
    }

    /// The loss of an example is its own weight times its own error.
    @Test func weightsMultiplyEachExample() throws {
        let (data, noise) = plane.batch(6, seed: 6)
        let times = [0.05, 0.1, 0.4, 0.6, 0.9, 0.99]
        let weighting = LossWeighting.minSNR(gamma: 2)
        func loss(_ weighting: LossWeighting) throws -> [Double] {
            try DenoisingObjective(
                process(TrigonometricSchedule(), Prediction.velocity), weighting: weighting
            ).losses(data, noise: noise, times: times, network: smoothNetwork(smoothParameters)).array()
        }
        let levels = times.map(TrigonometricSchedule().level(at:))
        let expected = zip(try loss(.simple), levels).map {
            $0 * weighting.weight(on: Prediction.velocity, at: $1)
        }
        expectClose(try loss(weighting), expected, relative: 1e-13)
    }

    /// The network gets c_in·x in its own scaling, and its own time.
    @Test func theNetworkGetsWhatTheParameterizationSays() throws {
        let generator = RandomGenerator(seed: 6)
        let (data, noise) = (generator.normal([3, 2], .float64), generator.normal([3, 2], .float64))
        let edm = EDMPreconditioning(sigmaData: 0.6)
        let times = [0.1, 0.5, 0.9]
        let own = Diffusion.Process(
            schedule: VariancePreservingSchedule(), parameterization: edm.parameterization,
            sampling: process(discrete, edm).sampling)
        _ = try DenoisingObjective(own).losses(data, noise: noise, times: times) { x, time in
            for (index, level) in times.map(VariancePreservingSchedule().level(at:)).enumerated() {
                let ratio = level.sigma / level.alpha
                let sample = data[index] + noise[index] * ratio
                expectClose(x[index], sample / (ratio * ratio + 0.36).squareRoot(), relative: 1e-12)
                expectClose(time[index], Tensor(log(ratio) / 4), relative: 1e-13)
            }
            return x
        }
    }

    /// A network that learns its variance trains by its prediction alone where the objective reads no more.
    @Test func furtherChannelsAreLeftOut() throws {
        let (data, noise) = plane.batch(6, seed: 6)
        let objective = DenoisingObjective(process(discrete, Prediction.noise))
        let times = [0.0, 1, 2, 3, 50, 99]
        let plain = try objective.losses(data, noise: noise, times: times) { x, _ in x.tanh() }
        let doubled = try objective.losses(data, noise: noise, times: times) { x, _ in
            concatenated([x.tanh(), x.exp()], along: 1)
        }
        #expect(try plain.isIdentical(to: doubled))
    }

    /// Training on a table draws as it always did, and computes in the same order: whole times first, then noise,
    /// from one stream; the mean square of the difference, in single precision.
    @Test func drawsAreTimesThenNoise() throws {
        let objective = DenoisingObjective(process(discrete, Prediction.noise))
        let data = RandomGenerator(seed: 2).normal([5, 3, 4, 4])
        let generator = RandomGenerator(seed: 12)
        let times = generator.integers([5], in: 0..<100)
        let noise = generator.normal([5, 3, 4, 4])
        let levels = try times.array(of: Int.self).map { discrete.level(at: Double($0)) }
        func column(_ values: [Double]) -> Tensor { Tensor(values).to(.float32).broadcast(toRank: 4) }
        let x = column(levels.map(\.alpha)) * data + column(levels.map(\.sigma)) * noise
        let used = RandomGenerator(seed: 12)
        var memory = objective.initialMemory
        let network = Roles { input, time in
            #expect((try? input.isIdentical(to: x)) == true)
            #expect((try? time.isIdentical(to: times.to(.float32))) == true)
            return input.tanh()
        }
        let found = try objective.losses(Example(data: data), network, &memory, used).total
        #expect(try found.isIdentical(to: (x.tanh() - noise).squared().meanPerExample()))
        #expect(try used.state.isIdentical(to: generator.state))
        #expect(memory == LossHistory())
    }

    /// Batches of examples at their own levels: the data of `estimate`, one level at a time.
    @Test(arguments: Prediction.allCases)
    func batchedDataAreThoseOfTheEstimate(prediction: Prediction) throws {
        let generator = RandomGenerator(seed: 3)
        let (x, output) = (generator.normal([4, 2, 3], .float64), generator.normal([4, 2, 3], .float64))
        let levels = [0.3, 0.8, 1.1, 1.5].map { NoiseLevel(alpha: 1.2 * cos($0), sigma: 0.8 * sin($0)) }
        let batch = prediction.data(
            output, sample: x, alpha: Tensor(levels.map(\.alpha)).broadcast(toRank: 3),
            sigma: Tensor(levels.map(\.sigma)).broadcast(toRank: 3))
        for (index, level) in levels.enumerated() {
            let single = prediction.estimate(output[index], sample: x[index], at: level)
            expectClose(batch[index], single.data, absolute: 1e-12)
        }
    }

    /// The loss at a share is the loss at that quantile of the times, for all examples; means over even shares are
    /// the mean over the density, by the midpoint rule.
    @Test func lossesAtSharesAreThoseOfQuantiles() throws {
        let generator = RandomGenerator(seed: 6)
        let (data, noise) = (generator.normal([2, 2], .float64), generator.normal([2, 2], .float64))
        let schedule = StraightSchedule()
        let objective = DenoisingObjective(
            process(schedule, Prediction.flow, scaling: .straight),
            times: DensityTimes(.logitNormal(mean: 0.3, deviation: 0.8), on: schedule))
        let roles = Roles(student: smoothNetwork(smoothParameters))
        let example = Example(data: data, noise: noise)
        func loss(_ share: Double) throws -> Double {
            try objective.losses(example, roles, atShare: share, RandomGenerator(seed: 1)).total.mean().item()
        }
        let middle = 1 / (1 + exp(-0.3))
        let expected = try objective.losses(
            data, noise: noise, times: [middle, middle], network: roles.student
        ).mean().item(Double.self)
        #expect(abs(try loss(0.5) - expected) < 1e-12)
        let shares = RunningObjective.evenShares()
        #expect(shares.count == 8 && shares[0] == 1.0 / 16 && shares[7] == 15.0 / 16)
        let many = try RunningObjective.evenShares(400).map(loss).reduce(0, +) / 400
        let eight = try RunningObjective(objective).heldOutLosses(example, roles, RandomGenerator(seed: 1))
            .mean().item(Double.self)
        #expect(abs(try shares.map(loss).reduce(0, +) / 8 - eight) < 1e-12)
        var sum = 0.0
        let density = TimeDensity.logitNormal(mean: 0.3, deviation: 0.8)
        for step in 0..<2000 {
            let time = (Double(step) + 0.5) / 2000
            sum +=
                try density.density(time) / 2000
                * objective.losses(data, noise: noise, times: [time, time], network: roles.student)
                .mean().item()
        }
        #expect(abs(many / sum - 1) < 1e-4 && abs(eight / sum - 1) < 0.03, "\(many) \(eight) \(sum)")
    }
}
