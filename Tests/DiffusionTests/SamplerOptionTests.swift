import Diffusion
import Tensors
import Testing

/// Options of methods: values that mean nothing, and words of receipts.
@Suite struct SamplerOptionTests {
    private let grid = karrasGrid(4)

    private func options(_ set: (inout SamplerOptions) -> Void) -> SamplerOptions {
        var options = SamplerOptions()
        set(&options)
        return options
    }

    private func expectRefused(
        _ field: String, by method: Method, _ set: (inout SamplerOptions) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(sourceLocation: sourceLocation) {
            _ = try method.solver(on: grid, options(set))
        } throws: {
            ($0 as? DiffusionError)?.field == field
        }
    }

    @Test func valuesThatMeanNothingAreRefusedByName() {
        expectRefused("churn", by: .heun) { $0.churn = -1 }
        expectRefused("churn", by: .heun) { $0.churn = .nan }
        expectRefused("churn_range", by: .heun) { ($0.churn, $0.churnRange) = (3, -1...2) }
        expectRefused("churn_noise", by: .heun) { ($0.churn, $0.churnNoise) = (3, 0) }
        expectRefused("signal_to_noise", by: .predictorCorrector) { $0.signalToNoise = 0 }
        expectRefused("langevin_steps", by: .predictorCorrector) { $0.langevinSteps = -1 }
        expectRefused("langevin_step_size", by: .annealedLangevin) { $0.langevinStepSize = -0.1 }
        expectRefused("langevin_steps", by: .annealedLangevin) { $0.langevinSteps = 0 }
        expectRefused("relative_tolerance", by: .rk45) { $0.relativeTolerance = 0 }
    }

    @Test func whatGoesWithChurnNeedsChurn() throws {
        expectRefused("churn_range", by: .edm) { $0.churnRange = 0.1...1 }
        expectRefused("churn_noise", by: .edm) { ($0.churn, $0.churnNoise) = (0, 1.1) }
        let all = options { ($0.churn, $0.churnRange, $0.churnNoise) = (40, 0.05...50, 1.003) }
        let solver = try #require(try Method.edm.solver(on: grid, all) as? HeunSolver)
        #expect(solver.churn == Churn(amount: 40, range: 0.05...50, noiseScale: 1.003))
        #expect(all.given.map(\.option.rawValue) == ["churn", "churn_range", "churn_noise"])
        #expect(all.given.map(\.value) == ["40.0", "0.05:50.0", "1.003"])
    }

    @Test func aCorrectorWithoutStepsIsThePredictor() throws {
        let none = try Method.predictorCorrector.solver(on: grid, options { $0.langevinSteps = 0 })
        let data = OneDimensional()
        let start = RandomGenerator(seed: 1).normal([2, 3], .float64) * 80
        let found = data.end(of: start, grid, none)
        #expect(
            try found.isIdentical(
                to: data.end(of: start, grid, PredictorCorrectorSolver(correctorSteps: 0))))
    }
}
