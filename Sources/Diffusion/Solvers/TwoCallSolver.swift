import Tensors

/// A method with two calls of the network a step, and a sample between them that has a level of its own.
///
/// diffusers counts calls where a run stops early, and so can stop there.
protocol TwoCallSolver: Solver {
    /// Where the sample is after the first call of a step; `nil` where one call is the whole step.
    func levelBetweenCalls(of step: StepGrid.Step) -> NoiseLevel?

    /// The first call of a step that ends at the level between the calls.
    func firstCall(
        _ x: Tensor, _ step: StepGrid.Step, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate)
}

extension TwoCallSolver {
    /// Euler's step.
    func firstCall(
        _ x: Tensor, _ step: StepGrid.Step, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        return (x.moved(from: step.from, to: step.to, along: estimate), estimate)
    }
}

/// A method whose run stops after the first call of a step.
struct CutSolver<Base: TwoCallSolver>: Solver {
    let base: Base
    /// The number of the step that is cut.
    let cut: Int

    var couplesExamples: Bool { base.couplesExamples }
    var noiseShare: Double? { base.noiseShare }
    func start() -> Base.Memory { base.start() }

    func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Base.Memory, denoiser: Denoiser,
        noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        guard step.index == cut else {
            return base.step(x, step, &memory, denoiser: denoiser, noise: noise)
        }
        return base.firstCall(x, step, denoiser: denoiser, noise: noise)
    }
}

extension Sampler {
    /// Whether steps have two calls of the network.
    package var hasTwoCalls: Bool { solver is any TwoCallSolver }

    /// The level between the calls of a step, `nil` where it has one call.
    package func levelBetweenCalls(of step: StepGrid.Step) -> NoiseLevel? {
        (solver as? any TwoCallSolver)?.levelBetweenCalls(of: step)
    }

    /// The sampler that stops after so many calls of the network, in the middle of a step where that is where they end.
    ///
    /// - Parameter calls: how many calls each step has.
    package func stopping(afterCalls count: Int, of calls: [Int]) -> Sampler {
        var (left, whole) = (count, 0)
        while whole < calls.count, left >= calls[whole] {
            left -= calls[whole]
            whole += 1
        }
        var sampler = self
        guard left > 0, whole < grid.steps.count else {
            sampler.grid = grid.prefix(whole)
            return sampler
        }
        guard let method = solver as? any TwoCallSolver,
            let level = method.levelBetweenCalls(of: grid.steps[whole])
        else {
            sampler.grid = grid.prefix(whole + 1)
            return sampler
        }
        func cut(_ base: some TwoCallSolver) -> any Solver {
            CutSolver(base: base, cut: grid.steps[whole].index)
        }
        (sampler.grid, sampler.solver) = (grid.prefix(whole + 1, endingAt: level), cut(method))
        return sampler
    }
}
