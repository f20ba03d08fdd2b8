import Foundation
import Tensors

/// The diffusion of 2015: Gaussian steps whose β are learned with the reverse process, by ascent on the
/// bound K ≤ ln p(x₀), in nats.
///
///     K = −Σ_{t=2}^T KL(q(x_{t−1} | x_t, x₀) ‖ p(x_{t−1} | x_t)) + H_q(X_T | X₀) − H_q(X₁ | X₀) − H_p(X_T)
///
/// The last step of the reverse process is the forward kernel of β₁, which belongs to the equilibrium.
/// Gradients reach β because noise is drawn first and held (frozen noise). Steps t = 1 … T are the
/// times 0 … T−1 here. Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), equations 3, 4, 14 and
/// section 2.4.1.
public struct LearnedGaussianDiffusion: Sendable {
    /// A step of the reverse process: x_t `[batch, …]` and times `[batch]` to mean and ln variance.
    public typealias Reverse = (_ x: Tensor, _ times: Tensor) -> (mean: Tensor, logVariance: Tensor)

    /// T
    public let stepCount: Int
    /// β₁, which stays as it is, and the least β of the others.
    public let minimumBeta: Double
    private let bumps: BumpFunctions
    private let baseline: Tensor

    /// A process of `stepCount` steps whose β follow `bumpCount` numbers.
    /// - Precondition: there are at least two steps.
    public init(
        stepCount: Int, bumpCount: Int, minimumBeta: Double = 1e-3, elementType: ElementType = .float32,
        on device: Device = .cpu
    ) {
        precondition(stepCount > 1, "a bound needs at least two steps")
        self.stepCount = stepCount
        self.minimumBeta = minimumBeta
        bumps = BumpFunctions(count: bumpCount, steps: stepCount, elementType: elementType, on: device)
        // logit of 1/(T − t + 2): each step forgets an even share of what was there at the start.
        baseline = Tensor((0..<stepCount).map { -log(Double(stepCount - $0)) }).to(elementType).to(device)
    }

    /// β of each time, `[T]`, from the learned numbers `[J]`: all zeros give nearly 1/(T − t + 2).
    public func betas(_ coefficients: Tensor) -> Tensor {
        let free = (baseline + bumps(coefficients)).sigmoid() * (1 - minimumBeta) + minimumBeta
        return concatenated([free.slice(0..<1, of: 0) * 0 + minimumBeta, free.slice(1..<stepCount, of: 0)])
    }

    /// Mean and ln variance of a reverse step from two outputs of a network: what to add to the mean of the
    /// forward kernel, in units of √β, and what to add to the logit of its variance β.
    /// Source: the code beside the article, `get_mu_sigma`.
    public func reverseStep(
        _ x: Tensor, times: Tensor, betas: Tensor, shift: Tensor, spread: Tensor
    ) -> (mean: Tensor, logVariance: Tensor) {
        let beta = betas.gathered(times).broadcast(toRank: x.rank)
        let logit = beta.log() - (1 - beta).log()
        return (
            x * (1 - beta).squareRoot() + shift * beta.squareRoot(),
            (logit + spread / Double(stepCount).squareRoot()).logSigmoid()
        )
    }

    /// The bound K of each example with every step, `[batch]` in nats.
    /// - Parameter noise: ε `[batch, …]` for a time, the same at every call.
    public func bound(
        _ data: Tensor, noise: (_ time: Int) -> Tensor, betas: Tensor, reverse: Reverse
    ) -> Tensor {
        let steps = (1..<stepCount).map { time in
            let times = Tensor(Array(repeating: time, count: data.shape[0])).to(data.device)
            return divergence(data, noise: noise(time), times: times, betas: betas, reverse: reverse)
        }
        return constants(data, betas) - stacked(steps).sum([0])
    }

    /// An estimate of K of each example from one step of its own, `[batch]` in nats.
    /// - Parameter times: drawn from 1 ..< T, each alike.
    public func bound(
        _ data: Tensor, noise: Tensor, times: Tensor, betas: Tensor, reverse: Reverse
    ) -> Tensor {
        let step = divergence(data, noise: noise, times: times, betas: betas, reverse: reverse)
        return constants(data, betas).adding(step, scale: -Double(stepCount - 1))
    }

    /// What is the same whatever the reverse process is: H_q(X_T | X₀) − H_q(X₁ | X₀) − H_p(X_T), and what
    /// the two ends lack to the equilibrium, ½·(β₁ + ᾱ_T)·(d − ‖x₀‖²): nothing in the mean over data whose
    /// mean square is 1, as the article's are.
    private func constants(_ data: Tensor, _ betas: Tensor) -> Tensor {
        let width = Double(data.flattened(from: 1).shape[1])
        let bar = (1 - betas).cumulativeProduct()[stepCount - 1]
        // The parts ½·d·ln 2πe of the three entropies leave one, with the sign of H_q(X₁ | X₀).
        let entropies = ((1 - bar).log() - betas[0].log() - (1 + log(2 * .pi))) * (width / 2)
        return entropies - (betas[0] + bar) * (data.squared().sumPerExample() - width) * 0.5
    }

    /// KL(q(x_{t−1} | x_t, x₀) ‖ p(x_{t−1} | x_t)) at one draw of x_t.
    private func divergence(
        _ data: Tensor, noise: Tensor, times: Tensor, betas: Tensor, reverse: Reverse
    ) -> Tensor {
        func at(_ table: Tensor) -> Tensor { table.gathered(times).broadcast(toRank: data.rank) }
        let bars = (1 - betas).cumulativeProduct()
        let (bar, before, beta) = (at(bars), at(bars.rolled(by: 1, of: 0)), at(betas))
        let x = bar.squareRoot() * data + (1 - bar).squareRoot() * noise
        let mean =
            (before.squareRoot() * beta * data + (1 - beta).squareRoot() * (1 - before) * x) / (1 - bar)
        let logVariance = (beta * (1 - before) / (1 - bar)).log()
        let step = reverse(x, times)
        return normalDivergence(
            mean: mean, logVariance: logVariance, from: step.mean, logVariance: step.logVariance
        ).sumPerExample()
    }

    /// Draws from the model: `[batch, …]`.
    public func sample(
        _ shape: Shape, betas: Tensor, _ generator: RandomGenerator, reverse: Reverse
    ) -> Tensor {
        func normal() -> Tensor { generator.normal(shape, betas.elementType).to(betas.device) }
        var x = normal()
        for time in (1..<stepCount).reversed() {
            let times = Tensor(Array(repeating: time, count: shape[0])).to(betas.device)
            let step = reverse(x, times)
            x = step.mean + (step.logVariance * 0.5).exp() * normal()
        }
        return x * (1 - betas[0]).squareRoot() + betas[0].squareRoot() * normal()
    }
}
