import Foundation
import Tensors

/// Diffusion of bits: a step leaves a bit as it is with probability 1 − β, and throws a coin otherwise.
///
/// The reverse process is one probability a bit. Its last step is the forward kernel of β₁. Bits are the
/// numbers 0 and 1; steps t = 1 … T are the times 0 … T−1 here; all is in nats.
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), table App.1 (binomial), equation 14 and
/// appendix B.
public struct BinomialDiffusion: Sendable {
    /// A step of the reverse process: bits x_t `[batch, …]` and times `[batch]` to the probability that
    /// each bit of x_{t−1} is 1.
    public typealias Reverse = (_ x: Tensor, _ times: Tensor) -> Tensor

    /// β_t
    public let betas: [Double]
    /// β_t, ā_t and ā_{t−1}, `[T]` each.
    private let tables: (beta: Tensor, kept: Tensor, keptBefore: Tensor)

    /// A process of given β.
    /// - Precondition: there are at least two.
    public init(betas: [Double], elementType: ElementType = .float32, on device: Device = .cpu) {
        precondition(betas.count > 1, "a bound needs at least two steps")
        self.betas = betas
        var product = 1.0
        let kept = betas.map { beta in
            product *= 1 - beta
            return product
        }
        func column(_ values: [Double]) -> Tensor { Tensor(values).to(elementType).to(device) }
        tables = (column(betas), column(kept), column([1] + kept.dropLast()))
    }

    /// The process that forgets the same share 1/T of the data in each step: β_t = 1/(T − t + 1).
    /// Source: same article, section 2.4.1.
    public init(stepCount: Int, elementType: ElementType = .float32, on device: Device = .cpu) {
        self.init(
            betas: (0..<stepCount).map { 1 / Double(stepCount - $0) }, elementType: elementType, on: device)
    }

    /// T
    public var stepCount: Int { betas.count }

    /// P(x_t = 1 | x₀) of each bit: x₀·ā_t + ½·(1 − ā_t), ā_t = Π (1 − β).
    /// - Parameters:
    ///   - data: bits, or probabilities of bits, `[batch, …]`
    ///   - times: `[batch]`
    public func marginal(_ data: Tensor, times: Tensor) -> Tensor { faded(data, tables.kept, times) }

    private func faded(_ data: Tensor, _ kept: Tensor, _ times: Tensor) -> Tensor {
        (data - 0.5) * kept.gathered(times).broadcast(toRank: data.rank) + 0.5
    }

    /// Bits x_t drawn from q(x_t | x₀).
    /// - Parameter uniform: numbers in 0 ..< 1, `[batch, …]`
    public func noised(_ data: Tensor, uniform: Tensor, times: Tensor) -> Tensor {
        (uniform .< marginal(data, times: times)).to(data.elementType)
    }

    /// P(x_{t−1} = 1 | x_t, x₀) of each bit, by Bayes' rule.
    public func posterior(_ data: Tensor, sample x: Tensor, times: Tensor) -> Tensor {
        let beta = tables.beta.gathered(times).broadcast(toRank: data.rank)
        let prior = faded(data, tables.keptBefore, times)
        // P(x_t | x_{t−1} = 1) and P(x_t | x_{t−1} = 0) at the x_t that was drawn.
        let one = x * (1 - beta) + beta * 0.5
        let zero = (1 - x) * (1 - beta) + beta * 0.5
        let joint = one * prior
        return joint / (joint + zero * (1 - prior))
    }

    /// P(x_{t−1} = 1 | x_t) where x₀ is 1 with the probability `data`: the posterior's mean over x₀, by the law of total probability.
    public func reverseStep(_ x: Tensor, times: Tensor, data: Tensor) -> Tensor {
        let one = posterior(x * 0 + 1, sample: x, times: times)
        let zero = posterior(x * 0, sample: x, times: times)
        return one * data + zero * (1 - data)
    }

    /// The bound K of each example with every step, at one draw of each x_t: `[batch]`.
    /// - Parameter uniform: numbers in 0 ..< 1, `[batch, …]`, for a time.
    public func bound(_ data: Tensor, uniform: (_ time: Int) -> Tensor, reverse: Reverse) -> Tensor {
        let steps = (1..<stepCount).map { time in
            let times = Tensor(Array(repeating: time, count: data.shape[0])).to(data.device)
            let x = noised(data, uniform: uniform(time), times: times)
            return divergence(data, sample: x, times: times, reverse: reverse)
        }
        return constants(data) - stacked(steps).sum([0])
    }

    /// An estimate of K of each example from one step of its own, `[batch]`.
    /// - Parameter times: drawn from 1 ..< T, each alike.
    public func bound(_ data: Tensor, uniform: Tensor, times: Tensor, reverse: Reverse) -> Tensor {
        let x = noised(data, uniform: uniform, times: times)
        let step = divergence(data, sample: x, times: times, reverse: reverse)
        return constants(data).adding(step, scale: -Double(stepCount - 1))
    }

    /// KL(q(x_{t−1} | x_t, x₀) ‖ p(x_{t−1} | x_t)) of each example at x_t, `[batch]`.
    public func divergence(_ data: Tensor, sample x: Tensor, times: Tensor, reverse: Reverse) -> Tensor {
        let (q, p) = (posterior(data, sample: x, times: times), reverse(x, times))
        return (relative(q, p) + relative(1 - q, 1 - p)).sumPerExample()
    }

    /// q·ln(q/p), nothing where q = 0.
    private func relative(_ q: Tensor, _ p: Tensor) -> Tensor {
        q * (q.clamped(from: 1e-30).log() - p.clamped(from: 1e-30).log())
    }

    /// H_q(X_T | X₀) − H_q(X₁ | X₀) − H_p(X_T), the same for all bits.
    private func constants(_ data: Tensor) -> Tensor {
        func entropy(kept: Double) -> Double {
            [(1 + kept) / 2, (1 - kept) / 2].reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
        }
        let last = betas.reduce(1) { $0 * (1 - $1) }
        let each = entropy(kept: last) - entropy(kept: 1 - betas[0]) - log(2)
        let width = Double(data.flattened(from: 1).shape[1])
        return .full(each * width, [data.shape[0]], data.elementType, on: data.device)
    }

    /// Draws from the model: bits `[batch, …]`.
    public func sample(_ shape: Shape, _ generator: RandomGenerator, reverse: Reverse) -> Tensor {
        let (type, device) = (tables.beta.elementType, tables.beta.device)
        func bits(_ probability: Tensor) -> Tensor {
            (generator.uniform(shape, type).to(device) .< probability).to(type)
        }
        var x = bits(.full(0.5, shape, type, on: device))
        for time in (1..<stepCount).reversed() {
            x = bits(reverse(x, Tensor(Array(repeating: time, count: shape[0])).to(device)))
        }
        return bits((x - 0.5) * (1 - betas[0]) + 0.5)
    }
}
