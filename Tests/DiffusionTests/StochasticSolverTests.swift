import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Solvers of the reversed stochastic equation and of Langevin's.
@Suite struct StochasticSolverTests {
    // MARK: Euler and Maruyama

    /// On normal data a step is x′ = A·x + B + C·z: the law of a whole run is known without sampling.
    private func law(
        of grid: StepGrid, _ solver: any Solver, _ data: OneDimensional
    ) throws -> (mean: Double, variance: Double) {
        let first = grid.steps[0].from
        var (mean, variance) = (first.alpha * data.means[0], pow(data.spread(at: first), 2))
        let z = try NoiseSource(seed: 2, count: 1, elementType: .float64).draw([3]).array(of: Double.self)
        for step in grid.steps {
            let found = try data.end(
                of: Tensor([0.0, 1, 0], shape: [1, 3]), StepGrid(steps: [step]), solver, seed: 2
            ).array(of: Double.self)
            let c = (found[2] - found[0]) / (z[2] - z[0])
            let a = found[1] - found[0] - c * (z[1] - z[0])
            mean = a * mean + found[0] - c * z[0]
            variance = a * a * variance + c * c
        }
        return (mean, variance)
    }

    @Test(arguments: [true, false], [0.5, 1])
    func eulerMaruyamaHasWeakOrderOne(knowsRates: Bool, lambda: Double) throws {
        let (data, process) = (OneDimensional(), VariancePreservingSchedule(betaMaximum: 10))
        let solver = EulerMaruyamaSolver(noiseLevel: lambda, schedule: knowsRates ? process : nil)
        let end = process.level(at: 0.05)
        let errors = try [50, 100, 200, 400].map { count -> (Int, Double) in
            let found = try law(of: process.evenGrid(count, from: 1, to: 0.05), solver, data)
            let (mean, variance) = (end.alpha * data.means[0], pow(data.spread(at: end), 2))
            return (count, abs(found.mean - mean) + abs(found.variance - variance))
        }
        #expect(slope(errors) > 0.85, "\(errors)")
        #expect(errors[3].1 < 0.01, "\(errors)")
    }

    /// score_sde's step: x + (f·x − g²·score)·dt + g·√|dt|·z, with the published f and g.
    @Test(arguments: DriftAndDiffusionTests.all.prefix(3))
    func eulerMaruyamaIsTheReversedEquation(_ process: DriftAndDiffusionTests.Published) throws {
        let data = OneDimensional.pair
        let x = RandomGenerator(seed: 12).normal([1, 5], .float64)
        let (time, dt) = (0.6, -0.01)
        let step = StepGrid.Step(
            from: process.schedule.level(at: time), to: process.schedule.level(at: time + dt))
        let found = data.end(
            of: x, StepGrid(steps: [step]), EulerMaruyamaSolver(schedule: process.schedule), seed: 3)
        let score = data.denoiser(x, step.from).noise / -step.from.sigma
        let z = NoiseSource(seed: 3, count: 1, elementType: .float64).draw([5])
        let (f, square) = (process.drift(time), process.squaredDiffusion(time))
        let drifted = x + (x * f - score * square) * dt
        expectClose(found, drifted + z * (square * -dt).squareRoot(), ofLargest: 1e-12)
    }

    @Test func withoutNoiseItIsEulersMethod() throws {
        let data = OneDimensional.pair
        let grid = StraightSchedule().evenGrid(8, from: 1, to: 0)
        let start = RandomGenerator(seed: 13).normal([1, 4], .float64)
        expectClose(
            data.end(of: start, grid, EulerMaruyamaSolver(noiseLevel: 0)),
            data.end(of: start, grid, DDIMSolver()), absolute: 1e-12)
    }

    /// A hundred thousand samples come back from noise to the law of the data.
    @Test func eulerMaruyamaGivesTheDataMoments() throws {
        let process = VariancePreservingSchedule()
        // Steps that shorten towards the data, where the law changes fastest.
        let times = (0...250).map { pow(1 - Double($0) / 250, 2) * (1 - 1e-4) + 1e-4 }
        let grid = StepGrid(through: times.map { process.level(at: $0) })
        try expectMoments(of: grid, EulerMaruyamaSolver(schedule: process), OneDimensional())
    }

    // MARK: Predictor and corrector

    @Test(arguments: ["VE", "VP"]) func predictorAndCorrectorGiveTheDataMoments(process: String) throws {
        // Langevin steps of the size r widen the law by r²/2; here by less than a standard error.
        let solver = PredictorCorrectorSolver(signalToNoise: 0.05)
        let grid =
            process == "VE"
            ? karrasGrid(200, from: 10, to: 0.05)
            : StepGrid(
                through: (0...200).map { index in
                    VariancePreservingSchedule().level(at: pow(1 - Double(index) / 200, 2) * 0.9999 + 1e-4)
                })
        try expectMoments(of: grid, solver, OneDimensional())
    }

    @Test func correctionsOfOneStepAreTheAlgorithms() throws {
        let data = OneDimensional.pair
        let level = NoiseLevel(alpha: 0.8, sigma: 0.6)
        let step = StepGrid.Step(from: level, to: NoiseLevel(alpha: 0.9, sigma: 0.435_889_894_354_067_4))
        let x = RandomGenerator(seed: 14).normal([2, 3], .float64)
        let found = data.end(of: x, StepGrid(steps: [step]), PredictorCorrectorSolver(signalToNoise: 0.2))
        // Algorithm 5 with α_i = α_t²/α_s², and algorithm 3's mean: the step is the last.
        let score = { (x: Tensor) in data.denoiser(x, level).noise / -0.6 }
        let z = NoiseSource(seed: 1, count: 2, elementType: .float64).draw([3])
        let ratio = 0.64 / 0.81
        let size = (z.norm([1]) / score(x).norm([1]) * 0.2).squared().unsqueezed(1) * (2 * ratio)
        let corrected = x + size * score(x) + (size * 2).squareRoot() * z
        let beta = 0.36 - ratio * 0.19
        expectClose(
            found, corrected * (2 - ratio.squareRoot()) + score(corrected) * beta, absolute: 1e-12)
    }

    private func expectMoments(
        of grid: StepGrid, _ solver: any Solver, _ data: OneDimensional,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let count = 100_000
        let (first, last) = (grid.steps[0].from, grid.steps[grid.steps.count - 1].to)
        let start =
            RandomGenerator(seed: 15).normal([1, count], .float64) * data.spread(at: first)
            + first.alpha * data.means[0]
        let found = data.end(of: start, grid, solver)
        let variance = pow(data.spread(at: last), 2)
        let (mean, spread): (Double, Double) = (try found.mean().item(), try found.variance().item())
        let errors = (
            (mean - last.alpha * data.means[0]) / (variance / Double(count)).squareRoot(),
            (spread - variance) / (variance * (2 / Double(count)).squareRoot())
        )
        #expect(abs(errors.0) < 4 && abs(errors.1) < 4, "\(errors)", sourceLocation: sourceLocation)
    }

    // MARK: Langevin

    /// The argument of Song and Ermon 2019, section 3.2.2: Langevin steps do not see how heavy a mode is,
    /// unless they begin where the modes are one.
    @Test func onlyAnnealedStepsFindTheWeightsOfModes() throws {
        let data = OneDimensional(weights: [0.2, 0.8], means: [-5, 5], deviations: [1, 1])
        let start = (RandomGenerator(seed: 16).uniform([1, 3000], .float64) - 0.5) * 16
        let sigmas = exponentialSigmas(count: 10, from: 20, to: 0.5)
        let levels = sigmas.map { NoiseLevel(time: $0, alpha: 1, sigma: $0) }
        let end = NoiseLevel(time: 0, alpha: 1, sigma: 0)
        func heavier(_ grid: StepGrid, _ stepsPerLevel: Int) throws -> Double {
            let solver = AnnealedLangevinSolver(stepSize: 0.2, stepsPerLevel: stepsPerLevel)
            return try (data.end(of: start, grid, solver) .> 0).to(.float64).mean().item()
        }
        let error = (0.8 * 0.2 / 3000).squareRoot()
        #expect(abs(try heavier(StepGrid(through: levels + [end]), 60) - 0.8) < 4 * error)
        // As many steps without annealing stay as the start had them, half in each mode.
        #expect(abs(try heavier(StepGrid(through: [levels[9], end]), 600) - 0.5) < 0.1)
    }

    @Test func langevinStepsAreTheAlgorithms() throws {
        let data = OneDimensional.pair
        let level = NoiseLevel(time: 1, alpha: 1, sigma: 0.5)
        let step = StepGrid.Step(from: level, to: NoiseLevel(time: 0, alpha: 1, sigma: 0.1))
        let x = RandomGenerator(seed: 17).normal([1, 4], .float64)
        let found = data.end(
            of: x, StepGrid(steps: [step]), AnnealedLangevinSolver(stepSize: 0.3, stepsPerLevel: 1))
        // α = ε·σ²/σ_L² with ε/σ_L² = 0.3
        let alpha = 0.3 * 0.25
        let z = NoiseSource(seed: 1, count: 1, elementType: .float64).draw([4])
        let score = data.denoiser(x, level).noise / -0.5
        expectClose(found, x + score * (alpha / 2) + z * alpha.squareRoot(), absolute: 1e-13)
    }
}
