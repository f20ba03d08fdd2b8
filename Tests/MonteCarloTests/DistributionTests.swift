import Foundation
import MonteCarlo
import Tensors
import TestSupport
import Testing

@Suite struct DistributionTests {
    @Test func gaussiansAgreeWithScipy() throws {
        for one in try Fixture("montecarlo/gaussians-0").cases() {
            let first = Gaussian(mean: try one("mean1"), covariance: try one("covariance1"))
            let second = Gaussian(mean: try one("mean2"), covariance: try one("covariance2"))
            expectClose(
                first.logDensity(try one("points")), try one("log_density"), relative: 1e-9, absolute: 1e-9)
            let divergence = try one.number("divergence")
            #expect(abs(try first.divergence(to: second).nats - divergence) < 1e-9 * max(1, divergence))
            #expect(abs(try first.entropy().nats - one.number("entropy")) < 1e-10)

            let independent = DiagonalGaussian(mean: first.mean, variance: first.covariance.diagonal())
            let other = DiagonalGaussian(mean: second.mean, variance: second.covariance.diagonal())
            let expected = try one.number("diagonal_divergence")
            #expect(abs(try independent.divergence(to: other).nats - expected) < 1e-8 * max(1, expected))
            #expect(abs(try independent.entropy().nats - one.number("diagonal_entropy")) < 1e-12)
        }
    }

    @Test func finiteDistributionsAgreeWithScipy() throws {
        for one in try Fixture("montecarlo/finite-0").cases() {
            let (p, q) = (
                FiniteDistribution(weights: try one("p").array()),
                FiniteDistribution(weights: try one("q").array())
            )
            #expect(abs(try p.entropy.nats - one.number("nats")) < 1e-13)
            #expect(abs(try p.entropy.bits - one.number("bits")) < 1e-13)
            #expect(abs(try p.divergence(to: q).nats - one.number("divergence")) < 1e-13)
        }
    }

    @Test func entropiesOfKnownSources() throws {
        #expect(FiniteDistribution(weights: [1, 1]).entropy.bits == 1)
        #expect(abs(FiniteDistribution(weights: [Double](repeating: 1, count: 8)).entropy.bits - 3) < 1e-14)
        #expect(FiniteDistribution(weights: [0, 2, 0]).entropy.nats == 0)
        let half = FiniteDistribution(weights: [1, 0])
        #expect(FiniteDistribution(weights: [1, 1]).divergence(to: half).nats == .infinity)
        #expect(half.divergence(to: FiniteDistribution(weights: [1, 1])).bits == 1)
        // H(N(0, s²)) = ½·ln(2πe·s²): 2.0471 bits at s = 1.
        let unit = try DiagonalGaussian(mean: 3, deviation: 1).entropy()
        #expect(abs(unit.bits - 2.047_095_585_180_641) < 1e-13)
    }

    @Test func theThreeGaussiansAreOneThousandTimes() throws {
        let generator = RandomGenerator(seed: 1)
        for _ in 0..<1000 {
            let draws = generator.normal([4, 2], .float64)
            let (variance, other) = (draws[2].squared() + 0.1, draws[3].squared() + 0.1)
            let diagonal = DiagonalGaussian(mean: draws[0], variance: variance)
            let second = DiagonalGaussian(mean: draws[1], variance: other)
            let full = Gaussian(mean: draws[0], covariance: variance.diagonalMatrix())
            let divergence = try diagonal.divergence(to: second).nats
            let same = try full.divergence(
                to: Gaussian(mean: draws[1], covariance: other.diagonalMatrix())
            ).nats
            #expect(abs(divergence - same) < 1e-11 * max(1, divergence) && divergence > 0)
            // Independent coordinates add up.
            var sum = 0.0
            for i in 0..<2 {
                func one(_ mean: Tensor, _ variance: Tensor) throws -> DiagonalGaussian {
                    DiagonalGaussian(
                        mean: try mean[i].item(), deviation: try variance[i].item().squareRoot())
                }
                sum += try one(draws[0], variance).divergence(to: one(draws[1], other)).nats
            }
            #expect(abs(sum - divergence) < 1e-11 * max(1, divergence))
        }
    }

    @Test func drawsHaveTheirMomentsAndTheirEntropy() throws {
        let random = RandomGenerator(seed: 2)
        let covariance = Tensor([2, -0.6, -0.6, 0.5], shape: [2, 2])
        let gaussian = Gaussian(mean: Tensor([1.0, -2]), covariance: covariance)
        let points = gaussian.draw(20_000, random)
        try expectMoments(of: points, mean: gaussian.mean, covariance: covariance)
        try expectMean(of: -gaussian.logDensity(points), Tensor(try gaussian.entropy().nats))
        let other = Gaussian(mean: Tensor([0.0, -1]), covariance: Tensor.identity(2, .float64))
        try expectMean(
            of: gaussian.logDensity(points) - other.logDensity(points),
            Tensor(try gaussian.divergence(to: other).nats))
        let diagonal = DiagonalGaussian(mean: Tensor([1.0, 0]), variance: Tensor([0.1, 3]))
        try expectMoments(
            of: diagonal.draw(20_000, random), mean: diagonal.mean,
            covariance: diagonal.variance.diagonalMatrix())
    }

    @Test func anImpossibleCovarianceIsAnError() {
        let impossible = Gaussian(
            mean: Tensor.zeros([2], .float64), covariance: Tensor([1.0, 2, 2, 1], shape: [2, 2]))
        #expect(throws: TensorError.self) { try impossible.entropy() }
    }

    @Test func aFailedDensityHandsItsErrorOn() {
        let wrong = LogDensity { $0.matmul(Tensor.zeros([5], .float64)) }
        let x = Tensor.zeros([2, 3], .float64)
        #expect(wrong.gradient(x).failure != nil && wrong(x).failure != nil)
        #expect(LogDensity { _ in Tensor.zeros([2], .float64) }.gradient(x).failure == nil)
    }

    @Test func pathsBetweenDensitiesAreGeometric() throws {
        let (a, b) = (
            DiagonalGaussian(mean: 0, deviation: 1).target, DiagonalGaussian(mean: 2, deviation: 0.5).target
        )
        let x = RandomGenerator(seed: 3).normal([10, 1], .float64)
        let middle = a.path(to: b, at: 0.25)
        expectClose(middle(x), a(x) * 0.75 + b(x) * 0.25, absolute: 1e-13)
        let automatic = LogDensity { middle($0) }
        expectClose(middle.gradient(x), automatic.gradient(x), absolute: 1e-12)
        expectClose(middle.gradient(x), x * -0.75 - (x - 2) * (0.25 / 0.25), absolute: 1e-12)
    }
}
