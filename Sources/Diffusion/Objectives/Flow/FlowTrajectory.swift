import Tensors

/// A run of a velocity field from noise (time 1) to data (time 0) by Euler's steps, with measures of it.
///
/// Its ends are the pairs of the next rectification: training on them makes paths straighter and
/// never dearer to transport along.
/// Source: Liu et al. 2022 (arXiv:2209.03003), sections 2.1 and 2.2, algorithm 1.
public struct FlowTrajectory: Sendable {
    /// The states at equal distances of time, noise first, each `[batch, …]`.
    public let states: [Tensor]

    /// A run.
    /// - Parameter velocity: `(x, times [batch]) → dx/dt`, with time from data to noise.
    public init(
        from noise: Tensor, steps: Int, velocity: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) {
        var states = [noise]
        for step in 0..<steps {
            let time = 1 - Double(step) / Double(steps)
            let times = Tensor.full(time, [noise.shape[0]], noise.elementType, on: noise.device)
            let x = states[step]
            states.append(x.adding(velocity(x, times), scale: -1 / Double(steps)))
        }
        self.states = states
    }

    /// x₁, where it starts.
    public var noise: Tensor { states[0] }
    /// x₀, where it ends.
    public var data: Tensor { states[states.count - 1] }

    /// S = ∫ ‖(x₁ − x₀) − dx/dt‖² dt of each example, 0 where its path is straight at even speed: `[batch]`.
    /// Source: same paper, section 2.2.
    public var straightness: Tensor {
        let (chord, steps) = (noise - data, Double(states.count - 1))
        let deviations = zip(states, states.dropFirst()).map { before, after in
            (chord - (before - after) * steps).squared().sumPerExample()
        }
        return stacked(deviations).mean([0])
    }

    /// ‖x₁ − x₀‖² of each example, the quadratic transport cost of its pair: `[batch]`.
    public var transportCost: Tensor { (noise - data).squared().sumPerExample() }
}
