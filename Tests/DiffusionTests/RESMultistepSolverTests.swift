import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct RESMultistepSolverTests {
    /// A level with λ = ln(α/σ), variance-preserving.
    private func level(_ lambda: Double) -> NoiseLevel {
        let ratio = exp(-lambda)
        return NoiseLevel(alpha: 1 / hypot(1, ratio), sigma: ratio / hypot(1, ratio))
    }

    /// φ₁(−h) = (1 − e^{−h})/h and φ₂(−h) = (e^{−h} − 1 + h)/h², put into the paper's b₁ and b₂: the second of two
    /// unequal steps is the sum that they give.
    @Test(arguments: [(0.4, 0.7), (0.9, 0.3), (0.05, 0.05), (2, 1.5)])
    func theSecondStepHasTheCoefficientsOfTheArticle(before: Double, h: Double) throws {
        let levels = [level(-1), level(-1 + before), level(-1 + before + h)]
        let draw = RandomGenerator(seed: 3)
        let (x, first, second) = (
            draw.normal([2, 3], .float64), draw.normal([2, 3], .float64), draw.normal([2, 3], .float64)
        )
        let denoiser = Denoiser { _, level in
            Estimate(data: level.sigma == levels[0].sigma ? first : second, noise: .zeros([2, 3], .float64))
        }
        let grid = StepGrid(through: levels)
        let source = NoiseSource(seed: 1, count: 2, elementType: .float64)
        let solver = RESMultistepSolver()
        var memory = solver.start()
        _ = solver.step(x, grid.steps[0], &memory, denoiser: denoiser, noise: source)
        let found = solver.step(x, grid.steps[1], &memory, denoiser: denoiser, noise: source).sample

        let (phi1, phi2) = ((1 - exp(-h)) / h, (exp(-h) - 1 + h) / (h * h))
        let c2 = -before / h
        let b2 = phi2 / c2
        let b1 = phi1 - b2
        let (s, t) = (levels[1], levels[2])
        let expected =
            x * (t.sigma / s.sigma) + second * (t.alpha * h * b1) + first * (t.alpha * h * b2)
        expectClose(found, expected, relative: 1e-12, absolute: 1e-12)
    }

    /// On normal data the flow is known: the error falls with the square of the number of steps.
    @Test func theOrderIsTwo() throws {
        let data = OneDimensional()
        let start = RandomGenerator(seed: 5).normal([4, 2], .float64)
        let errors = try [40, 80, 160, 320].map { count -> (steps: Int, error: Double) in
            // Unequal steps, so that no coefficient is right by symmetry alone.
            let grid = StepGrid(
                through: (0...count).map { index in
                    let share = Double(index) / Double(count)
                    return level(-1 + 2.5 * (share + 0.05 * sin(2 * .pi * share)))
                })
            let last = grid.steps[count - 1].to
            let exact = data.carried(start, from: grid.steps[0].from, to: last)
            let found = data.end(of: start, grid, RESMultistepSolver())
            return (count, try (found - exact).norm().item())
        }
        #expect(abs(slope(errors) - 2) < 0.15, "\(errors)")
    }

    /// A step to the data takes the estimate, whatever came before.
    @Test func theStepToTheDataIsOfFirstOrder() throws {
        let grid = StepGrid(through: [level(-1), level(0), NoiseLevel(alpha: 1, sigma: 0)])
        let data = OneDimensional.pair
        let source = NoiseSource(seed: 1, count: 2, elementType: .float64)
        let start = RandomGenerator(seed: 6).normal([2, 2], .float64)
        let steps = Array(
            RESMultistepSolver().sampling(start, through: grid, denoiser: data.denoiser, noise: source))
        expectClose(steps[1].sample, steps[1].estimate.data, absolute: 1e-14)
    }
}
