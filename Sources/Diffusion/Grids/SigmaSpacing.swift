import Foundation

// Where a run stops, as σ for data of α = 1 (σ/α for any other), most noise first. Each gives the σ from which
// a step starts; the end of the last step (0, or the process's least σ) is the caller's.

/// σ even in σ^{1/ρ}: the larger ρ, the shorter the steps at low noise.
/// Source: Karras et al. 2022 (arXiv:2206.00364), equation 5.
public func karrasSigmas(count: Int, from first: Double, to last: Double, rho: Double = 7) -> [Double] {
    evenlySpaced(from: pow(first, 1 / rho), to: pow(last, 1 / rho), count: count).map { pow($0, rho) }
}

/// σ even in ln σ, and so in log-SNR.
/// Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), section 3.4.
public func exponentialSigmas(count: Int, from first: Double, to last: Double) -> [Double] {
    evenlySpaced(from: log(first), to: log(last), count: count).map { exp($0) }
}

/// σ with ln σ on a polynomial of degree ρ: steps in ln σ that shorten towards low noise where ρ > 1.
/// Source: k-diffusion's `get_sigmas_polyexponential`.
public func polyexponentialSigmas(
    count: Int, from first: Double, to last: Double, rho: Double = 1
) -> [Double] {
    evenlySpaced(from: 1, to: 0, count: count).map { exp(pow($0, rho) * log(first / last) + log(last)) }
}

/// σ even in themselves.
public func linearSigmas(count: Int, from first: Double, to last: Double) -> [Double] {
    evenlySpaced(from: first, to: last, count: count)
}

/// σ even in λ = ln(α/σ), diffusers' `use_lu_lambdas`: with the exponent 1 that it takes of λ, the σ are
/// those of `exponentialSigmas`.
/// Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), section 3.4.
public func luSigmas(count: Int, from first: Double, to last: Double) -> [Double] {
    exponentialSigmas(count: count, from: first, to: last)
}

/// σ at the quantiles of a Beta distribution: with both exponents below 1, more steps at both ends.
/// Source: Lee et al. 2024 (Beta Sampling is All You Need, arXiv:2407.12173), section 4.
public func betaSigmas(
    count: Int, from first: Double, to last: Double, alpha: Double = 0.6, beta: Double = 0.6
) -> [Double] {
    evenlySpaced(from: 1, to: 0, count: count).map { share in
        last + betaQuantile(share, alpha: alpha, beta: beta) * (first - last)
    }
}

/// σ even in the time of a continuous variance-preserving process.
/// - Parameters:
///   - betaRange: β_d = β(1) − β(0).
///   - betaMinimum: β(0)
///   - end: ε_s, the last time.
/// Source: Karras et al. 2022 (arXiv:2206.00364), table 1, first column.
public func variancePreservingSigmas(
    count: Int, betaRange: Double = 19.9, betaMinimum: Double = 0.1, end: Double = 1e-3
) -> [Double] {
    evenlySpaced(from: 1, to: end, count: count).map { time in
        expm1(time * (betaRange * time / 2 + betaMinimum)).squareRoot()
    }
}

/// σ even in the time of a process from its first σ to its last.
/// - Parameters:
///   - reachesEnd: whether the last σ is `last`; else it is one step before, so that a further step to 0
///     skips it (`sgm_uniform`).
///   - time: the time of a σ.
///   - sigma: the σ of a time.
/// Source: k-diffusion's `DiscreteSchedule.get_sigmas`; Stability AI's generative-models,
///   `LegacyDDPMDiscretization`, for the end left out.
public func uniformTimeSigmas(
    count: Int, from first: Double, to last: Double, reachesEnd: Bool = true,
    time: (Double) -> Double, sigma: (Double) -> Double
) -> [Double] {
    let times = evenlySpaced(from: time(first), to: time(last), count: reachesEnd ? count : count + 1)
    return times.prefix(count).map(sigma)
}

/// The σ that Sabour et al. found to lose least for a model, in ten steps.
/// Source: Sabour et al. 2024 (Align Your Steps, arXiv:2404.14507), the published tables.
public enum AlignedSteps: String, Codable, Sendable, CaseIterable {
    case stableDiffusion = "sd15"
    case stableDiffusionXL = "sdxl"
    case stableVideoDiffusion = "svd"

    /// The ten σ, and where the tenth step ends.
    var table: [Double] {
        switch self {
        case .stableDiffusion:
            [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
        case .stableDiffusionXL:
            [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029]
        case .stableVideoDiffusion:
            [700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002]
        }
    }

    /// The σ of `count` steps: on straight lines through ln σ of the table.
    public func sigmas(count: Int) -> [Double] {
        let logs = table.map { log($0) }
        return evenlySpaced(from: 0, to: Double(logs.count - 1), count: count + 1).prefix(count).map {
            place in
            let low = min(Int(place), logs.count - 2)
            return exp(logs[low] + (place - Double(low)) * (logs[low + 1] - logs[low]))
        }
    }
}

// MARK: The Beta distribution

/// x with I_x(α, β) = p, to about 1e-15: the quantile of a Beta distribution.
///
/// Newton's iteration, kept within a shrinking bracket because the density is infinite at the ends.
func betaQuantile(_ p: Double, alpha: Double, beta: Double) -> Double {
    guard p > 0 else { return 0 }
    guard p < 1 else { return 1 }
    let logBeta = lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)
    var (low, high, x) = (0.0, 1.0, 0.5)
    for _ in 0..<200 {
        let error = regularizedBeta(x, alpha, beta) - p
        if error > 0 { high = x } else { low = x }
        let density = exp((alpha - 1) * log(x) + (beta - 1) * log1p(-x) - logBeta)
        let proposed = x - error / density
        let next = proposed > low && proposed < high ? proposed : (low + high) / 2
        if abs(next - x) <= 1e-16 { return next }
        x = next
    }
    return x
}

/// I_x(a, b), the regularised incomplete beta function, by its continued fraction.
/// Source: NIST Digital Library of Mathematical Functions, 8.17.22 and 8.17.4.
func regularizedBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    // The fraction converges fast on one side only.
    let isNear = x <= (a + 1) / (a + b + 2)
    return isNear ? betaFraction(x, a, b) : 1 - betaFraction(1 - x, b, a)
}

private func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let logBeta = lgamma(a) + lgamma(b) - lgamma(a + b)
    let front = exp(a * log(x) + b * log1p(-x) - logBeta) / a
    // 1/(1 + d₁/(1 + d₂/(1 + …))), evaluated from the front (modified Lentz).
    var (numerator, denominator) = (1.0, 1 / (1 - (a + b) * x / (a + 1)))
    var value = denominator
    for index in 1..<500 {
        let m = Double(index)
        let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        let before = value
        for term in [even, odd] {
            denominator = 1 / (1 + term * denominator)
            numerator = 1 + term / numerator
            value *= numerator * denominator
        }
        if abs(value - before) <= 1e-17 + 1e-16 * abs(value) { break }
    }
    return front * value
}
