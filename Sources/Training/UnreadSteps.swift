import Tensors

/// What steps gave, still on the device: asking for a number waits until the device has computed it.
struct UnreadSteps {
    /// What a step gave.
    struct Step {
        /// Its number, from 1.
        let number: Int
        /// The loss.
        let loss: Double
        /// The length of the gradient; where it is not finite, the step was skipped.
        let gradientNorm: Double
    }

    private var numbers: [Int] = []
    private var losses: [Tensor] = []
    private var norms: [Tensor] = []

    /// How many steps have not been read.
    var count: Int { numbers.count }

    /// Notes a step, its loss and the length of its gradient as scalars.
    mutating func append(_ number: Int, loss: Tensor, gradientNorm: Tensor) {
        numbers.append(number)
        losses.append(loss.to(.float32))
        norms.append(gradientNorm.to(.float32))
    }

    /// Waits for all steps so far and forgets them.
    /// - Throws: `TensorError` where arithmetic failed.
    mutating func read() throws -> [Step] {
        guard count > 0 else { return [] }
        let values = try stacked(losses + norms).array(of: Float.self).map(Double.init)
        let steps = numbers.indices.map {
            Step(number: numbers[$0], loss: values[$0], gradientNorm: values[count + $0])
        }
        self = UnreadSteps()
        return steps
    }
}
