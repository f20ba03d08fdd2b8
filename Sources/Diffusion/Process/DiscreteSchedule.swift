import Foundation
import Tensors

/// The variance-preserving process of a table of β: α = √ᾱ, σ = √(1 − ᾱ), ᾱ_t = Π (1 − β_s).
///
/// Times are the whole numbers 0 … T−1; time 0 already carries the noise of the first step.
/// Source: Ho et al. 2020 (arXiv:2006.11239), equation 4.
public struct DiscreteSchedule: NoiseSchedule, Equatable {
    /// The most steps that a table of a file may have, which bounds what a configuration of a few bytes can take of
    /// memory. Published ones have 4,000 at most.
    public static let maximalCount = 100_000

    /// β_t
    public let betas: [Double]
    /// ᾱ_t
    public let alphaBars: [Double]
    /// ln(σ_t/α_t)
    let logRatios: [Double]

    /// The process of a table of β, each in 0 … 1.
    public init(betas: [Double]) {
        var product = 1.0
        self.init(
            betas: betas,
            alphaBars: betas.map { beta in
                product *= 1 - beta
                return product
            })
    }

    /// The process of a table of β in single precision, `[T]`, with products as libtorch rounds them.
    package init(single betas: Tensor) {
        func values(_ tensor: Tensor) -> [Double] {
            guard let values = try? tensor.to(.float64).array(of: Double.self) else {
                preconditionFailure("a table of numbers cannot be read")
            }
            return values
        }
        self.init(betas: values(betas), alphaBars: values((1 - betas).cumulativeProduct()))
    }

    private init(betas: [Double], alphaBars: [Double]) {
        precondition(!betas.isEmpty, "a schedule needs at least one step")
        (self.betas, self.alphaBars) = (betas, alphaBars)
        logRatios = alphaBars.map { (log1p(-$0) - log($0)) / 2 }
    }

    /// The number of steps T.
    public var count: Int { betas.count }
    /// T − 1.
    public var start: Double { Double(count - 1) }
    /// T
    public var wholeTimeCount: Int? { count }
    /// ⌊share·T⌋, so that each time has the same share.
    public func time(atShare share: Double) -> Double {
        min(max((share * Double(count)).rounded(.down), 0), start)
    }
    /// ½·(SNR(t−1) − SNR(t)) of the data's error.
    public var boundWeighting: LossWeighting { .variational(self) }

    /// The level at a whole time; times below 0 are the data itself.
    public func level(at time: Double) -> NoiseLevel {
        guard time >= 0 else { return NoiseLevel(time: time, alpha: 1, sigma: 0) }
        let bar = alphaBars[min(Int(time), count - 1)]
        return NoiseLevel(time: time, alpha: bar.squareRoot(), sigma: (1 - bar).squareRoot())
    }

    /// The time, between whole numbers too, by straight lines through ln(σ/α) as diffusers and k-diffusion
    /// draw them.
    public func time(logSNR: Double) -> Double {
        guard count > 1 else { return 0 }
        let logRatio = -logSNR / 2
        let above = logRatios.firstIndex { $0 > logRatio } ?? count - 1
        let low = min(max(above - 1, 0), count - 2)
        let share = (logRatios[low] - logRatio) / (logRatios[low] - logRatios[low + 1])
        return Double(low) + min(max(share, 0), 1)
    }

    /// The same curve shifted and scaled so that the last step carries no signal at all.
    /// Source: Lin et al. 2023 (arXiv:2305.08891), algorithm 1.
    public func rescaledToZeroTerminalSNR() -> DiscreteSchedule {
        let roots = alphaBars.map { $0.squareRoot() }
        let (first, last) = (roots[0], roots[count - 1])
        let bars = roots.map { root in
            let shifted = (root - last) * first / (first - last)
            return shifted * shifted
        }
        let previous = [1] + bars.dropLast()
        return DiscreteSchedule(betas: zip(bars, previous).map { bar, before in 1 - bar / before })
    }
}
