import Diffusion
import Tensors
import TestSupport
import Testing

/// What is known of a sample is put back after every step.
@Suite struct KnownRegionTests {
    /// The known part of each sample is the data with the noise of the level that the next step begins with, or of the level
    /// that the region has beside it, and at the end without any.
    @Test(arguments: [1.0, 0.5]) func theKnownPartHasTheNoiseOfItsLevel(factor: Double) throws {
        let grid = karrasGrid(5)
        let generator = RandomGenerator(seed: 4)
        let (data, noise) = (generator.normal([2, 3], .float64), generator.normal([2, 3], .float64))
        let mask = Tensor([1.0, 0, 0])
        let region = KnownRegion(data: data, noise: noise, mask: mask) {
            NoiseLevel(time: $0.time, alpha: $0.alpha, sigma: $0.sigma * factor)
        }
        let sampler = Sampler(grid, DDIMSolver()).restoring(region)
        let denoiser = Denoiser { x, level in
            Estimate(data: x * 0.3, noise: (x - x * (0.3 * level.alpha)) / level.sigma)
        }
        var count = 0
        let start = generator.normal([2, 3], .float64)
        for progress in sampler.solver.sampling(
            start, through: sampler.grid, denoiser: denoiser, noise: NoiseSource(seed: 1, count: 2))
        {
            count += 1
            let next = count < grid.steps.count ? grid.steps[count].from : nil
            let expected = next.map { data * $0.alpha + noise * ($0.sigma * factor) } ?? data
            expectClose(
                progress.sample.slice(1..<3, of: 1), expected.slice(1..<3, of: 1), absolute: 1e-12)
            #expect(
                try !progress.sample.slice(0..<1, of: 1).isIdentical(to: expected.slice(0..<1, of: 1)))
        }
        #expect(count == 5)
    }
}
