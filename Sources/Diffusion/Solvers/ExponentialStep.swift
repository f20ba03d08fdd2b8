import Foundation
import Tensors

/// What a method follows between levels; the rest of the flow is linear and solved exactly.
public enum Integrand: Sendable {
    /// x̂₀, along x/σ. Source: Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095), equation 8.
    case data
    /// ε̂, along x/α. Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), equation 3.4.
    case noise

    func callAsFunction(_ estimate: Estimate) -> Tensor {
        switch self {
        case .data: estimate.data
        case .noise: estimate.noise
        }
    }
}

/// A level and the estimate there.
struct Evaluation {
    let level: NoiseLevel
    let estimate: Estimate

    /// λ = ln(α/σ), half the log-SNR: the variable of every method here.
    var lambda: Double { log(level.alpha / level.sigma) }
}

/// A step from a level s to a level t that is exact where the integrand m is a polynomial in λ.
///
/// With h = λ_t − λ_s, θ = (λ − λ_s)/h and m ≈ m_s + Σ c_k·θᵏ, the flow, or with τ > 0 the stochastic
/// equation whose marginals are the same, gives
///
///     x_t = A·x_s + c·m_s + S·Σ_k M_k(z)·c_k + B·fresh noise
///
/// where z = (1 + τ²)·h and S = α_t for data, z = −h and S = (1 + τ²)·σ_t for noise. A, B and c are written
/// without log-SNR, so that α_s = 0 and σ_t = 0 are levels like others; corrections need a finite h.
/// Source: Xue et al. 2023 (SA-Solver, arXiv:2309.05019), proposition 4.2 and appendix A.2; with τ = 0,
/// DPM-Solver's equation 3.4 and DPM-Solver++'s equation 8.
struct ExponentialStep {
    let target: NoiseLevel
    let base: NoiseLevel
    let integrand: Integrand
    let tau: Double
    /// h; infinite where a level holds no data or no noise.
    let h: Double

    init(from base: NoiseLevel, to target: NoiseLevel, following integrand: Integrand, tau: Double = 0) {
        self.base = base
        self.target = target
        self.tau = tau
        // A sample that is all noise has no x/α, one that is all data no x/σ.
        self.integrand = base.alpha == 0 ? .data : base.sigma == 0 ? .noise : integrand
        h = log(target.alpha * base.sigma / (base.alpha * target.sigma))
    }

    /// e^{−h}
    private var decay: Double { target.sigma * base.alpha / (base.sigma * target.alpha) }

    /// z
    var exponent: Double { integrand == .data ? (1 + tau * tau) * h : -h }

    /// M_k(z)
    func moment(_ k: Int) -> Double { exponentialMoment(k, exponent) }

    /// Whether estimates at other levels can correct the step.
    var admitsCorrections: Bool { h.isFinite && h != 0 }

    /// Where an evaluation stands, in steps from s: r = (λ − λ_s)/h.
    func offset(of node: Evaluation) -> Double {
        (node.lambda - log(base.alpha / base.sigma)) / h
    }

    /// Those evaluations that can correct the step.
    func usable(_ nodes: some Sequence<Evaluation>) -> [Evaluation] {
        guard admitsCorrections else { return [] }
        return nodes.filter { node in
            let offset = offset(of: node)
            return offset.isFinite && offset != 0
        }
    }

    /// The weights of (m_k − m_s)/r_k that make the step exact for polynomials through all nodes.
    func fitted(_ nodes: [Evaluation]) -> [Double] {
        vandermonde(nodes.map(offset), (1..<nodes.count + 1).map(moment))
    }

    private var sampleFactor: Double {
        switch integrand {
        case .data: target.sigma / base.sigma * pow(decay, tau * tau)
        case .noise: target.alpha / base.alpha
        }
    }

    private var baseFactor: Double {
        switch integrand {
        case .data: target.alpha - target.sigma * base.alpha / base.sigma * pow(decay, tau * tau)
        case .noise: (1 + tau * tau) * (target.sigma - target.alpha * base.sigma / base.alpha)
        }
    }

    private var correctionScale: Double {
        switch integrand {
        case .data: target.alpha
        case .noise: (1 + tau * tau) * target.sigma
        }
    }

    var noiseFactor: Double {
        // A step of no length can round to one upwards.
        switch integrand {
        case .data: return target.sigma * max(1 - pow(decay, 2 * tau * tau), 0).squareRoot()
        case .noise:
            let carried = target.alpha * base.sigma / base.alpha
            return tau * max(carried * carried - target.sigma * target.sigma, 0).squareRoot()
        }
    }

    /// The sample at t.
    /// - Parameters:
    ///   - x: the sample at s.
    ///   - estimate: the estimate at s.
    ///   - nodes: estimates at other levels.
    ///   - weights: of (m_k − m_s)/r_k, one a node.
    ///   - fresh: unit noise, where τ > 0.
    func callAsFunction(
        _ x: Tensor, _ estimate: Estimate, _ nodes: [Evaluation] = [], weights: [Double] = [],
        fresh: Tensor? = nil
    ) -> Tensor {
        let shares = zip(nodes, weights).map { correctionScale * $1 / offset(of: $0) }
        var result = (x * sampleFactor)
            .adding(integrand(estimate), scale: baseFactor - shares.reduce(0, +))
        for (node, share) in zip(nodes, shares) {
            result = result.adding(integrand(node.estimate), scale: share)
        }
        guard let fresh, tau > 0 else { return result }
        return result.adding(fresh, scale: noiseFactor)
    }
}

/// M_k(z) = z·∫₀¹ e^{−z(1−θ)}·θᵏ dθ, so that M₀ = 1 − e^{−z} and M_k = 1 − (k/z)·M_{k−1}.
///
/// The φ functions of exponential integrators: φ_{k+1}(−z) = M_k(z)/(k!·z).
/// Source: Hochbruck and Ostermann 2010 (Exponential integrators), equation 2.10.
func exponentialMoment(_ k: Int, _ z: Double) -> Double {
    guard abs(z) < 1 else {
        return (1..<k + 1).reduce(-expm1(-z)) { moment, order in 1 - Double(order) / z * moment }
    }
    // The recursion cancels here; z·Σ (−z)ʲ·k!/(k + j + 1)! does not.
    var (term, sum) = (1 / Double(k + 1), 0.0)
    for j in 1...20 {
        sum += term
        term *= -z / Double(k + j + 1)
    }
    return z * sum
}

/// w with Σ_k w_k·r_kⁱ = b_i for i = 0, 1, …, by Newton's divided differences.
/// Source: Björck and Pereyra 1970 (Solution of Vandermonde systems of equations), the primal system.
func vandermonde(_ points: [Double], _ moments: [Double]) -> [Double] {
    let count = points.count
    var w = moments
    for k in 0..<count {
        for i in (k + 1..<max(count, k + 1)).reversed() { w[i] -= points[k] * w[i - 1] }
    }
    for k in (0..<max(count - 1, 0)).reversed() {
        for i in k + 1..<count { w[i] /= points[i] - points[i - k - 1] }
        for i in k..<count - 1 { w[i] -= w[i + 1] }
    }
    return w
}

extension StepGrid.Step {
    /// The order of a multistep method in this step: the given one, and less where the steps left are
    /// fewer and the method is to end with its first order.
    func order(_ maximal: Int, loweringAtEnd: Bool) -> Int {
        loweringAtEnd ? min(maximal, count - index) : maximal
    }
}
