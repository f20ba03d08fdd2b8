import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// What holds of every meaning of an output: its target is inverted by its estimate, and the two forms agree.
@Suite struct OutputMeaningTests {
    static let meanings: [any OutputMeaning] =
        Prediction.allCases + [
            ScaledScore(), EDMPreconditioning(sigmaData: 0.7),
            ConsistencyPreconditioning(sigmaData: 0.6, sigmaMinimum: 0.01),
        ]
    /// Levels of four scalings.
    static let levels = [
        NoiseLevel(alpha: 0.8, sigma: 0.6), NoiseLevel(alpha: 1, sigma: 2.5),
        NoiseLevel(alpha: 0.3, sigma: 0.7),
        NoiseLevel(alpha: 0.5, sigma: 0.75),
    ]
    private let data = RandomGenerator(seed: 1).normal([4, 3], .float64)
    private let noise = RandomGenerator(seed: 2).normal([4, 3], .float64)

    private func column(_ values: [Double]) -> Tensor { Tensor(values).broadcast(toRank: 2) }

    @Test(arguments: meanings.indices)
    func estimatesInvertTargets(_ index: Int) throws {
        let meaning = Self.meanings[index]
        for level in Self.levels {
            let x = data * level.alpha + noise * level.sigma
            let (alpha, sigma) = (Tensor([level.alpha]), Tensor([level.sigma]))
            let target = meaning.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
            let estimate = meaning.estimate(target, sample: x, at: level)
            expectClose(estimate.data, data, absolute: 1e-12)
            expectClose(estimate.noise, noise, absolute: 1e-12)
            #expect(meaning.isDefined(at: level))
        }
    }

    @Test(arguments: meanings.indices)
    func batchesOfLevelsHaveTheSameData(_ index: Int) throws {
        let meaning = Self.meanings[index]
        let (alpha, sigma) = (column(Self.levels.map(\.alpha)), column(Self.levels.map(\.sigma)))
        let x = alpha * data + sigma * noise
        let target = meaning.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
        expectClose(meaning.data(target, sample: x, alpha: alpha, sigma: sigma), data, absolute: 1e-12)
    }

    /// ‖F − F*‖² of an estimate whose v is off by one at α² + σ² = 1: its data are off by σ/√(α² + σ²).
    @Test(arguments: meanings.indices)
    func theUnitOfErrorsIsVelocitys(_ index: Int) throws {
        let meaning = Self.meanings[index]
        for level in Self.levels {
            let x = data * level.alpha + noise * level.sigma
            let (alpha, sigma) = (Tensor([level.alpha]), Tensor([level.sigma]))
            let shift = level.sigma / (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
            let other = data + shift
            let otherNoise = (x - other * level.alpha) / level.sigma
            let error =
                meaning.target(data: other, noise: otherNoise, alpha: alpha, sigma: sigma)
                - meaning.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
            let expected = meaning.squaredError(ofUnitVelocityErrorAt: level)
            expectClose(error.squared(), Tensor.full(expected, [4, 3], .float64), relative: 1e-10)
        }
    }

    /// EDM's F has a target of unit variance for data of σ_data, at both ends too.
    @Test func preconditionedTargetsAreFiniteAtBothEnds() throws {
        let edm = EDMPreconditioning(sigmaData: 0.5)
        let (alpha, sigma) = (column([1, 0, 1, 1]), column([0, 1, 80, 0.5]))
        let target = edm.target(data: data * 0.5, noise: noise, alpha: alpha, sigma: sigma)
        expectClose(target[0], -noise[0], absolute: 1e-14)
        expectClose(target[1], data[1], absolute: 1e-14)
    }
}

/// Losses and sampling bring samples to a network in one way.
@Suite struct SharedParameterizationTests {
    /// A network that keeps what it is given.
    private final class Seen {
        var input = Tensor.zeros([])
        var time = Tensor.zeros([])
    }

    static let parameterizations: [Parameterization] = [
        Parameterization(Prediction.velocity, schedule: VariancePreservingSchedule()),
        EDMPreconditioning().parameterization,
        ConsistencyPreconditioning().parameterization,
        Parameterization(
            ScaledScore(), scaling: .straight, input: { 1 + $0.sigma }, time: { 1000 * $0.sigma }),
    ]

    /// A network that denoises perfectly has no loss, and its samples and times are those that it was trained on.
    @Test(arguments: parameterizations.indices)
    func theNetworkTakesTheSameInTrainingAndSampling(_ index: Int) throws {
        let parameterization = Self.parameterizations[index]
        let schedule = VariancePreservingSchedule()
        let times = [0.1, 0.4, 0.93]
        let data = RandomGenerator(seed: 3).normal([3, 2], .float64)
        let noise = RandomGenerator(seed: 4).normal([3, 2], .float64)
        var own = process(schedule, Prediction.noise)
        own.parameterization = parameterization
        let trained = Seen()
        let target = stacked(
            times.enumerated().map { row, time in
                let level = schedule.level(at: time)
                let own = level.divided(by: parameterization.scaling.scale(of: level))
                return parameterization.output.target(
                    data: data[row], noise: noise[row], alpha: Tensor([own.alpha]), sigma: Tensor([own.sigma])
                )
            })
        let losses = try DenoisingObjective(own).losses(data, noise: noise, times: times) { x, time in
            (trained.input, trained.time) = (x, time)
            return target
        }
        #expect(try losses.sum().item() < 1e-24)
        for (row, time) in times.enumerated() {
            let level = schedule.level(at: time)
            let seen = Seen()
            let denoiser = Denoiser(parameterization) { input, time in
                (seen.input, seen.time) = (input, time)
                return target[row].unsqueezed(0)
            }
            let x = (data[row] * level.alpha + noise[row] * level.sigma).unsqueezed(0)
            expectClose(denoiser(x, level).data[0], data[row], absolute: 1e-12)
            expectClose(seen.input[0], trained.input[row], absolute: 1e-12)
            expectClose(seen.time.to(.float64), trained.time[row].unsqueezed(0), relative: 1e-6)
        }
    }
}

@Suite struct SampleScalingTests {
    /// A level of a scaling has the scale 1 there, and c times the level the scale c.
    @Test func scalesAreOneOnTheirOwnProcess() {
        let own: [(SampleScaling, NoiseLevel)] = [
            (.variancePreserving, VariancePreservingSchedule().level(at: 0.3)),
            (.subVariancePreserving, SubVariancePreservingSchedule().level(at: 0.3)),
            (.varianceExploding, VarianceExplodingSchedule().level(at: 0.3)),
            (.straight, StraightSchedule().level(at: 0.3)),
        ]
        for (scaling, level) in own {
            #expect(abs(scaling.scale(of: level) - 1) < 1e-12)
            #expect(abs(scaling.scale(of: level.divided(by: 0.5)) - 2) < 1e-12)
        }
    }
}
