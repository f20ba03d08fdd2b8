import Diffusion
import Foundation
import Tensors
import Testing

/// Heun, DPM2, LMS and the methods of k-diffusion on an exactly solvable model, on every kind of path.
@Suite struct ExplodingSolverTests {
    private let data = ExactGaussian()

    /// A path inside its ends, `count` steps long.
    enum Path: CaseIterable {
        case exploding, preserving, straight

        func grid(_ count: Int) -> StepGrid {
            let shares = (0...count).map { Double($0) / Double(count) }
            let levels =
                switch self {
                case .exploding:
                    karrasSigmas(count: count + 1, from: 10, to: 0.05).map { NoiseLevel(alpha: 1, sigma: $0) }
                case .preserving: shares.map { VariancePreservingSchedule().level(at: 0.8 - 0.75 * $0) }
                case .straight: shares.map { StraightSchedule().level(at: 0.95 - 0.9 * $0) }
                }
            return StepGrid(through: levels)
        }
    }

    /// log₂ of how much the error shrinks with half the step.
    private func slope<Method: Solver>(
        _ method: Method, _ grids: (Int) -> StepGrid, steps: Int, exactSteps: Int = 0
    ) throws -> Double {
        let unit = RandomGenerator(seed: 5).normal([1, 8], .float64)
        let errors = try [steps, 2 * steps].map { count in
            let grid = grids(count)
            let found = data.run(method, through: grid, from: unit, exactSteps: exactSteps)
            let error: Double = try (found - data.sample(unit, at: grid.steps[count - 1].to)).norm().item()
            return error
        }
        return log2(errors[0] / errors[1])
    }

    @Test(arguments: Path.allCases)
    func ordersAreWhatTheoryGives(path: Path) throws {
        #expect(try slope(HeunSolver(), path.grid, steps: 100) > 1.85)
        #expect(try slope(DPM2Solver(), path.grid, steps: 100) > 1.85)
        #expect(try slope(EulerSolver(), path.grid, steps: 200) > 0.85)
        #expect(try slope(DPMPlusPlus2SAncestralSolver(eta: 0), path.grid, steps: 100) > 1.85)
        #expect(try slope(DPMPlusPlusSDESolver(eta: 0), path.grid, steps: 100) > 1.85)
        for order in 1...4 {
            let solver = LinearMultistepSolver(order: order)
            let measured = try slope(solver, path.grid, steps: 200, exactSteps: order - 1)
            #expect(measured > Double(order) - 0.15, "lms of order \(order)")
        }
        for variant in [DPMPlusPlusMultistepSDESolver.Variant.midpoint, .heun, .twoDifferences] {
            let solver = DPMPlusPlusMultistepSDESolver(variant, eta: 0)
            #expect(try slope(solver, path.grid, steps: 400, exactSteps: 2) > 1.85, "\(variant)")
        }
    }

    /// From nothing but noise to nothing but data.
    private func wholeWay(_ count: Int) -> StepGrid {
        StepGrid(through: (0...count).map { StraightSchedule().level(at: 1 - Double($0) / Double(count)) })
    }

    @Test func ordersHoldAtBothEnds() throws {
        #expect(try slope(HeunSolver(), wholeWay, steps: 100) > 1.85)
        #expect(try slope(DPM2Solver(), wholeWay, steps: 100) > 1.85)
        #expect(try slope(LinearMultistepSolver(), wholeWay, steps: 50, exactSteps: 3) > 3.85)
    }

    private let stochastic: [Method] = [
        .eulerAncestral, .dpm2Ancestral, .dpmPlusPlus2SAncestral, .dpmPlusPlusSDE, .dpmPlusPlus2MSDE,
        .dpmPlusPlus3MSDE,
    ]

    @Test func everyMethodIsFiniteAtBothEnds() throws {
        let unit = RandomGenerator(seed: 5).normal([1, 6], .float64)
        for name in stochastic + [.heun, .edm, .dpm2, .lms, .dpmFast, .dpmAdaptive] {
            let grid = wholeWay(30)
            let solver = try name.solver(on: grid)
            let found = data.run(solver, through: name.grid(grid), from: unit)
            let worst: Double = try (found - data.mean).magnitude().max().item()
            #expect(worst < 5 * data.deviation, "\(name)")
        }
    }

    /// Steps that are exact in log-SNR know nothing of how a sample is scaled.
    @Test func scalingASampleChangesNothing() throws {
        let unit = RandomGenerator(seed: 5).normal([1, 6], .float64)
        let levels = karrasSigmas(count: 9, from: 10, to: 0.1).map { NoiseLevel(alpha: 1, sigma: $0) }
        let scaled = levels.map { $0.divided(by: SampleScaling.variancePreserving.scale(of: $0)) }
        for name in stochastic + [.dpmFast] where name != .dpm2Ancestral {
            let found = try [levels, scaled].map { levels in
                let grid = StepGrid(through: levels)
                let end = name.grid(grid).steps.last!.to.alpha
                return try data.run(name.solver(on: grid), through: name.grid(grid), from: unit) / end
            }
            let difference: Double = try (found[0] - found[1]).magnitude().max().item()
            #expect(difference < 1e-12, "\(name)")
        }
    }

    @Test(arguments: [
        (Method.eulerAncestral, 450), (.dpm2Ancestral, 60), (.dpmPlusPlus2SAncestral, 60),
        (.dpmPlusPlusSDE, 450), (.dpmPlusPlus2MSDE, 60), (.dpmPlusPlus3MSDE, 60), (.edm, 60),
    ])
    func stochasticMethodsGiveTheDataMoments(name: Method, steps: Int) throws {
        var options = SamplerOptions()
        if name == .edm { (options.churn, options.churnRange) = (15, 0.02...1) }
        let sigmas = karrasSigmas(count: steps, from: 1, to: 0.01) + [0]
        let grid = StepGrid(through: sigmas.map { NoiseLevel(alpha: 1, sigma: $0) })
        let source = NoiseSource(seed: 4, count: 1, elementType: .float64)
        let count = 100_000
        let found = data.run(
            try name.solver(on: grid, options), through: grid, from: source.draw([count]), noise: source)
        let (mean, variance): (Double, Double) = try (found.mean().item(), found.variance().item())
        let exact = data.deviation * data.deviation
        #expect(abs(mean - data.mean) < 4 * data.deviation / Double(count).squareRoot())
        #expect(abs(variance - exact) < 4 * exact * (2 / Double(count)).squareRoot())
    }

    @Test func fastEvaluatesAsOftenAsItIsTold() throws {
        for steps in 1...9 {
            let grid = Path.exploding.grid(steps)
            var asked = 0
            let counting = data.denoiser.map { estimate, _, _ in
                asked += 1
                return estimate
            }
            let solver = try Method.dpmFast.solver(on: grid)
            let start = RandomGenerator(seed: 5).normal([1, 2], .float64)
            let noise = NoiseSource(seed: 0, count: 1, elementType: .float64)
            for _ in solver.sampling(
                start, through: Method.dpmFast.grid(grid), denoiser: counting, noise: noise)
            {}
            #expect(asked == steps)
        }
    }

    @Test func adaptiveErrorFollowsItsTolerance() throws {
        let unit = RandomGenerator(seed: 5).normal([1, 8], .float64)
        let grid = Method.dpmAdaptive.grid(Path.exploding.grid(20))
        let exact = data.sample(unit, at: grid.steps[0].to)
        for order in [2, 3] {
            for tolerance in [1e-2, 1e-4, 1e-6] {
                let solver = DPMAdaptiveSolver(
                    order: order, relativeTolerance: tolerance, absoluteTolerance: tolerance / 10)
                let worst: Double = try (data.run(solver, through: grid, from: unit) - exact).magnitude()
                    .max()
                    .item()
                #expect(worst < 10 * tolerance && worst > 0)
            }
        }
    }

    @Test func churnRestsOutsideItsRange() throws {
        let grid = Path.exploding.grid(10)
        let unit = RandomGenerator(seed: 5).normal([1, 4], .float64)
        let still = data.run(HeunSolver(), through: grid, from: unit)
        let outside = HeunSolver(churn: Churn(amount: 40, range: 100...200))
        let inside = HeunSolver(churn: Churn(amount: 40, range: 0.1...1))
        #expect(try data.run(outside, through: grid, from: unit).isIdentical(to: still))
        #expect(try !data.run(inside, through: grid, from: unit).isIdentical(to: still))
    }
}
