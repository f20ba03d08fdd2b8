import Diffusion
import Tensors
import Testing

@Suite struct GuidanceTests {
    private let level = NoiseLevel(time: 3, alpha: 0.8, sigma: 0.6)
    private let conditional = Denoiser { x, _ in Estimate(data: x * 2, noise: x - 1) }
    private let unconditional = Denoiser { x, _ in Estimate(data: x * 0.5, noise: x + 1) }

    @Test func scalesZeroAndOneAreTheBranchesBitForBit() throws {
        let x = RandomGenerator(seed: 1).normal([3, 5])
        for (scale, branch) in [(0.0, unconditional), (1.0, conditional)] {
            let guided = ClassifierFreeGuidance(scale: scale)
                .denoiser(conditional: conditional, unconditional: unconditional)(x, level)
            #expect(try guided.data.isIdentical(to: branch(x, level).data))
            #expect(try guided.noise.isIdentical(to: branch(x, level).noise))
        }
    }

    @Test func guidanceIsLinearThousandTimes() throws {
        let generator = RandomGenerator(seed: 2)
        let scales = try generator.uniform([1000], .float64).array(of: Double.self).map { $0 * 20 - 5 }
        for scale in scales {
            let x = generator.normal([1, 3], .float64)
            let guided = ClassifierFreeGuidance(scale: scale)
                .denoiser(conditional: conditional, unconditional: unconditional)(x, level)
            let expected = (1 - scale) * unconditional(x, level).data + scale * conditional(x, level).data
            #expect(try (guided.data - expected).norm().item() < 1e-12)
        }
    }

    @Test func oneBatchEqualsTwo() throws {
        let x = RandomGenerator(seed: 3).normal([2, 4], .float64)
        let both = Denoiser { x, level in
            let halves = x.chunked(2, of: 0)
            let (a, b) = (self.unconditional(halves[0], level), self.conditional(halves[1], level))
            return Estimate(
                data: concatenated([a.data, b.data]), noise: concatenated([a.noise, b.noise]))
        }
        let guidance = ClassifierFreeGuidance(scale: 3)
        let apart = guidance.denoiser(conditional: conditional, unconditional: unconditional)(x, level)
        let together = guidance.denoiser(batched: both)(x, level)
        #expect(try together.data.isIdentical(to: apart.data))
        #expect(try together.noise.isIdentical(to: apart.noise))
    }

    @Test func thresholdsKeepDataInRange() throws {
        let wild = Denoiser { x, _ in Estimate(data: x * 10, noise: x) }
        let x = RandomGenerator(seed: 4).normal([2, 50], .float64)
        let fixed = wild.thresholded(.fixed(range: 1.5))(x, level)
        #expect(try fixed.data.magnitude().max().item() == 1.5)
        #expect(try fixed.noise.isIdentical(to: x))
        let recomputed = wild.thresholded(.fixed(range: 1), recomputingNoise: true)(x, level)
        let back = recomputed.data * level.alpha + recomputed.noise * level.sigma
        #expect(try (back - x).norm().item() < 1e-13)
        let dynamic = wild.thresholded(.dynamic(quantile: 0.5, maximum: 100))(x, level).data
        #expect(try dynamic.magnitude().max().item() == 1.0)
        // Half of the elements lie inside the limit and are only scaled.
        let inside = (dynamic.magnitude() .< 1).to(.float64).mean([1])
        #expect(try inside.array(of: Double.self).allSatisfy { abs($0 - 0.5) < 0.03 })
    }

    @Test func greatCirclesKeepTheirLength() throws {
        let generator = RandomGenerator(seed: 6)
        let (a, b) = (generator.normal([2, 3, 8], .float64), generator.normal([2, 3, 8], .float64))
        #expect(try (sphericallyInterpolated(a, b, weight: 0) - a).norm().item() < 1e-12)
        #expect(try (sphericallyInterpolated(a, b, weight: 1) - b).norm().item() < 1e-12)
        let unit = a / a.flattened(from: 1).norm([1]).broadcast(toRank: 3)
        let other = b / b.flattened(from: 1).norm([1]).broadcast(toRank: 3)
        let lengths = sphericallyInterpolated(unit, other, weight: 0.3).flattened(from: 1).norm([1])
        #expect(try lengths.array(of: Double.self).allSatisfy { abs($0 - 1) < 1e-12 })
        #expect(try (sphericallyInterpolated(a, a, weight: 0.5) - a).norm().item() < 1e-12)
    }
}
