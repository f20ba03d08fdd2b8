import Diffusers
import Diffusion
import Tensors
import Testing

@Suite struct GaussianSamplingTests {
    private let data = ExactGaussian()
    private var configuration: SchedulerConfiguration {
        var configuration = SchedulerConfiguration(.ddim)
        configuration.clipsData = false
        return configuration
    }

    /// The probability flow of Gaussian data maps quantiles to quantiles.
    @Test func deterministicDDIMFollowsTheExactMap() throws {
        let unit = RandomGenerator(seed: 2).normal([3, 4], .float64)
        var errors: [Double] = []
        for steps in [50, 100, 200] {
            let grid = try configuration.grid(steps: steps)
            let found = data.run(DDIMSolver(), through: grid, from: unit)
            errors.append(try (found - data.sample(unit, at: .data)).norm().item())
        }
        // First order: half the step, half the error.
        #expect(errors[0] / errors[1] > 1.7 && errors[1] / errors[2] > 1.7)
        #expect(errors[2] < 0.02)
    }

    @Test(arguments: [0.0, 0.5, 1.0])
    func everyEtaGivesTheDataMoments(eta: Double) throws {
        let source = NoiseSource(seed: 4, count: 1, elementType: .float64)
        let grid = try configuration.grid(steps: 200)
        let found = run(source.draw([100_000]), grid, DDIMSolver(eta: eta), source)
        #expect(abs(try found.mean().item() - data.mean) < 0.02)
        #expect(abs(try found.standardDeviation().item() - data.deviation) < 0.02)
    }

    @Test(arguments: [DDPMSolver.Variance.fixedSmall, .fixedSmallLog, .fixedLarge])
    func ancestralSamplingGivesTheDataMoments(variance: DDPMSolver.Variance) throws {
        var ancestral = SchedulerConfiguration(.ddpm)
        ancestral.variance = variance
        let source = NoiseSource(seed: 9, count: 1, elementType: .float64)
        let found = run(
            source.draw([50_000]), try ancestral.grid(steps: 1000), DDPMSolver(variance: variance), source)
        #expect(abs(try found.mean().item() - data.mean) < 0.02)
        // The larger variance is exact for unit data, the smaller for a point; here both are near.
        #expect(abs(try found.standardDeviation().item() - data.deviation) < 0.03)
    }

    /// At η = 1 with the same noise, DDIM's step is the ancestral one.
    @Test func etaOneIsAncestralSampling() throws {
        let grid = try configuration.grid(steps: 100)
        let start = RandomGenerator(seed: 8).normal([2, 7], .float64)
        let ancestral = run(
            start, grid, DDPMSolver(), NoiseSource(seed: 1, count: 2, elementType: .float64))
        let implicit = run(
            start, grid, DDIMSolver(eta: 1), NoiseSource(seed: 1, count: 2, elementType: .float64))
        // DDIM also adds its (zero) noise in the last step; the draws before agree.
        #expect(try (ancestral - implicit).norm().item() < 1e-9)
    }

    @Test func inversionReturnsAndTheErrorFallsWithSteps() throws {
        let picture = RandomGenerator(seed: 21).normal([2, 6], .float64) * 0.4 + 0.7
        var errors: [Double] = []
        for steps in [10, 50, 250] {
            let grid = try configuration.grid(steps: steps)
            let noise = run(picture, grid.inverted(), DDIMSolver())
            errors.append(try (run(noise, grid, DDIMSolver()) - picture).norm().item())
        }
        #expect(errors[0] > 2 * errors[1] && errors[1] > 2 * errors[2])
        #expect(errors[2] < 0.05)
    }

    @Test func aPictureInABatchIsThatPictureAlone() throws {
        let shape: Shape = [1, 4, 4]
        let grid = try configuration.grid(steps: 10)
        let batch = NoiseSource(seed: 40, count: 4)
        let together = run(batch.draw(shape), grid, DDIMSolver(eta: 1), batch)
        for index in 0..<4 {
            let alone = NoiseSource(seed: 40 + UInt64(index), count: 1)
            let picture = run(alone.draw(shape), grid, DDIMSolver(eta: 1), alone)
            #expect(try picture[0].isIdentical(to: together[index]))
        }
    }

    private func run<Method: Solver>(
        _ start: Tensor, _ grid: StepGrid, _ method: Method, _ noise: NoiseSource? = nil
    ) -> Tensor {
        let source = noise ?? NoiseSource(seed: 0, count: start.shape[0], elementType: start.elementType)
        var last = start
        for progress in Sampling(start, through: grid, by: method, denoiser: data.denoiser, noise: source) {
            last = progress.sample
        }
        return last
    }
}
