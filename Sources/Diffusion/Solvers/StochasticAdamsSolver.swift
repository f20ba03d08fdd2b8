import Tensors

/// SA-Solver: Adams–Bashforth predictor and Adams–Moulton corrector for the stochastic equation whose share
/// of fresh noise τ may change along the way; τ = 0 is the flow, τ = 1 the reversed diffusion.
/// Source: Xue et al. 2023 (SA-Solver, arXiv:2309.05019), section 5, equations 15 and 18, algorithm 1.
public struct StochasticAdamsSolver: Solver {
    /// The number of points of the predictor, 1 to 4.
    public var predictorOrder: Int
    /// The number of points of the corrector, the new one among them.
    public var correctorOrder: Int
    /// Data or noise.
    public var integrand: Integrand
    /// Whether the last steps have the orders …, 2, 1.
    public var lowersOrderAtEnd: Bool
    /// τ in a step that begins at a level.
    public var tau: @Sendable (NoiseLevel) -> Double
    /// τ where it is one number along the way, or 0.
    public private(set) var noiseShare: Double?

    /// A method.
    public init(
        predictorOrder: Int = 2, correctorOrder: Int = 2, integrand: Integrand = .data,
        lowersOrderAtEnd: Bool = true, tau: @escaping @Sendable (NoiseLevel) -> Double
    ) {
        precondition(predictorOrder >= 1 && correctorOrder >= 1, "an order is at least 1")
        self.predictorOrder = predictorOrder
        self.correctorOrder = correctorOrder
        self.integrand = integrand
        self.lowersOrderAtEnd = lowersOrderAtEnd
        self.tau = tau
    }

    /// The method with τ = `share` while 0.05 ≤ σ/α ≤ 1, and 0 elsewhere.
    /// Source: Xue et al. 2023 (SA-Solver, arXiv:2309.05019), the choice of its runs on EDM's process.
    public init(share: Double) {
        self.init { (0.05...1).contains($0.noiseRatio) ? share : 0 }
        noiseShare = share
    }

    /// The last step, to be corrected, and the estimates before it.
    public struct Memory {
        struct Last {
            let exponential: ExponentialStep
            let sample: Tensor
            let fresh: Tensor
            let correctorOrder: Int
        }
        /// The estimates of the last steps, newest last.
        var history: [Evaluation] = []
        var last: Last?
    }

    /// No step to correct.
    public func start() -> Memory { Memory() }

    /// Corrects the last step with its own noise, then predicts: one evaluation and one draw.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let evaluation = Evaluation(level: step.from, estimate: estimate)
        let sample = corrected(evaluation, memory) ?? x
        let fresh = noise.draw(of: x)
        let exponential = ExponentialStep(
            from: step.from, to: step.to, following: integrand, tau: tau(step.from))
        let left = step.count - step.index
        let order = lowersOrderAtEnd ? min(predictorOrder, left) : predictorOrder
        let nodes = exponential.usable(memory.history.suffix(order - 1).reversed())
        memory.history = memory.history.suffix(max(predictorOrder, correctorOrder)) + [evaluation]
        memory.last = Memory.Last(
            exponential: exponential, sample: sample, fresh: fresh,
            correctorOrder: lowersOrderAtEnd ? min(correctorOrder, left + 1) : correctorOrder)
        return (
            exponential(sample, estimate, nodes, weights: weights(exponential, nodes), fresh: fresh), estimate
        )
    }

    /// The last step taken again with the estimate at its end, `nil` where there is nothing to correct.
    private func corrected(_ new: Evaluation, _ memory: Memory) -> Tensor? {
        guard let last = memory.last, let base = memory.history.last, last.exponential.admitsCorrections
        else {
            return nil
        }
        let order = last.correctorOrder
        // One point is the new one alone: m_s + (m_t − m_s)/1 all along the step.
        guard order > 1 else {
            return last.exponential(
                last.sample, base.estimate, [new], weights: [last.exponential.moment(0)], fresh: last.fresh)
        }
        let before = memory.history.dropLast().suffix(order - 2).reversed()
        let nodes = [new] + last.exponential.usable(before)
        return last.exponential(
            last.sample, base.estimate, nodes, weights: weights(last.exponential, nodes), fresh: last.fresh)
    }

    /// The exact integrals; with two points on data, ½·z for that of the straight line, which makes the
    /// method at τ = 0 the second order of UniPC's B(h) = h. Source: the authors' code.
    private func weights(_ exponential: ExponentialStep, _ nodes: [Evaluation]) -> [Double] {
        exponential.integrand == .data && nodes.count == 1
            ? [exponential.exponent / 2] : exponential.fitted(nodes)
    }
}
