import Foundation

/// The extra noise of a stochastic interpolant: γ(t), 0 at both ends but for `constant`.
public struct LatentNoise: Sendable {
    /// Whether γ = 0 throughout.
    public let isNone: Bool
    private let function: @Sendable (Double) -> (scale: Double, rate: Double)
    private let halfSquareRate: @Sendable (Double) -> Double

    /// A noise.
    /// - Parameters:
    ///   - value: γ and γ′ at a time.
    ///   - halfSquareRate: ½·(γ²)′, where it is finite and γ′ is not; γ·γ′ where it is left out.
    public init(
        _ value: @escaping @Sendable (_ time: Double) -> (scale: Double, rate: Double),
        halfSquareRate: (@Sendable (_ time: Double) -> Double)? = nil
    ) {
        isNone = false
        function = value
        self.halfSquareRate =
            halfSquareRate
            ?? { time in
                let gamma = value(time)
                return gamma.scale * gamma.rate
            }
    }

    private init() {
        isNone = true
        function = { _ in (0, 0) }
        halfSquareRate = { _ in 0 }
    }

    /// γ and γ′ at a time; the bridge has no rate at its ends.
    public func value(at time: Double) -> (scale: Double, rate: Double) { function(time) }

    /// γ·γ′ = ½·(γ²)′ at a time, finite at the ends, too.
    func halfSquareRate(at time: Double) -> Double { halfSquareRate(time) }

    /// γ = 0
    public static let none = LatentNoise()

    /// γ = √(a·t·(1 − t)), a Brownian bridge. Albergo et al. 2023 (arXiv:2303.08797), section 4.
    public static func bridge(scale: Double = 1) -> LatentNoise {
        LatentNoise { time in
            let gamma = (scale * time * (1 - time)).squareRoot()
            return (gamma, scale * (1 - 2 * time) / (2 * gamma))
        } halfSquareRate: { time in
            scale * (1 - 2 * time) / 2
        }
    }

    /// γ = s·sin²(πt), whose rate is finite at the ends. Same section.
    public static func sineSquared(scale: Double = 1) -> LatentNoise {
        LatentNoise { time in
            (scale * sin(.pi * time) * sin(.pi * time), scale * .pi * sin(2 * .pi * time))
        }
    }

    /// γ = σ, a blur of the whole path. Tong et al. 2023 (arXiv:2302.00482), section 3.2.
    public static func constant(_ sigma: Double) -> LatentNoise { LatentNoise { _ in (sigma, 0) } }
}

extension ObjectiveWords {
    /// The extra noise of an interpolant.
    public static let latentNoises = WordTable<LatentNoise>(
        "latent",
        [
            .init("none") { _ in .none },
            .init("bridge", [.init("scale", 1, in: 1e-6...100)]) { .bridge(scale: $0[0]) },
            .init("sine-squared", [.init("scale", 1, in: 1e-6...100)]) { .sineSquared(scale: $0[0]) },
            .init("constant", [.init("sigma", 0.1, in: 1e-6...100)]) { .constant($0[0]) },
        ])
}
