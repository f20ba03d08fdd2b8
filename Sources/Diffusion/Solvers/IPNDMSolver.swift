import Tensors

/// Improved pseudo linear multistep: as PLMS, started by its own lower orders, so that each step asks the
/// network once.
///
/// Order 2: the first step is Euler's, and the constants are those of equal steps.
/// Source: Zhang and Chen 2022 (DEIS, arXiv:2204.13902), appendix H.3.
public struct IPNDMSolver: Solver {
    /// What is combined.
    public var combined: Prediction

    /// The method.
    public init(combining combined: Prediction = .noise) {
        self.combined = combined
    }

    /// Nothing.
    public func start() -> [Tensor] { [] }

    /// x moved by Adams's and Bashforth's combination of as many outputs as there are, at most four.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout [Tensor], denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        memory = memory.suffix(3) + [combined.output(estimate, at: step.from)]
        return (combined.transferred(x, by: adamsBashforth(memory), along: step), estimate)
    }
}
