import Checkpoints
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct TimeDensityTests {
    static let densities: [String: TimeDensity] = [
        "uniform": .uniform, "logit-normal": .logitNormal(),
        "logit-normal -0.5": .logitNormal(mean: -0.5, deviation: 0.6), "mode": .mode(),
        "mode -0.8": .mode(scale: -0.8), "mode 0.81": .mode(scale: 0.81), "cosmap": .cosineMap,
        "log-normal": .logNormal(),
    ]

    /// Kolmogorov and Smirnov: √n·sup |F_n − F| exceeds 1.95 once in a thousand.
    @Test(arguments: densities.keys.sorted())
    func drawsFollowTheirDistribution(name: String) throws {
        let (density, count) = (try #require(Self.densities[name]), 20_000)
        let sorted = try density.draw(count, RandomGenerator(seed: 31)).sorted()
        var distance = 0.0
        for (index, time) in sorted.enumerated() {
            let value = density.cumulative(time)
            distance = max(
                distance, abs(value - Double(index) / Double(count)),
                abs(value - Double(index + 1) / Double(count)))
        }
        #expect(distance * Double(count).squareRoot() < 1.95)
    }

    /// The same test tells each density from the uniform one.
    @Test func theTestHasPower() throws {
        let sorted = try TimeDensity.logitNormal().draw(20_000, RandomGenerator(seed: 31)).sorted()
        let distance = sorted.enumerated().map { abs($1 - Double($0) / 20_000) }.max()!
        #expect(distance * 20_000.0.squareRoot() > 10)
    }

    /// The time at a share is where the distribution function reaches it.
    @Test(arguments: densities.keys.sorted())
    func quantilesInvertTheDistribution(name: String) throws {
        let density = try #require(Self.densities[name])
        for share in [0.0625, 0.3, 0.5, 0.77, 0.9375] {
            #expect(abs(density.cumulative(density.quantile(share)) - share) < 1e-12)
        }
    }

    @Test(arguments: densities.keys.sorted())
    func densitiesAreSlopesOfTheDistribution(name: String) throws {
        let density = try #require(Self.densities[name])
        for time in stride(from: 0.05, to: 0.96, by: 0.05) {
            let step = 1e-5
            let slope = (density.cumulative(time + step) - density.cumulative(time - step)) / (2 * step)
            #expect(abs(slope - density.density(time)) < 1e-6 * max(1, slope), "\(time)")
        }
        #expect(density.cumulative(0) < 1e-12)
        #expect(abs(density.cumulative(1e9) - 1) < 1e-12)
    }

    /// Draws of diffusers' `compute_density_for_timestep_sampling` from the same seeds.
    @Test func drawsAgreeWithDiffusers() throws {
        for fixture in try Fixture.all(in: "transport", prefix: "times") {
            let mean: Double = try fixture.case.required("mean")
            let deviation: Double = try fixture.case.required("deviation")
            let scale: Double = try fixture.case.required("scale")
            let scheme: String = try fixture.case.required("scheme")
            let known: [String: TimeDensity] = [
                "logit_normal": .logitNormal(mean: mean, deviation: deviation), "mode": .mode(scale: scale),
                "none": .uniform,
            ]
            let density = try #require(known[scheme])
            let seed: Int = try fixture.case.required("draw_seed")
            let expected = try fixture.tensor("times")
            let generator = RandomGenerator(seed: UInt64(seed))
            let shape: Shape = [expected.shape[0]]
            let draws = density.startsNormal ? generator.normal(shape) : generator.uniform(shape)
            let times = try draws.array(of: Float.self).map { density.value(of: Double($0)) }
            expectClose(Tensor(times).to(.float32), expected, absolute: 1e-6, fixture.name)
        }
    }
}
