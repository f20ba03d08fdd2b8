import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Bounds and rate-distortion of any denoiser on any process.
@Suite struct ProgressiveCodingTests {
    private let mixture = GaussianMixture(
        weights: Tensor([0.4, 0.6]), means: Tensor([-0.5, 0.3, 0.6, -0.2]).reshaped([2, 2]),
        covariances: Tensor([0.09, 0.02, 0.02, 0.06, 0.05, -0.01, -0.01, 0.12]).reshaped([2, 2, 2]))

    private static let schedules: [any NoiseSchedule] = [
        DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 300, from: 1e-4, to: 0.06)),
        VariancePreservingSchedule(), SubVariancePreservingSchedule(), VarianceExplodingSchedule(),
        EDMSchedule(), StraightSchedule(), TrigonometricSchedule(), CosineSchedule(),
    ]

    /// Data of the mixture, `[count, 2]`.
    private func data(_ count: Int, seed: UInt64 = 4) -> Tensor {
        let generator = RandomGenerator(seed: seed)
        let x = generator.normal([count, 2], .float64)
        let isSecond = generator.coin([count, 1], probability: 0.6)
        func part(_ mean: [Double], _ covariance: [Double]) -> Tensor {
            x.matmul(Tensor(covariance, shape: [2, 2]).choleskyFactor().transposed()) + Tensor(mean)
        }
        return isSecond.choosing(
            part([0.6, -0.2], [0.05, -0.01, -0.01, 0.12]),
            otherwise: part([-0.5, 0.3], [0.09, 0.02, 0.02, 0.06]))
    }

    // MARK: Against guided-diffusion's own code

    /// Every term, the prior and the error of the estimated data that guided-diffusion's `calc_bpd_loop` gives for a random
    /// U-Net, with the noise that it drew.
    @Test func termsAreThoseOfGuidedDiffusion() throws {
        let fixtures = try Fixture.all(in: "likelihood", prefix: "case")
        #expect(Set(try fixtures.map { try $0.case.required("variance", as: String.self) }).count == 4)
        for fixture in fixtures {
            let (outputs, noises) = (try fixture.tensor("outputs"), try fixture.tensor("noises"))
            let prediction = try #require(Prediction(rawValue: fixture.case.required("prediction")))
            let channels = try fixture.tensor("data").shape[1]
            let denoiser = Denoiser { x, level in
                let output = outputs[Int(level.time ?? -1)]
                var estimate = prediction.estimate(
                    output.slice(0..<channels, of: 1), sample: x, at: level)
                let rest = output.shape[1] > channels
                estimate.variance = rest ? output.slice(channels..<(2 * channels), of: 1) : nil
                return estimate
            }
            let schedule = DiscreteSchedule(betas: try fixture.tensor("betas").array())
            let coding = ProgressiveCoding(
                try CodingChain(schedule),
                variance: try #require(ReverseVariance(rawValue: fixture.case.required("variance"))),
                clipsData: try fixture.case.required("clips"), decoder: .approximatePixels)
            let course = try coding.course(
                of: fixture.tensor("data"), denoiser: denoiser, noise: { noises[$0] })
            // That code keeps its tables in single precision.
            expectClose(
                course.terms.steps, try fixture.tensor("steps"), relative: 1e-5, absolute: 1e-5, fixture.name)
            expectClose(course.terms.prior, try fixture.tensor("prior"), relative: 1e-5, absolute: 1e-7)
            expectClose(course.errors, try fixture.tensor("errors"), relative: 1e-5, absolute: 1e-6)
        }
    }

    // MARK: Exact data

    /// The bound of a perfect denoiser is above −ln p of the data, and comes down to it with the number of steps.
    @Test func boundsOfAMixtureComeDownToItsDensity() throws {
        let x = data(3000)
        let surprise = try (mixture.logDensity(x, at: .data).mean() * (-1 / (2 * log(2)))).item(Double.self)
        for schedule in Self.schedules.dropFirst() {
            let gaps = try [10, 40, 160].map { count in
                let coding = ProgressiveCoding(
                    try CodingChain(schedule, count: count), variance: .fixedLarge, decoder: .density)
                let generator = RandomGenerator(seed: 8)
                let course = try coding.course(of: x, denoiser: mixture.denoiser()) { _ in
                    generator.normal(x.shape, .float64)
                }
                return try course.terms.total.mean().item(Double.self) - surprise
            }
            // One draw of noise a step leaves a few hundredths of a bit to chance.
            #expect(gaps[0] > gaps[1] && gaps[1] > gaps[2], "\(schedule): \(gaps)")
            #expect(gaps[2] > -0.02 && gaps[2] < 0.12, "\(schedule): \(gaps)")
        }
    }

    /// What has been sent begins with L_T and ends with all but L₀, and the data are known the better for it.
    @Test func ratesAddUpAndDistortionFalls() throws {
        let x = data(500)
        let coding = ProgressiveCoding(try CodingChain(Self.schedules[0]), decoder: .density)
        let generator = RandomGenerator(seed: 8)
        var steps = 0
        let course = try coding.course(of: x, denoiser: mixture.denoiser()) { _ in
            generator.normal(x.shape, .float64)
        } onStep: {
            steps += 1
        }
        let (rates, last) = (course.rates, coding.chain.levels.count - 1)
        #expect(steps == last + 1)
        expectClose(rates.select(last, of: 1), course.terms.prior, absolute: 1e-12)
        expectClose(
            rates.select(0, of: 1) + course.terms.steps.select(0, of: 1), course.terms.total, relative: 1e-12)
        let errors: [Double] = try course.errors.mean([0]).array()
        // What the levels from one on leave open grows with the noise, from next to nothing to the spread of the data.
        let quarters = [0, last / 4, last / 2, last].map { errors[$0] }
        #expect(zip(quarters, quarters.dropFirst()).allSatisfy { $0 < 1.05 * $1 }, "\(quarters)")
        #expect(errors[last] > 10 * errors[0], "\(quarters)")
    }

    /// A denoiser without a variance has no learned one.
    @Test func learnedVariancesMustBeThere() throws {
        let coding = ProgressiveCoding(
            try CodingChain(Self.schedules[0]), variance: .learnedRange, decoder: .density)
        #expect(throws: DiffusionError.self) {
            try coding.course(of: data(2), denoiser: mixture.denoiser()) { _ in data(2) }
        }
    }

    // MARK: Chains

    @Test func tablesAreTakenWholeOrRespaced() throws {
        let table = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 100, from: 1e-3, to: 0.1))
        let whole = try CodingChain(table)
        #expect(whole.table == table && whole.levels.map(\.time) == (0..<100).map(Double.init))
        let some = try CodingChain(table, count: 12)
        #expect(some.levels.map(\.time) == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99])
        expectClose(
            some.table.alphaBars, [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99].map { table.alphaBars[$0] },
            relative: 1e-12)
        for count in [1, 101] {
            #expect(throws: DiffusionError.self) { try CodingChain(table, count: count) }
        }
        #expect(throws: DiffusionError.self) { try CodingChain(EDMSchedule(), count: 2) }
    }

    @Test func continuousProcessesAreCutEvenlyInLogSNR() throws {
        for schedule in Self.schedules.dropFirst() {
            let chain = try CodingChain(schedule, count: 60)
            #expect(chain.levels.count == 60 && chain.table.count == 60)
            for (level, bar) in zip(chain.levels, chain.table.alphaBars) {
                #expect(abs(level.alpha * level.alpha - bar) < 1e-12)
                #expect(abs(level.alpha * level.alpha + level.sigma * level.sigma - 1) < 1e-12)
                let own = schedule.level(at: try #require(level.time))
                #expect(abs(own.logSNR - level.logSNR) < 1e-6, "\(schedule)")
            }
            let gaps = zip(chain.levels, chain.levels.dropFirst()).map { $0.logSNR - $1.logSNR }
            #expect(abs(gaps[0] - log(8)) < 1e-9)
            #expect(gaps.dropFirst().allSatisfy { abs($0 - gaps[1]) < 1e-8 })
        }
    }

    // MARK: The flow on the circle

    /// The probability flow of every process is that of the circle between its own levels.
    @Test func likelihoodsOnTheCircle() throws {
        let x = data(5)
        for schedule in Self.schedules {
            let circle = CircleSchedule(to: schedule.level(at: schedule.start))
            let end = circle.level(at: circle.start)
            let found = try FlowLikelihood(circle, from: 1e-4).logDensity(
                x, denoiser: mixture.denoiser(), generator: RandomGenerator(seed: 1),
                prior: { mixture.logDensity($0, at: end) })
            expectClose(found, mixture.logDensity(x, at: .data), absolute: 1e-4, "\(schedule)")
        }
    }

    @Test func ratesOfTheCircleAreDerivatives() {
        let circle = CircleSchedule(to: NoiseLevel(alpha: 0.1, sigma: 2))
        #expect(abs(circle.start - atan2(2, 0.1)) < 1e-15)
        for time in [0.1, 0.7, 1.4] {
            let (low, high) = (circle.level(at: time - 1e-6), circle.level(at: time + 1e-6))
            let rates = circle.rates(at: time)
            #expect(abs((high.alpha - low.alpha) / 2e-6 - rates.alpha) < 1e-8)
            #expect(abs((high.sigma - low.sigma) / 2e-6 - rates.sigma) < 1e-8)
            #expect(abs(circle.time(logSNR: circle.level(at: time).logSNR) - time) < 1e-12)
        }
    }
}
