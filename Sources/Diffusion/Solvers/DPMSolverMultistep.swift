import Tensors

/// DPM-Solver and DPM-Solver++ with the estimates of the steps before, for the flow or for the
/// stochastic equation.
///
/// The first step is of first order. That costs an error of second order once: the third order shows where
/// the steps begin small, or where the integrand hardly changes at first, as it does in pure noise.
/// Source: Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095), algorithm 2, and its appendix for the stochastic
/// equation; Lu et al. 2022 (DPM-Solver, arXiv:2206.00927) for noise.
public struct DPMSolverMultistep: Solver {
    /// How the second order weighs the slope.
    public enum Variant: Sendable {
        /// As if the slope acted from the middle of the step.
        case midpoint
        /// By the exact integral of a straight line.
        case heun
    }

    /// The factor of the second difference: `scale`·M₂ + `offset`.
    public struct Curvature: Sendable, Equatable {
        /// The share of the exact integral.
        public var scale: Double
        /// What is added to it.
        public var offset: Double

        /// A factor.
        public init(scale: Double, offset: Double = 0) {
            self.scale = scale
            self.offset = offset
        }

        /// The integral of a parabola: the only choice of third order.
        public static let exact = Curvature(scale: 1)
    }

    /// The order: 1, 2 or 3.
    public var order: Int
    /// Data (DPM-Solver++) or noise (DPM-Solver).
    public var integrand: Integrand
    /// The second order's variant.
    public var variant: Variant
    /// Whether fresh noise is added in every step.
    public var isStochastic: Bool
    /// Whether the last steps have the orders 2 and 1.
    public var lowersOrderAtEnd: Bool
    /// Whether the last step has order 1.
    public var endsWithEuler: Bool
    /// The weight of the second difference in the third order.
    public var curvature: Curvature

    /// A method; by default DPM-Solver++(2M).
    public init(
        order: Int = 2, integrand: Integrand = .data, variant: Variant = .midpoint,
        isStochastic: Bool = false, lowersOrderAtEnd: Bool = false, endsWithEuler: Bool = false,
        curvature: Curvature = .exact
    ) {
        precondition((1...3).contains(order), "DPM-Solver has the orders 1 to 3, not \(order)")
        self.order = order
        self.integrand = integrand
        self.variant = variant
        self.isStochastic = isStochastic
        self.lowersOrderAtEnd = lowersOrderAtEnd
        self.endsWithEuler = endsWithEuler
        self.curvature = curvature
    }

    /// The estimates of the last steps, newest last.
    public struct Memory {
        var history: [Evaluation] = []
    }

    /// No step was taken.
    public func start() -> Memory { Memory() }

    /// One evaluation, and one draw where the method is stochastic.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let exponential = ExponentialStep(
            from: step.from, to: step.to, following: integrand, tau: isStochastic ? 1 : 0)
        let order =
            endsWithEuler && step.isLast ? 1 : step.order(self.order, loweringAtEnd: lowersOrderAtEnd)
        let nodes = exponential.usable(memory.history.suffix(order - 1).reversed())
        let fresh = isStochastic ? noise.draw(of: x) : nil
        memory.history = memory.history.suffix(2) + [Evaluation(level: step.from, estimate: estimate)]
        let weights = exponential.weights(nodes, variant, curvature)
        return (exponential(x, estimate, nodes, weights: weights, fresh: fresh), estimate)
    }
}

extension ExponentialStep {
    /// DPM-Solver's weights for one node or two.
    func weights(
        _ nodes: [Evaluation], _ variant: DPMSolverMultistep.Variant,
        _ curvature: DPMSolverMultistep.Curvature
    ) -> [Double] {
        switch nodes.count {
        case 0: []
        case 1: [variant == .midpoint ? moment(0) / 2 : moment(1)]
        default:
            vandermonde(nodes.map(offset), [moment(1), curvature.scale * moment(2) + curvature.offset])
        }
    }
}
