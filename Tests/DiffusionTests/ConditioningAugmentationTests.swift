import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Noise and blur of the smaller pictures of a cascade, in closed form.
@Suite struct ConditioningAugmentationTests {
    private func augmentation(_ word: String) throws -> ConditioningAugmentation {
        ConditioningAugmentation(try ProcessDescription(word).predicting("v").process)
    }

    /// α·z + σ·ε at the level of each picture's time, scaled as the network takes samples.
    @Test(arguments: ["betas", "flow", "vp-sde", "edm"])
    func picturesHaveTheNoiseOfTheirTimes(word: String) throws {
        let augmentation = try augmentation(word)
        let schedule = augmentation.process.schedule
        let draw = RandomGenerator(seed: 1)
        let (z, noise) = (draw.normal([2, 1, 4, 4], .float64), draw.normal([2, 1, 4, 4], .float64))
        let times = [0.3, 0.8].map { schedule.time(atShare: $0) }
        let (found, levels) = augmentation.noised(z, at: times, noise)
        for (index, time) in times.enumerated() {
            let level = schedule.level(at: time)
            let scaling = augmentation.process.parameterization
            let scale = scaling.scaling.scale(of: level)
            let factor = scaling.input(level.divided(by: scale)) / scale
            let expected = (z * level.alpha + noise * level.sigma) * factor
            expectClose(
                found.slice(index..<index + 1, of: 0), expected.slice(index..<index + 1, of: 0),
                absolute: 1e-9)
            #expect(abs(try levels.array(of: Double.self)[index] - scaling.time(level)) < 1e-3)
            let given = augmentation.given(
                (z * level.alpha + noise * level.sigma).slice(index..<index + 1, of: 0), at: time)
            expectClose(given.0, found.slice(index..<index + 1, of: 0), absolute: 1e-9)
        }
        #expect(try augmentation.noised(z, at: times, nil).0.isIdentical(to: z))
    }

    @Test func timesLieBelowTheShare() throws {
        let table = try augmentation("betas")
        let times = try table.times(2000, upTo: 0.25, RandomGenerator(seed: 2))
        #expect(times.allSatisfy { $0 >= 0 && $0 < 250 && $0 == $0.rounded() })
        #expect(abs(times.reduce(0, +) / 2000 - 124.5) < 5)
        #expect(table.time(ofLevel: 40) == 40 && table.largestLevel == 999)
        let flow = try augmentation("flow")
        let shares = try flow.times(2000, upTo: 0.5, RandomGenerator(seed: 2))
        #expect(shares.allSatisfy { $0 >= 0 && $0 <= 0.5 } && abs(shares.reduce(0, +) / 2000 - 0.25) < 0.01)
        #expect(flow.time(ofLevel: 250) == 0.25 && flow.largestLevel == 1000)
    }

    /// A pixel spreads to its neighbours by exp(−d²/2σ²), normalized over the window.
    @Test func aPixelIsBlurredByAGaussian() throws {
        var values = [Double](repeating: 0, count: 50)
        (values[12], values[25 + 12]) = (1, 1)
        let pictures = Tensor(values, shape: [2, 1, 5, 5])
        let found = ConditioningAugmentation.blurred(pictures, by: Tensor([0.6, 0] as [Double]))
        let side = exp(-0.5 / 0.36), sum = 1 + 2 * side
        let weights = [0, side / sum, 1 / sum, side / sum, 0]
        let expected = weights.flatMap { row in weights.map { row * $0 } }
        expectClose(found.slice(0..<1, of: 0), Tensor(expected, shape: [1, 1, 5, 5]), absolute: 1e-12)
        #expect(try found.slice(1..<2, of: 0).isIdentical(to: pictures.slice(1..<2, of: 0)))
        // Mirrored edges keep a flat picture flat.
        let flat = Tensor.full(0.5, [1, 1, 4, 4], .float64)
        expectClose(ConditioningAugmentation.blurred(flat, by: Tensor([0.6])), flat, absolute: 1e-12)
    }
}
