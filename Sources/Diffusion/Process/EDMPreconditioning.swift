import Foundation
import Tensors

/// A raw network F made a denoiser D(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise), such that F's input and
/// target have unit variance at every level.
///
/// Coefficients are for a sample x = α·x₀ + σ·ε of any scaling; the paper's are those at α = 1. They stand here
/// alone: consistency functions take theirs from these.
/// Source: Karras et al. 2022 (arXiv:2206.00364), equation 7 and table 1.
public struct EDMPreconditioning: Sendable, Codable, Equatable {
    /// σ_data, the standard deviation of the data's elements.
    public var sigmaData: Double

    /// A preconditioning; the default is the paper's.
    public init(sigmaData: Double = 0.5) {
        self.sigmaData = sigmaData
    }

    /// σ² + α²·σ_data², the variance of a sample's elements.
    private func variance(_ level: NoiseLevel) -> Double {
        level.sigma * level.sigma + level.alpha * level.alpha * sigmaData * sigmaData
    }

    private func variance(_ alpha: Tensor, _ sigma: Tensor) -> Tensor {
        sigma.squared() + alpha.squared() * (sigmaData * sigmaData)
    }

    /// c_skip = α·σ_data²/(σ² + α²·σ_data²)
    public func skip(at level: NoiseLevel) -> Double {
        level.alpha * sigmaData * sigmaData / variance(level)
    }

    /// c_out = σ·σ_data/√(σ² + α²·σ_data²)
    public func output(at level: NoiseLevel) -> Double {
        level.sigma * sigmaData / variance(level).squareRoot()
    }

    /// c_in = 1/√(σ² + α²·σ_data²)
    public func input(at level: NoiseLevel) -> Double { 1 / variance(level).squareRoot() }

    /// c_noise = ¼·ln(σ/α), the network's time.
    public func noise(at level: NoiseLevel) -> Double { log(level.noiseRatio) / 4 }

    /// The preconditioning as the paper has it: α = 1, c_in and c_noise.
    public var parameterization: Parameterization {
        Parameterization(self, scaling: .varianceExploding, input: input(at:), time: noise(at:))
    }

    /// What F should give: (x₀ − c_skip·x)/c_out, at one level σ > 0.
    /// Source: same paper, equation 8.
    public func target(data: Tensor, sample x: Tensor, at level: NoiseLevel) -> Tensor {
        data.adding(x, scale: -skip(at: level)) / output(at: level)
    }
}

extension EDMPreconditioning: OutputMeaning {
    /// `edm`
    public var word: String { "edm" }

    /// (x₀ − c_skip·x)/c_out = (σ·x₀/σ_data − α·σ_data·ε)/√(σ² + α²·σ_data²), finite at both ends.
    public func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        (sigma * data / sigmaData - alpha * noise * sigmaData) / variance(alpha, sigma).squareRoot()
    }

    /// c_skip·x + c_out·F, and the noise that is left.
    public func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        let data = (x * skip(at: level)).adding(output, scale: self.output(at: level))
        return Estimate(data: data, noise: x.adding(data, scale: -level.alpha) / level.sigma)
    }

    /// c_skip·x + c_out·F
    public func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        let variance = variance(alpha, sigma)
        return alpha * (sigmaData * sigmaData) / variance * x
            + sigma * sigmaData / variance.squareRoot() * output
    }

    /// Where there is noise.
    public func isDefined(at level: NoiseLevel) -> Bool { level.sigma > 0 }

    /// s/c_out² = (σ² + α²·σ_data²)/((α² + σ²)·σ_data²)
    public func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double {
        variance(level) / (level.square * sigmaData * sigmaData)
    }
}
