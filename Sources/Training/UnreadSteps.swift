import Tensors

/// What steps gave, still on the device: asking for a number waits until the device has computed it.
struct UnreadSteps {
    /// What a step gave.
    struct Step {
        /// Its number, from 1.
        let number: Int
        /// The loss.
        let loss: Double
        /// Its named parts.
        let parts: [(name: String, value: Double)]
        /// The length of the gradient; where it is not finite, the step was skipped.
        let gradientNorm: Double
    }

    private var numbers: [Int] = []
    private var losses: [[NamedLoss]] = []
    private var norms: [Tensor] = []

    /// How many steps have not been read.
    var count: Int { numbers.count }

    /// Notes a step: its loss and the loss's parts, the whole first, and the length of its gradient as scalars.
    mutating func append(_ number: Int, _ losses: [NamedLoss], gradientNorm: Tensor) {
        numbers.append(number)
        self.losses.append(losses)
        norms.append(gradientNorm.to(.float32))
    }

    /// Waits for all steps so far and forgets them.
    /// - Throws: `TensorError` where arithmetic failed.
    mutating func read() throws -> [Step] {
        guard count > 0 else { return [] }
        let scalars = losses.flatMap { $0.map { $0.value.to(.float32) } } + norms
        var values = try stacked(scalars).array(of: Float.self).map(Double.init)[...]
        let norms = values.suffix(count)
        let steps = zip(numbers, zip(losses, norms)).map { number, gave in
            let (named, norm) = gave
            let own = values.prefix(named.count)
            values = values.dropFirst(named.count)
            return Step(
                number: number, loss: own.first ?? .nan,
                parts: zip(named, own).dropFirst().map { ($0.name, $1) }, gradientNorm: norm)
        }
        self = UnreadSteps()
        return steps
    }
}
