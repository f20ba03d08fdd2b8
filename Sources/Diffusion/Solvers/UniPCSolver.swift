import Tensors

/// The unified predictor-corrector: a multistep predictor, and a corrector that uses the next step's
/// evaluation, which is made anyway, for one order more.
/// Source: Zhao et al. 2023 (UniPC, arXiv:2302.04867), algorithms 1, 2 (UniP, UniC) and section 3.2.
public struct UniPCSolver: Solver {
    /// B(h), which matters where one weight alone is left to choose: it is ½·B then.
    public enum Variant: Sendable {
        /// B(h) = h
        case bh1
        /// B(h) = eʰ − 1
        case bh2
    }

    /// The order p of the predictor; the corrector's is p + 1.
    public var order: Int
    /// Data or noise.
    public var integrand: Integrand
    /// B(h).
    public var variant: Variant
    /// Whether the last steps have the orders …, 2, 1.
    public var lowersOrderAtEnd: Bool
    /// The indices of steps whose result is not corrected.
    public var uncorrectedSteps: Set<Int>

    /// A method.
    public init(
        order: Int = 2, integrand: Integrand = .data, variant: Variant = .bh2,
        lowersOrderAtEnd: Bool = false, uncorrectedSteps: Set<Int> = []
    ) {
        precondition(order >= 1, "an order is at least 1, not \(order)")
        self.order = order
        self.integrand = integrand
        self.variant = variant
        self.lowersOrderAtEnd = lowersOrderAtEnd
        self.uncorrectedSteps = uncorrectedSteps
    }

    /// The last step, to be corrected, and the estimates before it.
    public struct Memory {
        /// The estimates of the last steps, newest last.
        var history: [Evaluation] = []
        /// The corrected sample from which the last step was taken, and that step's order.
        var last: (sample: Tensor, order: Int)?
    }

    /// No step to correct.
    public func start() -> Memory { Memory() }

    /// Corrects the last step, then predicts: one evaluation.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let evaluation = Evaluation(level: step.from, estimate: estimate)
        let isCorrected = !uncorrectedSteps.contains(step.index - 1)
        let sample = (isCorrected ? corrected(evaluation, memory) : nil) ?? x
        let order = step.order(self.order, loweringAtEnd: lowersOrderAtEnd)
        let exponential = ExponentialStep(from: step.from, to: step.to, following: integrand)
        let nodes = exponential.usable(memory.history.suffix(order - 1).reversed())
        let weights = nodes.count == 1 ? [halfB(exponential)] : exponential.fitted(nodes)
        memory.last = (sample, min(order, memory.history.count + 1))
        memory.history = memory.history.suffix(self.order) + [evaluation]
        return (exponential(sample, estimate, nodes, weights: weights), estimate)
    }

    /// The sample at the new level from the last step taken again with the estimate there, `nil` where
    /// there is nothing to correct.
    private func corrected(_ new: Evaluation, _ memory: Memory) -> Tensor? {
        guard let last = memory.last, let base = memory.history.last else { return nil }
        let exponential = ExponentialStep(from: base.level, to: new.level, following: integrand)
        guard exponential.admitsCorrections else { return nil }
        let nodes = exponential.usable(memory.history.dropLast().suffix(last.order - 1).reversed()) + [new]
        let weights = nodes.count == 1 ? [halfB(exponential)] : exponential.fitted(nodes)
        return exponential(last.sample, base.estimate, nodes, weights: weights)
    }

    private func halfB(_ exponential: ExponentialStep) -> Double {
        switch variant {
        case .bh1: exponential.exponent / 2
        case .bh2: exponential.moment(0) / 2
        }
    }
}
