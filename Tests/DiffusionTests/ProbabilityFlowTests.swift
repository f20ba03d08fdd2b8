import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// The adaptive method and the multistep methods on the probability flow.
@Suite struct ProbabilityFlowTests {
    /// Grids whose ends hold no data at the start or no noise at the end, where the process has such ends.
    static func grids(_ count: Int) -> [(name: String, grid: StepGrid)] {
        let flow = StraightSchedule().evenGrid(count, from: 1, to: 0)
        let edm = karrasGrid(count - 1, to: 0.002).steps
        let last = StepGrid.Step(from: edm[edm.count - 1].to, to: NoiseLevel(time: 0, alpha: 1, sigma: 0))
        return [
            ("flow", flow), ("EDM", StepGrid(steps: edm + [last])),
            ("VP", VariancePreservingSchedule().evenGrid(count, from: 1, to: 1e-3)),
            ("sub-VP", SubVariancePreservingSchedule().evenGrid(count, from: 1, to: 1e-3)),
            ("VE", VarianceExplodingSchedule().evenGrid(count, from: 1, to: 0)),
            ("trigonometric", TrigonometricSchedule().evenGrid(count, from: 1, to: 0)),
        ]
    }

    @Test(arguments: [1, 4]) func adaptiveStepsFollowTheExactMap(count: Int) throws {
        let data = OneDimensional()
        let solver = RungeKutta45Solver(relativeTolerance: 1e-10, absoluteTolerance: 1e-10)
        for (name, grid) in Self.grids(max(count, 2)) {
            let (first, last) = (grid.steps[0].from, grid.steps[grid.steps.count - 1].to)
            let path = count == 1 ? StepGrid(through: [first, last]) : grid
            let start = RandomGenerator(seed: 4).normal([2, 3], .float64) * hypot(first.alpha, first.sigma)
            var evaluations = 0
            let counted = data.denoiser.map { estimate, _, _ in
                evaluations += 1
                return estimate
            }
            let found = data.end(of: start, path, solver, denoiser: counted)
            expectClose(found, data.carried(start, from: first, to: last), absolute: 1e-8, name)
            #expect(evaluations < 2500, "\(name)")
        }
    }

    @Test func adaptiveStepsGoBothWays() throws {
        let data = OneDimensional.pair
        let solver = RungeKutta45Solver(relativeTolerance: 1e-10, absoluteTolerance: 1e-10)
        let start = RandomGenerator(seed: 6).normal([1, 4], .float64)
        for process in [VariancePreservingSchedule() as any ContinuousSchedule, StraightSchedule()] {
            let grid = process.evenGrid(3, from: process.start, to: 1e-3)
            let there = data.end(of: start, grid, solver)
            expectClose(data.end(of: there, grid.inverted(), solver), start, absolute: 1e-7)
        }
    }

    /// A network that gives data says nothing of the noise where there is none.
    @Test func networksOfDataReachTheData() throws {
        let data = OneDimensional()
        let denoiser = data.denoiser.map { estimate, x, level in
            Prediction.data.estimate(estimate.data, sample: x, at: level)
        }
        let grid = StraightSchedule().evenGrid(2, from: 1, to: 0)
        let start = RandomGenerator(seed: 7).normal([1, 5], .float64)
        let solver = RungeKutta45Solver(relativeTolerance: 1e-9, absoluteTolerance: 1e-9)
        let found = data.end(of: start, grid, solver, denoiser: denoiser)
        expectClose(
            found, data.carried(start, from: grid.steps[0].from, to: grid.steps[1].to), absolute: 1e-7)
    }

    @Test func whatIsNotANumberEndsTheRun() throws {
        let broken = Denoiser { x, _ in Estimate(data: x / 0 - x / 0, noise: x) }
        let grid = StraightSchedule().evenGrid(2, from: 1, to: 0)
        let found = OneDimensional().end(
            of: Tensor.ones([1, 2], .float64), grid, RungeKutta45Solver(), denoiser: broken)
        #expect(found.failure?.description.contains("no finite rate") == true)
    }

    @Test(arguments: [Method.plms, .ipndm, .flowHeun], ["flow", "EDM", "VP"])
    func multistepMethodsHaveOrderTwo(name: Method, process: String) throws {
        let data = OneDimensional.pair
        func grid(_ count: Int) -> StepGrid {
            switch process {
            case "flow": StraightSchedule().evenGrid(count, from: 1, to: 0)
            case "EDM": karrasGrid(count, from: 20)
            default: VariancePreservingSchedule(betaMaximum: 8).evenGrid(count, from: 1, to: 0.02)
            }
        }
        let (first, last) = (grid(2).steps[0].from, grid(2).steps[1].to)
        let start = RandomGenerator(seed: 8).normal([1, 6], .float64) * hypot(first.alpha, first.sigma)
        let exact = data.end(
            of: start, StepGrid(through: [first, last]),
            RungeKutta45Solver(relativeTolerance: 1e-12, absoluteTolerance: 1e-12))
        let errors = try [60, 120, 240].map { count -> (Int, Double) in
            let grid = grid(count)
            let found = data.end(of: start, grid, try name.solver(on: grid))
            return (count, try (found - exact).norm().item())
        }
        #expect(slope(errors) > 1.85, "\(process): \(errors)")
    }

    /// The network's velocity on a straight line to a point does not change: any multistep method is exact.
    @Test(arguments: [Method.plms, .ipndm, .flowHeun, .flowEuler])
    func straightLinesAreFollowedExactly(name: Method) throws {
        let point = Denoiser { x, level in
            Prediction.data.estimate(x * 0 + 0.3, sample: x, at: level)
        }
        let grid = StraightSchedule().evenGrid(5, from: 1, to: 0)
        let found = OneDimensional().end(
            of: RandomGenerator(seed: 9).normal([2, 2], .float64), grid, try name.solver(on: grid),
            denoiser: point)
        expectClose(found, Tensor.full(0.3, [2, 2], .float64), absolute: 1e-13)
    }

    @Test(arguments: ["flow", "EDM", "VP"])
    func inversionComesBackOnAnyGrid(process: String) throws {
        let data = OneDimensional.pair
        let picture = RandomGenerator(seed: 10).normal([1, 6], .float64) * 0.5
        let errors = try [25, 50, 100].map { count -> (Int, Double) in
            let grid = try #require(Self.grids(count).first { $0.name == process }).grid
            let noise = data.end(of: picture, grid.inverted(), DDIMSolver())
            return (count, try (data.end(of: noise, grid, DDIMSolver()) - picture).norm().item())
        }
        #expect(slope(errors) > 0.85, "\(errors)")
        #expect(errors[2].1 < 0.25, "\(errors)")
    }

    @Test func trajectoryConsistencyLiesBetweenDDIMAndConsistencySampling() throws {
        let data = OneDimensional.pair
        let grid = StraightSchedule().evenGrid(6, from: 1, to: 0)
        let start = RandomGenerator(seed: 11).normal([2, 3], .float64)
        let none = data.end(of: start, grid, TCDSolver(eta: 0))
        #expect(try none.isIdentical(to: data.end(of: start, grid, DDIMSolver())))
        expectClose(
            data.end(of: start, grid, TCDSolver(eta: 1)), data.end(of: start, grid, LCMSolver()),
            absolute: 1e-14)
    }
}
