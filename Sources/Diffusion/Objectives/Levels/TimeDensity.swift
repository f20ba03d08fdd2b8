import Foundation
import Tensors

/// A density of real times, with its distribution function in closed form.
///
/// Each is had from one standard draw a time, uniform or normal, by a map; the map is what a draw is
/// compared by. Times run from 0 = data to 1 = noise but for `logNormal`, whose times are σ.
public enum TimeDensity: TimeSampling, Codable, Equatable {
    /// All of 0 … 1 alike.
    case uniform
    /// logit t ~ N(mean, deviation²). Esser et al. 2024 (arXiv:2403.03206), equation 19.
    case logitNormal(mean: Double = 0, deviation: Double = 1)
    /// t = 1 − u − s·(cos²(πu/2) − 1 + u) of uniform u, for −1 ≤ s ≤ 2/(π − 2). Same paper, equation 20.
    case mode(scale: Double = 1.29)
    /// The log-SNR of the straight path distributed as the cosine schedule's: t = 1 − 1/(tan(πu/2) + 1).
    /// Same paper, equation 21.
    case cosineMap
    /// ln σ ~ N(mean, deviation²) with t = σ. Karras et al. 2022 (arXiv:2206.00364), table 1.
    case logNormal(mean: Double = -1.2, deviation: Double = 1.2)

    /// Whether a draw starts from normal numbers, not from uniform ones.
    public var startsNormal: Bool {
        switch self {
        case .logitNormal, .logNormal: true
        case .uniform, .mode, .cosineMap: false
        }
    }

    /// Times from standard draws, uniform or normal as `startsNormal` says.
    public func times(from draws: Tensor) -> Tensor {
        switch self {
        case .uniform: return draws
        case .logitNormal(let mean, let deviation): return (draws * deviation + mean).sigmoid()
        case .mode(let scale):
            let cosine = (draws * (.pi / 2)).cos()
            return 1 - draws - (cosine.squared() - 1 + draws) * scale
        case .cosineMap:
            // tan/(tan + 1) without the pole of the tangent.
            let (sine, cosine) = ((draws * (.pi / 2)).sin(), (draws * (.pi / 2)).cos())
            return sine / (sine + cosine)
        case .logNormal(let mean, let deviation): return (draws * deviation + mean).exp()
        }
    }

    /// Times as `float64`.
    public func draw(_ count: Int, _ generator: RandomGenerator) -> TimeDraw {
        let draws =
            startsNormal ? generator.normal([count], .float64) : generator.uniform([count], .float64)
        return TimeDraw(times: times(from: draws))
    }

    /// The probability of a time up to `time`.
    public func cumulative(_ time: Double) -> Double {
        switch self {
        case .uniform: return min(max(time, 0), 1)
        case .logitNormal(let mean, let deviation):
            guard time > 0 else { return 0 }
            guard time < 1 else { return 1 }
            return normalCumulative((log(time) - log1p(-time) - mean) / deviation)
        case .mode(let scale): return 1 - modeDraw(of: time, scale)
        case .cosineMap: return time >= 1 ? 1 : 2 / .pi * atan(max(time, 0) / (1 - time))
        case .logNormal(let mean, let deviation):
            return time <= 0 ? 0 : normalCumulative((log(time) - mean) / deviation)
        }
    }

    /// The density at a time within the range.
    public func density(_ time: Double) -> Double {
        switch self {
        case .uniform: return 1
        case .logitNormal(let mean, let deviation):
            let logit = log(time) - log1p(-time)
            return normalDensity((logit - mean) / deviation) / (deviation * time * (1 - time))
        case .mode(let scale):
            // |du/dt| at the u of this time.
            let draw = modeDraw(of: time, scale)
            return 1 / (1 + scale * (1 - .pi / 2 * sin(.pi * draw)))
        case .cosineMap: return 2 / (.pi * (1 - 2 * time + 2 * time * time))
        case .logNormal(let mean, let deviation):
            return normalDensity((log(time) - mean) / deviation) / (deviation * time)
        }
    }

    /// The u that `mode` maps to a time, by halving: the map falls from 1 to 0.
    private func modeDraw(of time: Double, _ scale: Double) -> Double {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            let cosine = cos(.pi / 2 * middle)
            let found = 1 - middle - scale * (cosine * cosine - 1 + middle)
            if found > time { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}

/// Φ(x), the distribution function of the standard normal.
func normalCumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

/// φ(x), its density.
func normalDensity(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }
