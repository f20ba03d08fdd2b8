import Foundation
import MonteCarlo
import Tensors
import TestSupport
import Testing

@Suite struct WeightTests {
    private let random = RandomGenerator(seed: 1)

    private func quartic(_ factors: Tensor) -> LogDensity {
        LogDensity { x in
            let one = x.select(0, of: 1)
            let square = one.squared()
            return square.squared() * -factors[0] + square * factors[1] + one * factors[2]
        }
    }

    /// Z, mean and effective size of weights between Gaussians are known.
    @Test func importanceSamplingOfAGaussian() throws {
        let count = 50_000
        let target = DiagonalGaussian(mean: 0.5, deviation: 1)
        let scaled = LogDensity { target.logDensity($0) + 1.7 }
        let proposal = DiagonalGaussian(mean: 0.5, deviation: 1.5)
        let samples = ImportanceSampling(target: scaled, proposal: proposal).samples(count, random)
        try expectMean(of: samples.logWeights.exp(), Tensor(exp(1.7)))
        #expect(abs(try samples.logNormalizer.item() - 1.7) < 0.02)
        expectClose(samples.mean(of: samples.points), Tensor([0.5]), absolute: 0.03)
        expectClose(samples.mean(of: (samples.points - 0.5).squared()), Tensor([1.0]), absolute: 0.03)
        // E_g[w²] = s²/√(2s² − 1).
        let share = (2 * 1.5 * 1.5 - 1).squareRoot() / (1.5 * 1.5)
        #expect(abs(try samples.effectiveSampleSize.item() / Double(count) - share) < 0.01)

        let normalised = ImportanceSampling(target: target.target, proposal: proposal).samples(count, random)
        let products = normalised.points * normalised.logWeights.exp().unsqueezed(1)
        try expectMean(of: products, Tensor([0.5]))
        expectClose(normalised.unbiasedMean(of: normalised.points), products.mean([0]), absolute: 1e-14)
    }

    @Test func effectiveSizesRunFromOneToAll() throws {
        let points = Tensor.zeros([10, 1], .float64)
        let equal = WeightedSamples(points: points, logWeights: Tensor.full(-700, [10], .float64))
        #expect(abs(try equal.effectiveSampleSize.item() - 10) < 1e-12)
        #expect(abs(try equal.logNormalizer.item() + 700) < 1e-12)
        #expect(abs(try equal.jensenGap.item()) < 1e-12)
        let single = Tensor([800.0] + [Double](repeating: 0, count: 9))
        let one = WeightedSamples(points: points, logWeights: single)
        #expect(abs(try one.effectiveSampleSize.item() - 1) < 1e-12)
    }

    @Test func jensenGapsAreNeverNegativeThousandTimes() throws {
        for _ in 0..<1000 {
            let weights = random.normal([20], .float64) * 3
            let gap = WeightedSamples(points: weights.unsqueezed(1), logWeights: weights).jensenGap
            #expect(try gap.item() > 0)
        }
        // ln E[e^(s·z)] − E[s·z] = s²/2.
        let weights = random.normal([200_000], .float64) * 0.8
        let gap = WeightedSamples(points: weights.unsqueezed(1), logWeights: weights).jensenGap
        #expect(abs(try gap.item() - 0.32) < 0.01)
    }

    @Test func normalisersOfQuarticsByBothMethods() throws {
        for one in try Fixture("montecarlo/quartics-0").cases() {
            let target = quartic(try one("factors"))
            let base = DiagonalGaussian(mean: 0, deviation: 1.5)
            let plain = ImportanceSampling(target: target, proposal: base).samples(20_000, random)
            let annealing = AnnealedImportanceSampling(
                from: base, to: target, betas: (1...20).map { Double($0) / 20 }
            ) { MetropolisAdjustedLangevin(target: $0, stepSize: 0.1) }
            let annealed = annealing.run(4000, random).samples
            let (normalizer, mean, variance) = (
                try one.number("log_normalizer"), try one.number("mean"), try one.number("variance")
            )
            for samples in [plain, annealed] {
                try expectMean(of: (samples.logWeights - normalizer).exp(), Tensor(1.0))
                let found = samples.mean(of: samples.points)
                #expect(abs(try found.item() - mean) < 0.06)
                let spread = samples.mean(of: (samples.points - found).squared())
                #expect(abs(try spread.item() / variance - 1) < 0.1)
            }
        }
    }

    /// A narrow Gaussian far from the base: ln Z is known, the mean of e^(−W) is unbiased whatever the number of
    /// steps, and more steps waste less work.
    @Test func annealingFindsTheNormaliserOfAGaussian() throws {
        let goal = Gaussian(
            mean: Tensor([1.5, -1, 0.5]),
            covariance: Tensor([0.2, 0.05, 0, 0.05, 0.3, -0.1, 0, -0.1, 0.25], shape: [3, 3]))
        let exact = -2.3
        let target = LogDensity { goal.logDensity($0) + exact }
        let base = DiagonalGaussian(mean: Tensor.zeros([3], .float64), variance: Tensor.ones([3], .float64))
        var wasted: [Double] = [], sizes: [Double] = [], expansions: [Double] = []
        for steps in [5, 20, 100] {
            let annealing = AnnealedImportanceSampling(
                from: base, to: target, betas: (1...steps).map { Double($0) / Double(steps) }, moves: 3
            ) { MetropolisHastings(target: $0, deviation: 0.5) }
            let result = annealing.run(4000, random)
            try expectMean(of: (-result.work - exact).exp(), Tensor(1.0), "\(steps) steps")
            wasted.append(try result.work.mean().item() + exact)
            expansions.append(abs(try result.cumulantFreeEnergy.item() + exact))
            sizes.append(try result.samples.effectiveSampleSize.item())
            #expect(abs(try result.dissipation.item() - wasted.last!) < 0.2)
            if steps == 100 {
                #expect(abs(try result.freeEnergy.item() + exact) < 0.06)
                let points = result.samples
                expectClose(points.mean(of: points.points), goal.mean, absolute: 0.06)
            }
        }
        #expect(wasted[0] > wasted[1] && wasted[1] > wasted[2] && wasted[2] > 0)
        // Slow work is nearly Gaussian.
        #expect(expansions[0] > expansions[1] && expansions[1] > expansions[2] && expansions[2] < 0.3)
        #expect(sizes[0] < sizes[1] && sizes[1] < sizes[2] && sizes[2] > 2000)
    }

    /// Shifting a Gaussian at once: W = −m·x + m²/2 is Gaussian, and the second-order expansion exact.
    @Test func theCumulantExpansionIsExactForGaussianWork() throws {
        let (shift, count) = (0.7, 100_000)
        let target = DiagonalGaussian(mean: shift, deviation: 1)
        let annealing = AnnealedImportanceSampling(
            from: DiagonalGaussian(mean: 0, deviation: 1), to: target.target, betas: [1], moves: 0
        ) { MetropolisHastings(target: $0, deviation: 1) }
        let result = annealing.run(count, random)
        try expectMean(of: result.work, Tensor(shift * shift / 2))
        #expect(abs(try result.work.variance().item() - shift * shift) < 0.01)
        #expect(abs(try result.cumulantFreeEnergy.item()) < 0.01)
        #expect(abs(try result.freeEnergy.item()) < 0.015)
        #expect(abs(try result.dissipation.item() - shift * shift / 2) < 0.015)
    }
}
