import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct LossWeightingTests {
    private let weightings: [(name: String, weighting: LossWeighting)] = [
        ("edm", .edm(sigmaData: 0.7)), ("min-SNR", .minSNR(gamma: 5)),
        ("uniform v", .uniformVelocity), ("uniform noise", .uniformNoise), ("uniform data", .uniformData),
        ("p2", .p2(gamma: 0.8, k: 1.3)),
        ("sigmoid", .sigmoid(bias: 2)),
    ]

    /// A weight is one thing: whatever is predicted, the weighted loss of one wrong estimate is the same.
    @Test func everyPredictionHasTheSameWeightedLoss() throws {
        let generator = RandomGenerator(seed: 1)
        let draws = try generator.uniform([200, 2], .float64).array(of: Double.self)
        for index in 0..<200 {
            let (angle, scale) = (0.02 + draws[2 * index] * 1.5, 0.5 + draws[2 * index + 1])
            let level = NoiseLevel(time: 1, alpha: scale * cos(angle), sigma: scale * sin(angle))
            let (data, noise) = (generator.normal([1, 3], .float64), generator.normal([1, 3], .float64))
            let x = data * level.alpha + noise * level.sigma
            let wrong = Prediction.data.estimate(data + 0.3, sample: x, at: level)
            let truth = Estimate(data: data, noise: noise)
            for (name, weighting) in weightings {
                let losses = try Prediction.allCases.map { prediction in
                    let error = prediction.output(wrong, at: level) - prediction.output(truth, at: level)
                    return try error.squared().mean().item() * weighting.weight(on: prediction, at: level)
                }
                for loss in losses {
                    #expect(abs(loss - losses[0]) < 1e-9 * abs(losses[0]), "\(name)")
                }
            }
        }
    }

    /// The documented factors between the units, and the formulas of the articles in their own units.
    @Test func articlesFormulas() {
        for angle in stride(from: 0.05, to: 1.55, by: 0.1) {
            let level = NoiseLevel(alpha: cos(angle), sigma: sin(angle))
            let (alpha, sigma) = (level.alpha, level.sigma)
            let ratio = alpha * alpha / (sigma * sigma)
            func expect(
                _ weighting: LossWeighting, _ prediction: Prediction, _ value: Double,
                _ location: SourceLocation = #_sourceLocation
            ) {
                let found = weighting.weight(on: prediction, at: level)
                #expect(abs(found - value) < 1e-12 * max(1, value), sourceLocation: location)
            }
            for (_, weighting) in weightings {
                let w = weighting.weight(on: Prediction.data, at: level)
                expect(weighting, .noise, w / ratio)
                expect(weighting, .velocity, w * sigma * sigma)
                expect(weighting, .flow, w * pow(sigma / (alpha + sigma), 2))
                expect(weighting, .score, w * pow(sigma, 4) / (alpha * alpha))
            }
            for prediction in Prediction.allCases { expect(.simple, prediction, 1) }
            expect(.minSNR(gamma: 5), .data, min(ratio, 5))
            expect(.minSNR(gamma: 5), .noise, min(ratio, 5) / ratio)
            expect(.minSNR(gamma: 5), .velocity, min(ratio, 5) / (ratio + 1))
            expect(.p2(gamma: 0.5, k: 1), .noise, pow(1 + ratio, -0.5))
            expect(.uniformVelocity, .data, ratio + 1)
            expect(.uniformVelocity, .velocity, 1)
            expect(.uniformNoise, .noise, 1)
            expect(.uniformData, .data, 1)
            expect(.sigmoid(bias: 2), .noise, 1 / (1 + exp(level.logSNR - 2)))
            expect(.sigmoid(bias: 2), .data, exp(2) / (1 + exp(2 - level.logSNR)))
            // EDM's levels have α = 1.
            let exploding = level.divided(by: alpha)
            let s = exploding.sigma
            let edm = LossWeighting.edm(sigmaData: 0.5).weight(on: Prediction.data, at: exploding)
            #expect(abs(edm / ((s * s + 0.25) / pow(s * 0.5, 2)) - 1) < 1e-12)
        }
    }

    @Test func weightsAreFiniteWhereTheyHaveLimits() {
        let (data, noise) = (NoiseLevel(alpha: 1, sigma: 0), NoiseLevel(alpha: 0, sigma: 1))
        for (name, weighting) in weightings {
            for level in [data, noise] {
                #expect(weighting.weight(on: Prediction.velocity, at: level).isFinite, "\(name)")
            }
        }
        #expect(LossWeighting.minSNR(gamma: 5).weight(on: Prediction.data, at: data) == 5)
        #expect(LossWeighting.minSNR(gamma: 5).weight(on: Prediction.noise, at: noise) == 1)
        #expect(abs(LossWeighting.p2(gamma: 1, k: 2).weight(on: Prediction.noise, at: noise) - 0.5) < 1e-15)
        #expect(abs(LossWeighting.sigmoid(bias: 0).weight(on: Prediction.noise, at: noise) - 1) < 1e-15)
    }

    /// Half the fall of the signal-to-noise ratio of a step; in continuous time its slope.
    @Test func variationalWeights() {
        let schedule = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 50, from: 1e-3, to: 0.1))
        let weighting = LossWeighting.variational(schedule)
        for time in 1..<50 {
            // β_t²/(2·β̃_t·(1−β_t)·(1−ᾱ_t)) of the noise's error, as the article has it.
            let (beta, bar) = (schedule.betas[time], schedule.alphaBars[time])
            let posterior = beta * (1 - schedule.alphaBars[time - 1]) / (1 - bar)
            let published = beta * beta / (2 * posterior * (1 - beta) * (1 - bar))
            let found = weighting.weight(on: Prediction.noise, at: schedule.level(at: Double(time)))
            #expect(abs(found / published - 1) < 1e-11)
        }
        let continuous: [any ContinuousSchedule] = [
            VariancePreservingSchedule(), SubVariancePreservingSchedule(), VarianceExplodingSchedule(),
            EDMSchedule(), StraightSchedule(), TrigonometricSchedule(), ConditionalTransportSchedule(),
        ]
        for schedule in continuous {
            let weighting = LossWeighting.variational(schedule)
            for time in stride(from: 0.1, to: 0.95, by: 0.1) {
                let step = 1e-5
                func ratio(_ time: Double) -> Double { exp(schedule.level(at: time).logSNR) }
                let slope =
                    (ratio(time + step) - ratio(time - step)) / (2 * step) * schedule.shareRate(at: time)
                let found = weighting.weight(on: Prediction.data, at: schedule.level(at: time))
                #expect(abs(found / (-slope / 2) - 1) < 1e-5, "\(type(of: schedule))")
                // A level without a time is found by its log-SNR.
                var level = schedule.level(at: time)
                level.time = nil
                #expect(abs(weighting.weight(on: Prediction.data, at: level) / found - 1) < 1e-9)
            }
        }
    }

    /// The table of weights over log-SNR: rectified flow's and cosine v's losses are w = e^{−λ/2}, cosine
    /// noise's is sech(λ/2), all up to a constant (arXiv:2403.03206, section 2).
    @Test func logSNRWeightsOfKnownLosses() {
        let flow = LossWeighting.logSNR(StraightSchedule()) { exp(-$0 / 2) }
        let noise = LossWeighting.logSNR(TrigonometricSchedule()) { 1 / cosh($0 / 2) }
        let velocity = LossWeighting.logSNR(TrigonometricSchedule()) { exp(-$0 / 2) }
        for time in stride(from: 0.05, to: 1, by: 0.1) {
            let (straight, turn) = (
                StraightSchedule().level(at: time), TrigonometricSchedule().level(at: time)
            )
            #expect(abs(flow.weight(on: Prediction.flow, at: straight) - 1) < 1e-12)
            #expect(abs(noise.weight(on: Prediction.noise, at: turn) / .pi - 1) < 1e-12)
            // ‖v̂ − v‖² = ‖ε̂ − ε‖²/α²: e^{−λ/2}·π/sin(πt) = π/(2·cos²(πt/2)).
            #expect(abs(velocity.weight(on: Prediction.velocity, at: turn) / (.pi / 2) - 1) < 1e-12)
        }
    }

    /// On the variance-exploding process the shares are even in ln σ: of weights σ² on the noise's error, or σ⁻² on the
    /// data's, the tenth that counts most has 1 − (σ_min/σ_max)^{1/5} over 1 − (σ_min/σ_max)², and all the same 0.1.
    @Test func theWeightOfTheLargestTenthIsKnown() {
        let schedule = VarianceExplodingSchedule(sigmaMinimum: 0.02, sigmaMaximum: 20)
        func share(_ weighting: LossWeighting, _ output: any OutputMeaning) -> Double {
            let own = process(schedule, output, scaling: .varianceExploding)
            return DenoisingObjective(own, weighting: weighting).weightOfLargestTenth
        }
        let ratio = 0.02 / 20
        let expected = (1 - pow(ratio, 0.2)) / (1 - pow(ratio, 2))
        #expect(abs(share(.uniformData, Prediction.noise) - expected) < 1e-4)
        #expect(abs(share(.uniformNoise, Prediction.data) - expected) < 1e-4)
        #expect(abs(share(.simple, Prediction.data) - 0.1) < 1e-12)
        #expect(abs(share(.edm(), EDMPreconditioning()) - 0.1) < 1e-9)
        #expect(share(.edm(), Prediction.data) > 0.7 && share(.minSNR(), Prediction.velocity) < 0.5)
    }

    /// The bound of a table whose last step is nearly pure noise lies on a few times, whatever is predicted but v.
    @Test func theBoundLiesOnFewTimes() throws {
        let table = DiscreteSchedule(betas: BetaSchedule.cosine.betas(count: 1000, from: 1e-4, to: 0.02))
        func share(_ output: Prediction) throws -> Double {
            try BoundObjective(process(table, output)).weightOfLargestTenth
        }
        #expect(try share(.data) > 0.99 && share(.noise) > 0.9 && share(.velocity) < 0.75)
    }
}
