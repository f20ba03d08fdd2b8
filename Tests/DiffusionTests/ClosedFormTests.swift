import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// What can be said without any network.
@Suite struct ClosedFormTests {
    let schedule = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 1000, from: 1e-4, to: 0.02))

    @Test func theLinearScheduleEndsWhereTheArticleSays() {
        // √ᾱ_T = 6.353e-3: the article rounds it to 6.4e-3.
        #expect(abs(schedule.level(at: 999).alpha - 6.353e-3) < 1e-6)
        #expect(abs(schedule.betas[0] - 1e-4) < 1e-18 && abs(schedule.betas[999] - 0.02) < 1e-18)
    }

    @Test(arguments: BetaSchedule.allCases)
    func levelsKeepTheirVariance(kind: BetaSchedule) {
        let schedule = DiscreteSchedule(betas: kind.betas(count: 300, from: 1e-3, to: 0.03))
        var last = 2.0
        for time in 0..<300 {
            let level = schedule.level(at: Double(time))
            #expect(abs(level.alpha * level.alpha + level.sigma * level.sigma - 1) < 1e-14)
            #expect(level.logSNR < last || time == 0)
            last = level.logSNR
        }
    }

    /// x_t of the chain of single steps (equation 2) has the mean and variance of equation 4.
    @Test func forwardMomentsByMonteCarlo() throws {
        let generator = RandomGenerator(seed: 11)
        let short = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 40, from: 1e-3, to: 0.2))
        let start = 1.5
        var x = Tensor.full(start, [200_000], .float64)
        for beta in short.betas {
            x = x * (1 - beta).squareRoot() + generator.normal([200_000], .float64) * beta.squareRoot()
        }
        let level = short.level(at: 39)
        #expect(abs(try x.mean().item() - level.alpha * start) < 5 * level.sigma / 200_000.0.squareRoot())
        #expect(abs(try x.variance().item() / (level.sigma * level.sigma) - 1) < 0.02)
    }

    @Test func noisedSamplesFollowEquationFour() throws {
        let generator = RandomGenerator(seed: 3)
        let objective = DenoisingObjective(process(schedule, Prediction.noise))
        let (data, noise) = (generator.normal([4, 2, 3], .float64), generator.normal([4, 2, 3], .float64))
        let times = [0.0, 10, 500, 999]
        let expected = stacked(
            times.enumerated().map { index, time in
                let level = schedule.level(at: time)
                return data[index] * level.alpha + noise[index] * level.sigma
            })
        _ = try objective.losses(data, noise: noise, times: times) { x, _ in
            expectClose(x, expected, absolute: 1e-14)
            return x
        }
    }

    /// Training on the noise itself costs nothing; on zeros it costs the noise's variance.
    @Test(arguments: Prediction.allCases)
    func aPerfectNetworkHasNoLoss(prediction: Prediction) throws {
        let generator = RandomGenerator(seed: 5)
        let objective = DenoisingObjective(process(schedule, prediction))
        let data = generator.normal([6, 1, 4, 4], .float64)
        let noise = generator.normal([6, 1, 4, 4], .float64)
        let times = try generator.integers([6], in: 0..<1000).array(of: Int.self).map(Double.init)
        let levels = times.map(schedule.level(at:))
        let alpha = Tensor(levels.map(\.alpha)).broadcast(toRank: 4)
        let sigma = Tensor(levels.map(\.sigma)).broadcast(toRank: 4)
        let target = prediction.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
        let loss = try objective.losses(data, noise: noise, times: times) { _, _ in target }
        #expect(try loss.sum().item() == 0.0)
        let idle = try objective.losses(data, noise: noise, times: times) { x, _ in x * 0 }
        #expect(try (idle - target.squared().meanPerExample()).norm().item() < 1e-14)
    }

    @Test func predictionsComeBackThousandTimes() throws {
        let generator = RandomGenerator(seed: 17)
        let draws = try generator.uniform([1000, 2], .float64).array(of: Double.self)
        for index in 0..<1000 {
            let angle = 0.02 + draws[2 * index] * 1.5
            let scale = 0.5 + draws[2 * index + 1]
            let level = NoiseLevel(time: 1, alpha: scale * cos(angle), sigma: scale * sin(angle))
            let (data, noise) = (generator.normal([1, 5], .float64), generator.normal([1, 5], .float64))
            let x = data * level.alpha + noise * level.sigma
            for prediction in Prediction.allCases {
                let output = prediction.target(
                    data: data, noise: noise, alpha: Tensor(level.alpha), sigma: Tensor(level.sigma))
                let estimate = prediction.estimate(output, sample: x, at: level)
                #expect(try (estimate.data - data).norm().item() < 1e-11)
                #expect(try (estimate.noise - noise).norm().item() < 1e-11)
            }
        }
    }

    @Test func zeroTerminalSNRLeavesNoSignalAndKeepsTheFirstStep() {
        let rescaled = schedule.rescaledToZeroTerminalSNR()
        #expect(rescaled.alphaBars[999] == 0)
        #expect(abs(rescaled.alphaBars[0] - schedule.alphaBars[0]) < 1e-15)
        #expect(!Prediction.noise.isDefined(at: rescaled.level(at: 999)))
        #expect(Prediction.velocity.isDefined(at: rescaled.level(at: 999)))
    }

    /// Where a half is met, NumPy's products decide where it is rounded; these are its `linspace` rounded.
    @Test(arguments: [(247, 29, 7, 185), (240, 27, 13, 119), (256, 23, 11, 128), (259, 29, 7, 193)])
    func evenTimesAreNumPys(count: Int, steps: Int, position: Int, time: Int) {
        let times = TimeSpacing.linspace.times(steps: steps, of: count)
        #expect(times[position] == time && times[0] == count - 1 && times[steps - 1] == 0)
        #expect(TimeSpacing.linspace.times(steps: 1, of: count) == [0])
    }
}
