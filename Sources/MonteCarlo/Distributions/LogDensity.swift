import Tensors

/// The logarithm of a density of points `[count, D]`, up to a constant, `[count]`; and its gradient.
public struct LogDensity: Sendable {
    private let value: @Sendable (Tensor) -> Tensor
    private let ownGradient: (@Sendable (Tensor) -> Tensor)?

    /// A log-density from a function of points `[count, D]`.
    /// - Parameter gradient: ∇ ln p, `[count, D]`; left out, it is taken by automatic differentiation.
    public init(
        _ value: @escaping @Sendable (Tensor) -> Tensor, gradient: (@Sendable (Tensor) -> Tensor)? = nil
    ) {
        self.value = value
        ownGradient = gradient
    }

    /// ln p up to a constant, `[count]`.
    public func callAsFunction(_ x: Tensor) -> Tensor { value(x) }

    /// ln p, `[count]`, and ∇ ln p, `[count, D]`.
    public func valueAndGradient(_ x: Tensor) -> (value: Tensor, gradient: Tensor) {
        guard let ownGradient else { return Tensors.valueAndGradient(of: value, at: x) }
        return (value(x), ownGradient(x))
    }

    /// ∇ ln p, `[count, D]`: the score.
    public func gradient(_ x: Tensor) -> Tensor { ownGradient?(x) ?? valueAndGradient(x).gradient }

    /// (1 − β)·ln p + β·ln q: the geometric path between two densities.
    public func path(to other: LogDensity, at beta: Double) -> LogDensity {
        LogDensity(
            { x in (self(x) * (1 - beta)).adding(other(x), scale: beta) },
            gradient: { x in (gradient(x) * (1 - beta)).adding(other.gradient(x), scale: beta) })
    }
}

/// A distribution of points of D numbers that can be drawn from, and whose density is known.
public protocol Distribution: Sendable {
    /// Independent points `[count, D]`.
    func draw(_ count: Int, _ random: RandomGenerator) -> Tensor

    /// ln p of points `[count, D]`, normalised, `[count]`.
    func logDensity(_ x: Tensor) -> Tensor
}

extension Distribution {
    /// The same as a target of samplers.
    public var target: LogDensity { LogDensity { logDensity($0) } }
}
