import Tensors

/// Ancestral sampling: a draw from q(x_s | x_t, x̂₀) with one of two fixed variances.
/// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 2 and equations 6, 7.
public struct DDPMSolver: Solver {
    /// The names that diffusers gives the variance of a step.
    public typealias Variance = SchedulerWords.Variance

    /// The variance of a step.
    public var variance: Variance

    /// Ancestral sampling with a variance.
    public init(variance: Variance = .fixedSmall) {
        self.variance = variance
    }

    /// The posterior's mean and, but for the last step, its deviation times fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let transition = Transition(from: step.from, to: step.to)
        let mean = (estimate.data * transition.dataFactor).adding(x, scale: transition.sampleFactor)
        // The step from the first time of the process is the last, and its mean is the sample.
        guard (step.from.time ?? 1) > 0 else { return (mean, estimate) }
        let fresh = noise.draw(Shape(x.shape.dropFirst().map { $0 }))
        return (mean.adding(fresh, scale: deviation(transition)), estimate)
    }

    private func deviation(_ transition: Transition) -> Double {
        switch variance {
        // A posterior to exact data has no variance; its logarithm is kept finite as diffusers does.
        case .fixedSmall, .fixedSmallLog: max(transition.posteriorVariance, 1e-20).squareRoot()
        case .fixedLarge: transition.variance.squareRoot()
        case .fixedLargeLog, .learned, .learnedRange: fatalError("refused by the configuration")
        }
    }
}
