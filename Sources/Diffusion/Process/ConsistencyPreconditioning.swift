import Foundation
import Tensors

/// A raw network F made a consistency function f(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise), which is the sample
/// itself at the least noise ε, whatever F is.
///
/// For data of α = 1, where x = x₀ + σ·ε: EDM's coefficients with c_skip and c_out taken at σ − ε.
/// Source: Song et al. 2023 (arXiv:2303.01469), equation 5 and appendix C.
public struct ConsistencyPreconditioning: Sendable, Equatable {
    /// σ_data, the standard deviation of the data's elements.
    public var sigmaData: Double
    /// ε, the least σ.
    public var sigmaMinimum: Double

    /// A preconditioning; the defaults are the paper's.
    public init(sigmaData: Double = 0.5, sigmaMinimum: Double = 0.002) {
        self.sigmaData = sigmaData
        self.sigmaMinimum = sigmaMinimum
    }

    private var edm: EDMPreconditioning { EDMPreconditioning(sigmaData: sigmaData) }

    /// c_skip = σ_data²/((σ − ε)² + σ_data²)
    public func skip(_ sigma: Double) -> Double {
        edm.skip(at: NoiseLevel(alpha: 1, sigma: sigma - sigmaMinimum))
    }

    /// c_out = σ_data·(σ − ε)/√(σ² + σ_data²)
    public func output(_ sigma: Double) -> Double { sigmaData * (sigma - sigmaMinimum) * input(sigma) }

    /// c_in = 1/√(σ² + σ_data²)
    public func input(_ sigma: Double) -> Double { edm.input(at: NoiseLevel(alpha: 1, sigma: sigma)) }

    /// The network's time: a quarter of a thousand ln σ.
    public func time(_ sigma: Double) -> Double { 250 * log(sigma) }

    /// The preconditioning as the paper has it: α = 1, c_in and c_noise.
    public var parameterization: Parameterization {
        Parameterization(
            self, scaling: .varianceExploding, input: { input($0.noiseRatio) }, time: { time($0.noiseRatio) })
    }
}

extension ConsistencyPreconditioning: OutputMeaning {
    /// `consistency`
    public var word: String { "consistency" }

    /// (x₀ − c_skip·x)/c_out, where σ > ε.
    public func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        let (skip, output, _) = coefficients(alpha, sigma)
        let x = data + sigma / alpha * noise
        return (data - skip * x) / output
    }

    /// c_skip·x + c_out·F, and the noise that is left.
    public func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        let (own, sigma) = (level.alpha == 1 ? x : x / level.alpha, level.noiseRatio)
        let data = (own * skip(sigma)).adding(output, scale: self.output(sigma))
        return Estimate(data: data, noise: x.adding(data, scale: -level.alpha) / level.sigma)
    }

    /// c_skip·x + c_out·F
    public func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        let (skip, factor, own) = coefficients(alpha, sigma)
        return skip * own(x) + factor * output
    }

    /// c_skip and c_out at a σ for α = 1 of each example, and samples as they are there.
    private func coefficients(_ alpha: Tensor, _ sigma: Tensor) -> (
        skip: Tensor, output: Tensor, own: (Tensor) -> Tensor
    ) {
        let (ratio, square) = (sigma / alpha, sigmaData * sigmaData)
        let above = ratio - sigmaMinimum
        return (
            square / (above.squared() + square),
            above * sigmaData / (ratio.squared() + square).squareRoot(), { $0 / alpha }
        )
    }

    /// Where there are data and noise.
    public func isDefined(at level: NoiseLevel) -> Bool { level.alpha > 0 && level.sigma > 0 }

    /// s/c_out²
    public func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double {
        let output = output(level.noiseRatio)
        return level.noiseShare / max(output * output, 1e-150)
    }
}
