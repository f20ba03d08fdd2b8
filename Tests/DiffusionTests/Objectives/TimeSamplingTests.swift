import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct TimeSamplingTests {
    private let table = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 100, from: 1e-3, to: 0.1))

    private func draw(_ sampling: any TimeSampling, _ count: Int, seed: UInt64 = 3) throws -> [Double] {
        try sampling.draw(count, LossHistory(), RandomGenerator(seed: seed)).times
    }

    // MARK: densities on schedules

    /// Shares of a table are its whole times, each with the same share.
    @Test func sharesOfATableAreWholeTimes() throws {
        for time in 0..<100 {
            #expect(table.time(atShare: (Double(time) + 0.5) / 100) == Double(time))
        }
        #expect(table.time(atShare: 0) == 0 && table.time(atShare: 1) == 99)
        let density = TimeDensity.logitNormal(mean: 0.5)
        let values = try density.draw(500, RandomGenerator(seed: 3))
        #expect(try draw(DensityTimes(density, on: table), 500) == values.map { ($0 * 100).rounded(.down) })
    }

    /// On EDM's process shares are even in ln σ between its ends, with the rate that says so.
    @Test func sharesOfEDMAreEvenInTheLogarithm() {
        let schedule = EDMSchedule(sigmaMinimum: 0.01, sigmaMaximum: 100)
        for share in [0.0, 0.25, 0.6, 1] {
            let time = schedule.time(atShare: share)
            #expect(abs(log(time / 0.01) / log(1e4) - share) < 1e-14)
            let slope = (schedule.time(atShare: share + 1e-6) - schedule.time(atShare: share - 1e-6)) / 2e-6
            #expect(abs(schedule.shareRate(at: time) / slope - 1) < 1e-8)
        }
    }

    /// A log-normal σ is the time itself on EDM's process, and the time of its log-SNR on every other, whole on a
    /// table, within the range.
    @Test func logNormalNoiseIsOfEveryProcess() throws {
        let sigmas = try TimeDensity.logNormal().draw(200, RandomGenerator(seed: 3))
        #expect(try draw(DensityTimes(.logNormal(), on: EDMSchedule()), 200) == sigmas.map { min($0, 80) })
        for (schedule, _) in continuousSchedules where !(schedule is EDMSchedule) {
            let times = try draw(DensityTimes(.logNormal(), on: schedule), 200)
            for (time, sigma) in zip(times, sigmas) where time > 0 && time < 1 {
                #expect(abs(schedule.level(at: time).noiseRatio / sigma - 1) < 1e-9, "\(type(of: schedule))")
            }
            #expect(times.allSatisfy { (0...1).contains($0) } && Set(times).count > 190)
        }
        let times = try draw(DensityTimes(.logNormal(), on: table), 200)
        for (time, sigma) in zip(times, sigmas) {
            #expect(time == time.rounded() && (0...99).contains(time))
            // No other whole time is nearer in ln σ by more than the lines between them bend.
            let own = abs(log(table.level(at: time).noiseRatio / sigma))
            for other in [time - 1, time + 1] where (0...99).contains(other) {
                #expect(own <= abs(log(table.level(at: other).noiseRatio / sigma)) + 1e-9)
            }
        }
    }

    /// The time at a share is the one below which that share of the draws lies.
    @Test func sharesAreQuantilesOfTheDraws() throws {
        let samplings: [any TimeSampling] = [
            UniformSteps(count: 100), table.uniformTimes, StraightSchedule().uniformTimes,
            DensityTimes(.mode(), on: StraightSchedule()), DensityTimes(.logNormal(), on: EDMSchedule()),
            DensityTimes(.cosineMap, on: table), DensityTimes(.logNormal(), on: VariancePreservingSchedule()),
            ImportanceSampledTimes(on: table), ImportanceSampledTimes(on: EDMSchedule()),
        ]
        for sampling in samplings {
            let times = try draw(sampling, 20_000)
            for share in [0.0625, 0.5, 0.9375] {
                let time = sampling.time(atShare: share)
                let (below, upTo) = (times.count { $0 < time }, times.count { $0 <= time })
                #expect(
                    Double(below) / 20_000 < share + 0.015 && Double(upTo) / 20_000 > share - 0.015,
                    "\(sampling) \(share)")
            }
        }
    }

    // MARK: importance sampling

    private let short = DiscreteSchedule(betas: [0.1, 0.2, 0.3, 0.4])

    private func warm(_ losses: [Double], _ times: ImportanceSampledTimes) throws -> LossHistory {
        var history = LossHistory()
        for factor in [0.0, 5, 3, 4] {  // the first two are forgotten
            let draw = TimeDraw(times: losses.map { _ in 0 }, strata: Array(losses.indices))
            try times.remember(Tensor(losses.map { $0 * factor }), of: draw, in: &history)
        }
        return history
    }

    @Test func probabilitiesFollowTheRootMeanSquareOfLatestLosses() throws {
        let losses = [1.0, 4, 2, 0.5]
        let times = ImportanceSampledTimes(on: short, historyLength: 2)
        let history = try warm(losses, times)
        #expect(times.isWarm(history) && !times.isWarm(LossHistory()))
        #expect(times.probabilities(LossHistory()) == [0.25, 0.25, 0.25, 0.25])
        for (probability, loss) in zip(times.probabilities(history), losses) {
            #expect(abs(probability - (0.999 * loss / 7.5 + 0.001 / 4)) < 1e-15)
        }
        // A loss that is no number is not remembered.
        var next = history
        try times.remember(
            Tensor([Double.nan, .infinity]), of: TimeDraw(times: [0, 1], strata: [0, 1]), in: &next)
        #expect(next == history)
    }

    /// The weighted mean of any function of time is its uniform mean, and draws follow their probabilities.
    @Test func importanceKeepsExpectations() throws {
        let sampling = ImportanceSampledTimes(on: short, historyLength: 2)
        let history = try warm([1, 4, 2, 0.5], sampling)
        let draw = try sampling.draw(40_000, history, RandomGenerator(seed: 8))
        let importance = try #require(draw.importance)
        let probabilities = sampling.probabilities(history)
        for (time, probability) in probabilities.enumerated() {
            let count = draw.times.count { $0 == Double(time) }
            let error = (probability * (1 - probability) / 40_000).squareRoot()
            #expect(abs(Double(count) / 40_000 - probability) < 4 * error)
        }
        // Exactly: each time's importance is the inverse of how much too often it comes.
        for (time, factor) in zip(draw.times, importance) {
            #expect(abs(factor * probabilities[Int(time)] * 4 - 1) < 1e-12)
        }
    }

    /// On a continuous range the parts are equal shares, with times all over them.
    @Test func partsOfAContinuousRangeAreEqualShares() throws {
        let sampling = ImportanceSampledTimes(on: EDMSchedule(), strataCount: 4, historyLength: 2)
        let history = try warm([1, 4, 2, 0.5], sampling)
        let draw = try sampling.draw(4000, history, RandomGenerator(seed: 8))
        let strata = try #require(draw.strata)
        let logs = draw.times.map { log($0 / 0.002) / log(80 / 0.002) }
        #expect(zip(logs, strata).allSatisfy { Int($0 * 4) == $1 })
        let places = zip(logs, strata).map { $0 * 4 - Double($1) }
        #expect(abs(places.reduce(0, +) / 4000 - 0.5) < 0.02)
    }

    /// An objective with such times multiplies each loss by the importance of its draw and remembers it without;
    /// the memory is saved and read back as it was.
    @Test func objectivesCountTheImportance() throws {
        let (data, _) = GaussianPlane().batch(50, seed: 6)
        let sampling = ImportanceSampledTimes(on: short, historyLength: 2)
        let start = try warm([1, 4, 2, 0.5], sampling)
        let objective = DenoisingObjective(process(short, Prediction.noise), times: sampling)
        let generator = RandomGenerator(seed: 2)
        let draw = try sampling.draw(50, start, generator)
        let noise = generator.normal([50, 2], .float64)
        let network = smoothNetwork(smoothParameters)
        let plain = try objective.losses(data, noise: noise, times: draw.times, network: network)
        var running = RunningObjective(objective)
        try running.restore(JSONEncoder().encode(start))
        let found = try running.losses(Example(data: data), Roles(student: network), RandomGenerator(seed: 2))
        expectClose(found.total, plain * Tensor(try #require(draw.importance)), absolute: 0)
        var memory = start
        try sampling.remember(plain, of: draw, in: &memory)
        #expect(memory != start)
        #expect(try JSONDecoder().decode(LossHistory.self, from: running.savedMemory()) == memory)
    }
}
