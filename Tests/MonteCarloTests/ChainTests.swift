import Foundation
import MonteCarlo
import Tensors
import TestSupport
import Testing

@Suite struct ChainTests {
    private let gaussian = Gaussian(
        mean: Tensor([1.0, -0.5]), covariance: Tensor([1, 0.7, 0.7, 0.8], shape: [2, 2]))

    private func origin(_ chains: Int, _ dimension: Int = 2) -> Tensor {
        Tensor.zeros([chains, dimension], .float64)
    }

    private func end(
        _ sampler: some MarkovSampler, _ start: Tensor, steps: Int, seed: UInt64 = 1
    ) -> Tensor {
        sampler.samples(1, from: start, discarding: steps - 1, RandomGenerator(seed: seed))[0]
    }

    @Test func everyExactSamplerHasTheMomentsOfABivariateGaussian() throws {
        let (target, start) = (gaussian.target, origin(8000))
        let ends = [
            end(MetropolisHastings(target: target, deviation: 1), start, steps: 150),
            end(GibbsSampler(gaussian.conditionals), start, steps: 25),
            end(MetropolisAdjustedLangevin(target: target, stepSize: 0.2), start, steps: 60),
        ]
        for points in ends {
            try expectMoments(of: points, mean: gaussian.mean, covariance: gaussian.covariance)
        }
    }

    /// Of a pair (x, y) one step apart in equilibrium, each is as likely as (y, x).
    @Test func exactSamplersAreReversible() throws {
        func asymmetry(_ sampler: some MarkovSampler, _ seed: UInt64) -> Tensor {
            let random = RandomGenerator(seed: seed)
            let x = gaussian.draw(40_000, random)
            let y = sampler.step(sampler.start(at: x), random).position
            func products(_ a: Tensor, _ b: Tensor) -> Tensor {
                let (a, b) = (a - gaussian.mean, b - gaussian.mean)
                return stacked(
                    [
                        a.select(0, of: 1) * b.select(1, of: 1),
                        a.select(0, of: 1) * b.select(1, of: 1).power(3),
                        a.select(0, of: 1).squared() * b.select(0, of: 1).power(4),
                    ], along: 1)
            }
            return products(x, y) - products(y, x)
        }
        let target = gaussian.target
        let none = Tensor.zeros([3], .float64)
        try expectMean(of: asymmetry(MetropolisHastings(target: target, deviation: 1), 2), none)
        try expectMean(of: asymmetry(MetropolisAdjustedLangevin(target: target, stepSize: 0.5), 3), none)
    }

    /// The linear recursion of an unadjusted chain on N(0, s²) settles at s²/(1 − h/2s²), not at s².
    @Test func unadjustedLangevinIsOffByWhatItsStepSays() throws {
        let (variance, h) = (0.5, 0.3)
        let target = DiagonalGaussian(mean: 0, deviation: variance.squareRoot()).target
        let start = origin(20_000, 1)
        let unadjusted = end(UnadjustedLangevin(target: target, stepSize: h), start, steps: 40)
        let wide = variance / (1 - h / (2 * variance))
        try expectMoments(of: unadjusted, mean: Tensor([0.0]), covariance: Tensor([wide], shape: [1, 1]))
        let adjusted = end(MetropolisAdjustedLangevin(target: target, stepSize: h), start, steps: 60)
        try expectMoments(of: adjusted, mean: Tensor([0.0]), covariance: Tensor([variance], shape: [1, 1]))
    }

    /// A proposal that multiplies is not symmetric: without Hastings' factor the mean would be 2, not 3.
    @Test func asymmetricProposalsAreCorrected() throws {
        let gamma = LogDensity { x in (x.log() * 2 - x).sum([1]) }
        let sampler = MetropolisHastings(target: gamma) { x, random in
            let move = random.normal(x.shape, x.elementType) * 0.8
            return (x * move.exp(), move.sum([1]))
        }
        let points = end(sampler, Tensor.ones([10_000, 1], .float64), steps: 150)
        try expectMoments(of: points, mean: Tensor([3.0]), covariance: Tensor([3.0], shape: [1, 1]))
    }

    @Test func acceptanceTellsTheSizeOfTheStep() throws {
        func rates(_ deviation: Double) throws -> Double {
            let sampler = MetropolisHastings(target: gaussian.target, deviation: deviation)
            var chain = sampler.chain(from: origin(500), RandomGenerator(seed: 4))
            let last = try #require((0..<100).compactMap { _ in chain.next() }.last)
            #expect(last.steps == 100)
            return try last.acceptanceRate.mean().item()
        }
        let found = try [0.001, 1, 50].map(rates)
        #expect(found[0] > 0.99 && found[1] > 0.3 && found[1] < 0.7 && found[2] < 0.01)
        // A point that the target forbids is never entered.
        let half = LogDensity { x in
            (x.squared() * -0.5).sum([1]).filled(with: -.infinity, where: x.select(0, of: 1) .< 0)
        }
        let points = end(
            MetropolisHastings(target: half, deviation: 1), Tensor.ones([2000, 1], .float64), steps: 50)
        #expect(try points.min().item() > 0)
        try expectMean(of: points, Tensor([(2 / Double.pi).squareRoot()]))
    }

    @Test func stochasticGradientsFindThePosterior() throws {
        let random = RandomGenerator(seed: 5)
        let data = random.normal([50, 1], .float64) * 0.9 + 0.8
        let prior = DiagonalGaussian(mean: 0, deviation: 2)
        let model = GaussianMeanModel(
            prior: prior, noiseVariance: Tensor([0.81]), observations: data)
        let sampler = StochasticGradientLangevin(
            prior: prior.target, data: data, batchSize: 10,
            stepSizes: .init(scale: 0.02, offset: 20, exponent: 0.6)
        ) { theta, batch in
            (batch - theta.unsqueezed(1)).squared().sum([1, 2]) * (-0.5 / 0.81)
        }
        let points = end(sampler, origin(1000, 1), steps: 1200)
        let posterior = model.posterior
        try expectMean(of: points, posterior.mean)
        // The estimate's own noise is left over at order ε.
        let ratio = try (points.variance() / posterior.variance).item(Double.self)
        #expect(abs(ratio - 1) < 0.2, "\(ratio)")
    }

    @Test func aSeedGivesTheSameChains() throws {
        let sampler = MetropolisAdjustedLangevin(target: gaussian.target, stepSize: 0.3)
        let all = sampler.samples(5, from: origin(3), discarding: 2, every: 3, RandomGenerator(seed: 6))
        #expect(all.shape == [5, 3, 2])
        let again = sampler.samples(17, from: origin(3), RandomGenerator(seed: 6))
        #expect(try all.isIdentical(to: again.strided(from: 4, by: 3, of: 0)))
    }
}

@Suite struct FiniteChainTests {
    @Test func metropolisChainsAreInDetailedBalanceThousandTimes() throws {
        let random = RandomGenerator(seed: 1)
        for _ in 0..<1000 {
            let weights = random.uniform([5], .float64) + 0.01
            let target = weights / weights.sum()
            let proposal = random.uniform([5, 5], .float64).softmax(1)
            let chain = FiniteChain(target: weights, proposal: proposal)
            #expect(try chain.detailedBalanceError(target).item() < 1e-16)
            #expect(try (chain.transitions.sum([1]) - 1).magnitude().max().item() < 1e-15)
            #expect(try chain.transitions.min().item() >= 0)
            #expect(try (chain.distribution(target, after: 1) - target).magnitude().max().item() < 1e-15)
        }
    }

    @Test func everyStartTendsToTheTarget() throws {
        let target = Tensor([0.1, 0.2, 0.3, 0.4])
        let chain = FiniteChain(target: target, proposal: Tensor.full(0.25, [4, 4], .float64))
        let start = Tensor([1.0, 0, 0, 0])
        expectClose(chain.distribution(start, after: 200), target, absolute: 1e-12)
        let ends = chain.samples(
            1, from: Tensor([Int64](repeating: 0, count: 20_000)), discarding: 30, RandomGenerator(seed: 2))[
                0]
        try expectMean(of: ends.oneHot(4).to(.float64), target)
    }

    /// A cycle keeps the uniform distribution, but not reversibly.
    @Test func aCycleIsStationaryAndNotReversible() throws {
        let cycle = FiniteChain(transitions: Tensor([0.0, 1, 0, 0, 0, 1, 1, 0, 0], shape: [3, 3]))
        let uniform = Tensor.full(1 / 3.0, [3], .float64)
        #expect(try cycle.detailedBalanceError(uniform).item() > 0.3)
        expectClose(cycle.distribution(uniform, after: 1), uniform, absolute: 1e-15)
        let path = cycle.samples(4, from: Tensor([Int64(0), 2]), RandomGenerator(seed: 3))
        #expect(try path.array(of: Int.self) == [1, 0, 2, 1, 0, 2, 1, 0])
    }
}
