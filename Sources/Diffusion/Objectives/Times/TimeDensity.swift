import Foundation
import Tensors

/// A density of times, with its distribution function in closed form.
///
/// Each is had from one standard draw a time, uniform or normal, by a map; the map is what a draw is
/// compared by. `DensityTimes` makes times of a schedule of it.
public struct TimeDensity: Sendable {
    /// What is distributed.
    public enum Unit: Sendable {
        /// The share of the range of times, from 0 = data to 1 = noise.
        case share
        /// σ for data of α = 1.
        case noiseRatio
    }

    /// What is distributed.
    public let unit: Unit
    /// Whether a draw starts from a normal number, not from a uniform one.
    public let startsNormal: Bool
    private let map: @Sendable (Double) -> Double
    private let falls: Bool
    private let distribution: @Sendable (Double) -> Double
    private let slope: @Sendable (Double) -> Double

    /// A density.
    /// - Parameters:
    ///   - falls: whether the map falls.
    ///   - map: a standard draw to a value.
    ///   - cumulative: the probability of a value up to a number.
    ///   - density: its slope.
    public init(
        _ unit: Unit, startsNormal: Bool, falls: Bool = false,
        map: @escaping @Sendable (_ draw: Double) -> Double,
        cumulative: @escaping @Sendable (_ value: Double) -> Double,
        density: @escaping @Sendable (_ value: Double) -> Double
    ) {
        self.unit = unit
        self.startsNormal = startsNormal
        self.falls = falls
        self.map = map
        distribution = cumulative
        slope = density
    }

    /// The value of a standard draw, normal where `startsNormal`, else uniform.
    public func value(of draw: Double) -> Double { map(draw) }

    /// Values by one standard draw in float64 each.
    /// - Throws: the error of a draw that failed.
    public func draw(_ count: Int, _ generator: RandomGenerator) throws -> [Double] {
        let draws = startsNormal ? generator.normal([count], .float64) : generator.uniform([count], .float64)
        return try draws.array(of: Double.self).map(map)
    }

    /// The probability of a value up to a number.
    public func cumulative(_ value: Double) -> Double { distribution(value) }

    /// The density at a value within the range.
    public func density(_ value: Double) -> Double { slope(value) }

    /// The value below which a share of the draws lies, for shares between 0 and 1.
    public func quantile(_ share: Double) -> Double {
        let share = falls ? 1 - share : share
        return map(startsNormal ? normalQuantile(share) : share)
    }
}

extension TimeDensity {
    /// All shares alike.
    public static let uniform = TimeDensity(
        .share, startsNormal: false, map: { $0 }, cumulative: { min(max($0, 0), 1) }, density: { _ in 1 })

    /// logit t ~ N(mean, deviation²).
    /// Source: Esser et al. 2024 (arXiv:2403.03206), equation 19.
    public static func logitNormal(mean: Double = 0, deviation: Double = 1) -> TimeDensity {
        TimeDensity(.share, startsNormal: true) { draw in
            1 / (1 + exp(-(draw * deviation + mean)))
        } cumulative: { time in
            guard time > 0 else { return 0 }
            guard time < 1 else { return 1 }
            return normalCumulative((log(time) - log1p(-time) - mean) / deviation)
        } density: { time in
            normalDensity((log(time) - log1p(-time) - mean) / deviation) / (deviation * time * (1 - time))
        }
    }

    /// t = 1 − u − s·(cos²(πu/2) − 1 + u) of uniform u, for −1 ≤ s ≤ 2/(π − 2).
    /// Source: Esser et al. 2024 (arXiv:2403.03206), equation 20.
    public static func mode(scale: Double = 1.29) -> TimeDensity {
        @Sendable func map(_ draw: Double) -> Double {
            let cosine = cos(.pi / 2 * draw)
            return 1 - draw - scale * (cosine * cosine - 1 + draw)
        }
        /// The u of a time: the map falls from 1 to 0.
        @Sendable func draw(of time: Double) -> Double { 1 - bisected(0...1) { map(1 - $0) <= time } }
        return TimeDensity(.share, startsNormal: false, falls: true, map: map) { time in
            1 - draw(of: time)
        } density: { time in
            // |du/dt| at the u of this time.
            1 / (1 + scale * (1 - .pi / 2 * sin(.pi * draw(of: time))))
        }
    }

    /// The log-SNR of the straight path distributed as the cosine schedule's: t = 1 − 1/(tan(πu/2) + 1).
    /// Source: Esser et al. 2024 (arXiv:2403.03206), equation 21.
    public static let cosineMap = TimeDensity(.share, startsNormal: false) { draw in
        // tan/(tan + 1) without the pole of the tangent.
        let (sine, cosine) = (sin(.pi / 2 * draw), cos(.pi / 2 * draw))
        return sine / (sine + cosine)
    } cumulative: { time in
        time >= 1 ? 1 : 2 / .pi * atan(max(time, 0) / (1 - time))
    } density: { time in
        2 / (.pi * (1 - 2 * time + 2 * time * time))
    }

    /// ln σ ~ N(mean, deviation²), for data of α = 1.
    /// Source: Karras et al. 2022 (arXiv:2206.00364), table 1.
    public static func logNormal(mean: Double = -1.2, deviation: Double = 1.2) -> TimeDensity {
        TimeDensity(.noiseRatio, startsNormal: true) { draw in
            exp(draw * deviation + mean)
        } cumulative: { sigma in
            sigma <= 0 ? 0 : normalCumulative((log(sigma) - mean) / deviation)
        } density: { sigma in
            normalDensity((log(sigma) - mean) / deviation) / (deviation * sigma)
        }
    }
}

/// Φ(x), the distribution function of the standard normal.
func normalCumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

/// φ(x), its density.
func normalDensity(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }

/// The number up to which the standard normal has a probability.
func normalQuantile(_ share: Double) -> Double { bisected(-40...40) { normalCumulative($0) <= share } }

/// The largest number of a range up to which a condition holds, by halving.
private func bisected(_ range: ClosedRange<Double>, _ holds: (Double) -> Bool) -> Double {
    var (low, high) = (range.lowerBound, range.upperBound)
    for _ in 0..<64 {
        let middle = (low + high) / 2
        if holds(middle) { low = middle } else { high = middle }
    }
    return (low + high) / 2
}
