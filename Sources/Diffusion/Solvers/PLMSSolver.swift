import Tensors

/// Pseudo linear multistep: the network's outputs of up to four steps, combined by Adams and Bashforth, moved
/// along as if one network had given them.
///
/// Order 2 on any smooth grid; the constants are those of equal steps.
/// Source: Liu et al. 2022 (PNDM, arXiv:2202.09778), equations 11 to 13.
public struct PLMSSolver: Solver {
    /// A part of a step that starts the method.
    public struct Stage: Sendable, Equatable {
        /// The level that the network is evaluated at.
        public var asked: NoiseLevel
        /// From where to where the sample of the step's beginning is moved by what the network gave; in the
        /// last stage, by the weighted sum of what it gave in all.
        public var transfer: StepGrid.Step
        /// The share of what the network gave.
        public var weight: Double

        /// A stage.
        public init(asked: NoiseLevel, transfer: StepGrid.Step, weight: Double) {
            self.asked = asked
            self.transfer = transfer
            self.weight = weight
        }

        /// Improved Euler: the mean of what the network gives at both ends.
        static func improvedEuler(_ step: StepGrid.Step) -> [Stage] {
            [step.from, step.to].map { Stage(asked: $0, transfer: step, weight: 0.5) }
        }
    }

    /// What is combined.
    public var combined: Prediction
    /// The stages of the first steps; `nil` for one step of improved Euler.
    public var starts: [[Stage]]?

    /// The method.
    public init(combining combined: Prediction = .noise, starts: [[Stage]]? = nil) {
        self.combined = combined
        self.starts = starts
    }

    /// Nothing.
    public func start() -> [Tensor] { [] }

    /// x moved by (55·e_t − 59·e_{t+1} + 37·e_{t+2} − 9·e_{t+3})/24, or its lower orders.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout [Tensor], denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let first = denoiser(x, step.from)
        memory = memory.suffix(3) + [combined.output(first, at: step.from)]
        guard let stages = stages(of: step) else {
            return (combined.transferred(x, by: adamsBashforth(memory), along: step), first)
        }
        var output = memory[memory.count - 1]
        var (sample, sum) = (x, output * stages[0].weight)
        for (stage, next) in zip(stages, stages.dropFirst()) {
            sample = combined.transferred(x, by: output, along: stage.transfer)
            output = combined.output(denoiser(sample, next.asked), at: next.asked)
            sum = sum.adding(output, scale: next.weight)
        }
        return (combined.transferred(x, by: sum, along: stages[stages.count - 1].transfer), first)
    }

    /// The stages of a step, `nil` where it is one of the multistep method.
    private func stages(of step: StepGrid.Step) -> [Stage]? {
        guard let starts else {
            // At the data itself a network need not know the noise.
            return step.index == 0 && step.to.sigma > 0 ? Stage.improvedEuler(step) : nil
        }
        return step.index < starts.count ? starts[step.index] : nil
    }
}

/// The extrapolation of equally spaced values, the latest last, to their mean over the coming step.
/// Source: Liu et al. 2022 (PNDM, arXiv:2202.09778), equation 12, and Adams's formulas of lower order.
func adamsBashforth(_ values: [Tensor]) -> Tensor {
    let latest = Array(values.suffix(4).reversed())
    let weights: [Double] =
        switch latest.count {
        case 1: [1]
        case 2: [3.0 / 2, -1.0 / 2]
        case 3: [23.0 / 12, -16.0 / 12, 5.0 / 12]
        default: [55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24]
        }
    guard latest.count > 1 else { return latest[0] }
    return zip(latest, weights).dropFirst().reduce(latest[0] * weights[0]) { $0.adding($1.0, scale: $1.1) }
}

extension Prediction {
    /// A sample moved as one network output has it: α_s·data + σ_s·noise.
    ///
    /// Where no signal is left, a predicted noise says nothing of the data, and they are taken as 0.
    func transferred(_ x: Tensor, by output: Tensor, along step: StepGrid.Step) -> Tensor {
        let (from, to) = (step.from, step.to)
        if self == .noise {
            guard from.alpha > 0 else { return output * to.sigma }
            let ratio = to.alpha / from.alpha
            return (x * ratio).adding(output, scale: to.sigma - ratio * from.sigma)
        }
        let estimate = estimate(output, sample: x, at: from)
        return (estimate.data * to.alpha).adding(estimate.noise, scale: to.sigma)
    }
}

extension StepGrid {
    /// What multistep methods combine on this grid: the noise, which does not depend on how samples are
    /// scaled, or where that says nothing at the start, the velocity of the straight path.
    var combined: Prediction { steps.contains { $0.from.alpha == 0 } ? .flow : .noise }
}
