import Diffusion
import Foundation
import Tensors
import Testing

/// A way of writing the levels of one log-SNR.
private enum Path: String, CaseIterable {
    case variancePreserving, varianceExploding, straight

    /// The level with λ = ln(α/σ).
    func level(_ lambda: Double) -> NoiseLevel {
        let ratio = exp(-lambda)
        let scale =
            switch self {
            case .variancePreserving: (1 + ratio * ratio).squareRoot()
            case .varianceExploding: 1.0
            case .straight: 1 + ratio
            }
        return NoiseLevel(alpha: 1 / scale, sigma: ratio / scale)
    }

    /// From λ = −1 to 1 in `steps` steps, and before them as many that double from h³ to h as multistep
    /// methods need for a start that costs them nothing.
    func grid(_ steps: Int, startsSlowly: Bool = true, isEven: Bool = false) -> StepGrid {
        let first = startsSlowly ? Int((2 * log2(Double(steps))).rounded(.up)) : 0
        let widths = (0..<first).map { pow(2.0, Double($0 - first)) } + [Double](repeating: 1, count: steps)
        let total = widths.reduce(0, +)
        // Uneven steps, so that no weight is right by symmetry alone.
        let swing = isEven ? 0 : 0.05
        var levels = [level(-1)]
        var share = 0.0
        for width in widths {
            share += width / total
            levels.append(level(-1 + 2 * (share + swing * sin(2 * Double.pi * share))))
        }
        return StepGrid(through: levels)
    }
}

/// The convergence of the methods in log-SNR between two interior levels of a mixture.
@Suite struct LogSNROrderTests {
    private let mixture = GaussianMixture(
        weights: Tensor([0.4, 0.6]), means: Tensor([1.0, -0.5, -0.7, 0.8]).reshaped([2, 2]),
        covariances: Tensor([0.3, 0.1, 0.1, 0.2, 0.25, -0.05, -0.05, 0.4]).reshaped([2, 2, 2]))
    private let start = RandomGenerator(seed: 7).normal([4, 2], .float64)

    private func end(_ path: Path, _ grid: StepGrid, _ solver: any Solver) -> Tensor {
        var last = start * grid.steps[0].from.sigma
        let noise = NoiseSource(seed: 0, count: 4, elementType: .float64)
        for progress in solver.sampling(last, through: grid, denoiser: mixture.denoiser(), noise: noise) {
            last = progress.sample
        }
        return last
    }

    /// The slope of ln error against ln h between two numbers of steps.
    private func order(
        _ solver: any Solver, _ path: Path, _ exact: Tensor, startsSlowly: Bool = true, isEven: Bool = false,
        between counts: [Int] = [48, 96]
    ) throws -> Double {
        let runs = try counts.map { steps -> (width: Double, error: Double) in
            let grid = path.grid(steps, startsSlowly: startsSlowly, isEven: isEven)
            let last = grid.steps[grid.steps.count - 1]
            return (
                last.to.logSNR - last.from.logSNR, try (end(path, grid, solver) - exact).norm().item()
            )
        }
        return log(runs[0].error / runs[1].error) / log(runs[0].width / runs[1].width)
    }

    @Test(arguments: Path.allCases)
    fileprivate func methodsHaveTheirOrders(path: Path) throws {
        let exact = end(path, path.grid(384), UniPCSolver(order: 4))
        func expect(
            _ solver: any Solver, atLeast least: Double, startsSlowly: Bool = true, isEven: Bool = false,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let found = try order(solver, path, exact, startsSlowly: startsSlowly, isEven: isEven)
            #expect(found >= least - 0.15, "\(solver)", sourceLocation: sourceLocation)
        }
        for integrand in [Integrand.data, .noise] {
            for variant in [DPMSolverMultistep.Variant.midpoint, .heun] {
                try expect(DPMSolverMultistep(integrand: integrand, variant: variant), atLeast: 2)
                // The first step of first order does not cost the second its order.
                try expect(
                    DPMSolverMultistep(integrand: integrand, variant: variant), atLeast: 2,
                    startsSlowly: false)
                try expect(
                    DPMSolverSinglestep(integrand: integrand, variant: variant), atLeast: 2,
                    startsSlowly: false)
            }
            try expect(DPMSolverMultistep(order: 3, integrand: integrand), atLeast: 3)
            try expect(
                DPMSolverSinglestep(order: 3, integrand: integrand), atLeast: 3, startsSlowly: false,
                isEven: true)
            for order in 1...3 {
                for variant in [UniPCSolver.Variant.bh1, .bh2] {
                    let method = UniPCSolver(order: order, integrand: integrand, variant: variant)
                    try expect(method, atLeast: Double(order + 1))
                    var predictor = method
                    predictor.uncorrectedSteps = Set(0..<1000)
                    try expect(predictor, atLeast: Double(order))
                }
                let adams = StochasticAdamsSolver(
                    predictorOrder: order, correctorOrder: order + 1, integrand: integrand,
                    lowersOrderAtEnd: false
                ) { _ in 0 }
                try expect(adams, atLeast: Double(order + 1))
            }
        }
        for order in 1...4 { try expect(DEISSolver(order: order), atLeast: Double(order)) }
    }

    /// What the authors' code and diffusers call the third order takes half of the second difference: it is
    /// a method of second order.
    @Test func halfTheCurvatureIsSecondOrder() throws {
        let path = Path.variancePreserving
        let exact = end(path, path.grid(384), UniPCSolver(order: 4))
        let published = DPMSolverMultistep(order: 3, curvature: .init(scale: 0.5))
        let found = try order(published, path, exact, between: [192, 384])
        #expect(found > 1.85 && found < 2.5)
    }

    /// A method in log-SNR does not see how a level is written: data and noise for one λ are the same.
    @Test func allScalingsGiveTheSame() throws {
        let solvers: [any Solver] = [
            DPMSolverMultistep(order: 3), DPMSolverMultistep(integrand: .noise, isStochastic: true),
            DPMSolverSinglestep(order: 3), DPMSolverSinglestep(order: 3, integrand: .noise, variant: .heun),
            UniPCSolver(order: 3), UniPCSolver(integrand: .noise, variant: .bh1), DEISSolver(order: 3),
            StochasticAdamsSolver { _ in 0.7 },
            StochasticAdamsSolver(predictorOrder: 3, correctorOrder: 4, integrand: .noise) { _ in 0.7 },
        ]
        for solver in solvers {
            let ends = Path.allCases.map { path -> Tensor in
                let grid = path.grid(9)
                return end(path, grid, solver) / grid.steps[grid.steps.count - 1].to.alpha
            }
            for other in ends.dropFirst() {
                #expect(try (other - ends[0]).norm().item() < 1e-11, "\(solver)")
            }
        }
    }
}
