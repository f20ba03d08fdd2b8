import Tensors

/// Times of a batch, and what makes their draw count as a uniform one.
public struct TimeDraw: Sendable {
    /// What the network is told, `[batch]`: whole numbers (`int64`) or real ones (`float64`).
    public let times: Tensor
    /// What each example's loss is multiplied with, `[batch]`, `nil` where all count the same.
    public let importance: Tensor?

    /// A draw.
    public init(times: Tensor, importance: Tensor? = nil) {
        self.times = times
        self.importance = importance
    }

    /// Losses `[batch]`, each multiplied by the importance of its draw.
    func weighed(_ losses: Tensor) -> Tensor {
        importance.map { losses * $0.to(losses.elementType).to(losses.device) } ?? losses
    }
}

/// Where an objective gets its times from.
public protocol TimeSampling: Sendable {
    /// The times of `count` examples.
    func draw(_ count: Int, _ generator: RandomGenerator) -> TimeDraw
}

extension TimeSampling {
    /// The losses `[batch]` of data `[batch, …]` at drawn times and with drawn noise, in this order, each
    /// multiplied by the importance of its draw.
    func losses(
        of data: Tensor, _ generator: RandomGenerator, _ loss: (_ noise: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        let draw = draw(data.shape[0], generator)
        let noise = generator.normal(data.shape, data.elementType).sent(to: data.device)
        return draw.weighed(loss(noise, draw.times.sent(to: data.device)))
    }
}

/// Every time of a discrete process as likely as the others.
/// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1.
public struct UniformSteps: TimeSampling {
    /// T, the number of times.
    public let count: Int

    /// Times 0 … T−1.
    public init(count: Int) {
        self.count = count
    }

    /// Whole numbers.
    public func draw(_ count: Int, _ generator: RandomGenerator) -> TimeDraw {
        TimeDraw(times: generator.integers([count], in: 0..<self.count))
    }
}

/// Times drawn in proportion to the root of the mean square of their latest losses, which gives the
/// bound's estimate the least variance. Until each time has its history, all are as likely.
///
/// A value: recording losses gives the coming draws, and nothing else remembers them.
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 18.
public struct LossSecondMomentSteps: TimeSampling {
    /// The number of losses that are remembered of each time.
    public let history: Int
    /// The share of draws that stay uniform.
    public let uniformShare: Double
    private var losses: [[Double]]

    /// Draws over times 0 … T−1; the defaults are those of the paper and its code.
    public init(count: Int, history: Int = 10, uniformShare: Double = 0.001) {
        self.history = history
        self.uniformShare = uniformShare
        losses = Array(repeating: [], count: count)
    }

    /// Whether each time has its history.
    public var isWarm: Bool { losses.allSatisfy { $0.count == history } }

    /// Remembers the losses of times, both `[batch]`, unweighted by importance.
    /// - Throws: the error that a tensor carries.
    public mutating func record(times: Tensor, losses: Tensor) throws {
        for (time, loss) in zip(try times.array(of: Int.self), try losses.array(of: Double.self)) {
            if self.losses[time].count == history { self.losses[time].removeFirst() }
            self.losses[time].append(loss)
        }
    }

    /// p_t of each time.
    public var probabilities: [Double] {
        let count = Double(losses.count)
        guard isWarm else { return Array(repeating: 1 / count, count: losses.count) }
        let roots = losses.map { past in
            (past.reduce(0) { $0 + $1 * $1 } / Double(history)).squareRoot()
        }
        let total = roots.reduce(0, +)
        guard total > 0 else { return Array(repeating: 1 / count, count: losses.count) }
        return roots.map { (1 - uniformShare) * $0 / total + uniformShare / count }
    }

    /// Times by their probabilities, each loss to count 1/(T·p_t).
    public func draw(_ count: Int, _ generator: RandomGenerator) -> TimeDraw {
        let probabilities = Tensor(self.probabilities)
        let cumulative = probabilities.cumulativeSum()
        let uniform = generator.uniform([count, 1], .float64).to(.cpu)
        let below = (cumulative .<= uniform * cumulative[losses.count - 1]).to(.int64).sum([1])
        let times = below.clamped(upTo: Double(losses.count - 1)).to(.int64)
        let importance = 1 / (probabilities.gathered(times) * Double(losses.count))
        return TimeDraw(times: times.to(generator.device), importance: importance.to(generator.device))
    }
}
