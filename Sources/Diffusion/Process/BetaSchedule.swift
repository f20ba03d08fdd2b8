import Foundation
import Tensors

/// The names of published tables of β, the noise that each step of a discrete process adds.
///
/// Raw values are diffusers' names (`beta_schedule` in a scheduler's configuration).
public enum BetaSchedule: String, Codable, Sendable, CaseIterable {
    /// Evenly spaced. Ho et al. 2020 (arXiv:2006.11239), section 4.
    case linear
    /// Evenly spaced in √β: what latent diffusion calls linear, and older code quadratic.
    case scaledLinear = "scaled_linear"
    /// ᾱ(t) = cos²((t + 0.008)/1.008 · π/2), β at most 0.999.
    /// Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 17.
    case cosine = "squaredcos_cap_v2"
    /// A logistic curve from −6 to 6. Xu et al. 2022 (GeoDiff, arXiv:2203.02923), appendix.
    case sigmoid
    /// ᾱ(t) = e^{−12t}, β at most 0.999 (diffusers' Heun has it).
    case exponential = "exp"
    /// λ spread as a Laplace distribution, β at most 0.999. As diffusers has it: ᾱ is √(s/(1 + s)) of the
    /// signal-to-noise ratio s, where one would expect its square.
    /// Hang et al. 2024 (arXiv:2407.03297), table 1.
    case laplace

    /// The table β₀ … β_{T−1}.
    /// - Parameters:
    ///   - count: T, the number of steps of the process.
    ///   - start: β of the first step (read by `linear`, `scaledLinear` and `sigmoid`).
    ///   - end: β of the last step (read by `linear`, `scaledLinear` and `sigmoid`).
    public func betas(count: Int, from start: Double, to end: Double) -> [Double] {
        switch self {
        case .linear:
            evenlySpaced(from: start, to: end, count: count)
        case .scaledLinear:
            evenlySpaced(from: start.squareRoot(), to: end.squareRoot(), count: count).map { $0 * $0 }
        case .sigmoid:
            evenlySpaced(from: -6, to: 6, count: count).map { start + (end - start) / (1 + exp(-$0)) }
        case .cosine: betas(count: count, of: cosineAlphaBar)
        case .exponential: betas(count: count) { exp(-12 * $0) }
        case .laplace: betas(count: count, of: laplaceAlphaBar)
        }
    }

    /// The table in single precision, `[T]`, by the operations with which diffusers makes it.
    package func singleBetas(count: Int, from start: Double, to end: Double) -> Tensor {
        func spaced(_ first: Double, _ last: Double) -> Tensor {
            .linear(from: first, to: last, count: count)
        }
        switch self {
        case .linear: return spaced(start, end)
        case .scaledLinear: return spaced(start.squareRoot(), end.squareRoot()).squared()
        case .sigmoid: return spaced(-6, 6).sigmoid() * (end - start) + start
        case .cosine, .exponential, .laplace:
            return Tensor(betas(count: count, from: start, to: end)).to(.float32)
        }
    }

    /// The table whose products are a curve ᾱ on 0 … 1.
    private func betas(count: Int, of alphaBar: (Double) -> Double) -> [Double] {
        (0..<count).map { step in
            let (t, next) = (Double(step) / Double(count), Double(step + 1) / Double(count))
            return min(1 - alphaBar(next) / alphaBar(t), 0.999)
        }
    }
}

private func cosineAlphaBar(_ t: Double) -> Double {
    let root = cos((t + 0.008) / 1.008 * .pi / 2)
    return root * root
}

private func laplaceAlphaBar(_ t: Double) -> Double {
    // 1e-6 keeps both ends finite.
    let logSNR = (t > 0.5 ? 0.5 : -0.5) * log(1 - 2 * abs(0.5 - t) + 1e-6)
    return (1 / (1 + exp(-logSNR))).squareRoot()
}

/// `count` values evenly spaced from `start` to `end`, both included, exact at both ends.
package func evenlySpaced(from start: Double, to end: Double, count: Int) -> [Double] {
    guard count > 1 else { return Array(repeating: start, count: count) }
    let step = (end - start) / Double(count - 1)
    return (0..<count).map { index in
        index < count / 2 ? start + step * Double(index) : end - step * Double(count - 1 - index)
    }
}
