import Foundation
import MonteCarlo
import Tensors
import TestSupport
import Testing

@Suite struct ProcessTests {
    @Test func momentsAgreeWithScipy() throws {
        for one in try Fixture("montecarlo/processes-0").cases() {
            let (level, volatility, time) = (
                try one.number("level"), try one.number("volatility"), try one.number("time")
            )
            let x = try one("start")
            let spring = OrnsteinUhlenbeck(
                rate: try one.number("rate"), level: level, volatility: volatility)
            expectClose(spring.mean(from: x, after: time), try one("mean"), absolute: 1e-10)
            expectClose(spring.variance(from: x, after: time), try one("variance"), absolute: 1e-10)
            let growth = GeometricBrownianMotion(growth: level, volatility: volatility)
            expectClose(growth.mean(from: x, after: time), try one("geometric_mean"), relative: 1e-11)
            expectClose(growth.variance(from: x, after: time), try one("geometric_variance"), relative: 1e-10)
        }
    }

    private func expectPathMoments(
        _ process: some ExactProcess, _ sampler: some PathSampler, from start: Double, seed: UInt64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let times = [0.1, 0.5, 1.3]
        let state = PathState(position: Tensor.full(start, [20_000], .float64))
        let paths = sampler.paths(from: state, at: times, RandomGenerator(seed: seed))
        for (index, time) in times.enumerated() {
            let mean = process.mean(from: Tensor(start), after: time)
            let variance = process.variance(from: Tensor(start), after: time)
            try expectMoments(
                of: paths[index].unsqueezed(1), mean: mean.reshaped([1]),
                covariance: variance.reshaped([1, 1]),
                sourceLocation: sourceLocation)
        }
    }

    @Test func pathsHaveTheirMoments() throws {
        let brownian = BrownianMotion(drift: 0.4, volatility: 0.7)
        let growth = GeometricBrownianMotion(growth: 0.3, volatility: 0.4)
        let spring = OrnsteinUhlenbeck(rate: 1.5, level: -0.5, volatility: 0.8)
        try expectPathMoments(brownian, ExactPaths(brownian), from: 1, seed: 1)
        try expectPathMoments(growth, ExactPaths(growth), from: 1, seed: 2)
        try expectPathMoments(spring, ExactPaths(spring), from: 1, seed: 3)
        try expectPathMoments(brownian, EulerMaruyama(brownian, stepSize: 0.1), from: 1, seed: 4)
        try expectPathMoments(growth, EulerMaruyama(growth, stepSize: 0.005), from: 1, seed: 5)
        try expectPathMoments(spring, EulerMaruyama(spring, stepSize: 0.005), from: 1, seed: 6)
    }

    /// cov(B(s), B(t)) = min(s, t), increments apart are independent, and B(t)² − t is a martingale.
    @Test func brownianIncrementsAreIndependent() throws {
        let start = PathState(position: Tensor.zeros([20_000], .float64))
        let times = [0.3, 0.7, 1.5]
        let paths = ExactPaths(BrownianMotion()).paths(from: start, at: times, RandomGenerator(seed: 7))
        let covariance = times.map { s in times.map { t in min(s, t) } }.flatMap { $0 }
        try expectMoments(
            of: paths.transposed(), mean: Tensor.zeros([3], .float64),
            covariance: Tensor(covariance, shape: [3, 3]))
        let squares = paths.squared() - Tensor(times).unsqueezed(1)
        #expect(try MartingaleCheck(paths: squares).largest.item() < 5)
    }

    @Test func martingalesAreToldFromOthers() throws {
        func largest(_ process: some ExactProcess, seed: UInt64) throws -> Double {
            let start = PathState(position: Tensor.ones([20_000], .float64))
            let paths = ExactPaths(process).paths(
                from: start, at: [0, 0.5, 1, 1.5, 2], RandomGenerator(seed: seed))
            return try MartingaleCheck(paths: paths).largest.item()
        }
        #expect(try largest(BrownianMotion(volatility: 2), seed: 8) < 5)
        #expect(try largest(GeometricBrownianMotion(growth: 0, volatility: 0.5), seed: 9) < 5)
        #expect(try largest(BrownianMotion(drift: 0.1), seed: 10) > 5)
        #expect(try largest(GeometricBrownianMotion(logarithmicDrift: 0, volatility: 0.5), seed: 11) > 5)
        // A spring at its level has increments of mean 0, but not given where it is.
        #expect(try largest(OrnsteinUhlenbeck(rate: 0.3, level: 1, volatility: 1), seed: 12) > 5)
    }

    /// Against the exact path of the same Brownian motion: order ½ where the noise multiplies.
    @Test func eulerMaruyamaConvergesAtOrderHalf() throws {
        let process = GeometricBrownianMotion(growth: 0.5, volatility: 0.8)
        let finest = RandomGenerator(seed: 13).normal([256, 4000], .float64) * (1.0 / 256).squareRoot()
        let exact = (finest.sum([0]) * process.volatility + process.logarithm.drift).exp()
        let errors = try [16, 64, 256].map { steps in
            let sampler = EulerMaruyama(process, stepSize: 1 / Double(steps))
            let increments = finest.reshaped([steps, 256 / steps, 4000]).sum([1])
            let end = (0..<steps).reduce(PathState(position: Tensor.ones([4000], .float64))) {
                sampler.step($0, by: sampler.stepSize, increment: increments[$1])
            }
            #expect(abs(end.time - 1) < 1e-12)
            return try (end.position - exact).squared().mean().item(Double.self).squareRoot()
        }
        for (coarse, fine) in zip(errors, errors.dropFirst()) {
            let order = log(coarse / fine) / log(4)
            #expect(order > 0.4 && order < 0.7, "\(errors)")
        }
    }
}
