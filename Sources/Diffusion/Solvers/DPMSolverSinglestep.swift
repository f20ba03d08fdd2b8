import Tensors

/// DPM-Solver and DPM-Solver++ that start afresh every two or three steps, with the grid's own points for
/// those between: the steps of a group have the orders 1, 2, 3, each from where the group began.
///
/// Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), algorithms 1 and 2; Lu et al. 2022 (DPM-Solver++,
/// arXiv:2211.01095), algorithm 1; the grouping is that of the authors' code.
public struct DPMSolverSinglestep: Solver {
    /// How second and third order weigh the slope: by midpoints, or by exact integrals.
    public typealias Variant = DPMSolverMultistep.Variant

    /// The order of a group's last step: 1, 2 or 3.
    public var order: Int
    /// Data (DPM-Solver++) or noise (DPM-Solver).
    public var integrand: Integrand
    /// The variant.
    public var variant: Variant
    /// Whether fresh noise is added in every step.
    public var isStochastic: Bool
    /// Whether groups are arranged so that the run ends with a step of order 1.
    public var lowersOrderAtEnd: Bool
    /// The weight of the second difference in the third order's Heun variant.
    public var curvature: DPMSolverMultistep.Curvature

    /// A method; by default DPM-Solver++(2S).
    public init(
        order: Int = 2, integrand: Integrand = .data, variant: Variant = .midpoint,
        isStochastic: Bool = false, lowersOrderAtEnd: Bool = false,
        curvature: DPMSolverMultistep.Curvature = .exact
    ) {
        precondition((1...3).contains(order), "DPM-Solver has the orders 1 to 3, not \(order)")
        self.order = order
        self.integrand = integrand
        self.variant = variant
        self.isStochastic = isStochastic
        self.lowersOrderAtEnd = lowersOrderAtEnd
        self.curvature = curvature
    }

    /// Where the group began, and the estimates of its steps.
    public struct Memory {
        var sample: Tensor?
        var group: [Evaluation] = []
    }

    /// No group has begun.
    public func start() -> Memory { Memory() }

    /// The order of a step: its place in the group, but 1 where lowering breaks up a group that would end
    /// the run.
    func order(of step: StepGrid.Step) -> Int {
        let place = step.index % order + 1
        return lowersOrderAtEnd && step.isLast && place == order ? 1 : place
    }

    /// One evaluation, and one draw where the method is stochastic.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let evaluation = Evaluation(level: step.from, estimate: estimate)
        let fresh = isStochastic ? noise.draw(of: x) : nil
        // A group cannot begin where there is no data, nor end where there is no noise.
        let isCut = step.to.sigma == 0 || !(memory.group.first?.lambda.isFinite ?? false)
        if order(of: step) == 1 || isCut {
            memory = Memory(sample: x, group: [evaluation])
        } else {
            memory.group.append(evaluation)
        }
        let first = memory.group[0]
        let exponential = ExponentialStep(
            from: first.level, to: step.to, following: integrand, tau: isStochastic ? 1 : 0)
        var nodes = exponential.usable(memory.group.dropFirst())
        var weights = exponential.weights(nodes, variant, curvature)
        if nodes.count == 2, variant == .midpoint {
            // The slope to the newest point alone: exact where that stands at 2/3 of the group.
            (nodes, weights) = ([nodes[1]], [exponential.moment(1)])
        }
        let result = exponential(memory.sample ?? x, first.estimate, nodes, weights: weights, fresh: fresh)
        return (result, estimate)
    }
}
