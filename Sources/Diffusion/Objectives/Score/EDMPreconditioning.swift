import Foundation
import Tensors

/// A raw network F made a denoiser D(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise), such that F's input and
/// target have unit variance at every level.
///
/// Coefficients are for a sample x = α·x₀ + σ·ε of any scaling; the paper's are those at α = 1.
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

    /// c_noise = ¼·ln(σ/α), what the network is told.
    public func noise(at level: NoiseLevel) -> Double { log(level.noiseRatio) / 4 }

    /// What F should give: (x₀ − c_skip·x)/c_out, at one level σ > 0.
    /// Source: same paper, equation 8.
    public func target(data: Tensor, sample x: Tensor, at level: NoiseLevel) -> Tensor {
        data.adding(x, scale: -skip(at: level)) / output(at: level)
    }

    /// D at levels with α = 1, one σ an example, as a network that predicts data: with it, `Objective`
    /// over `EDMSchedule`, `Prediction.data`, `LossWeighting.edm` and `TimeDensity.logNormal` is the
    /// paper's loss.
    /// - Parameter network: `(c_in·x, c_noise [batch]) → F`
    public func dataNetwork(
        _ network: @escaping (_ x: Tensor, _ noise: Tensor) -> Tensor
    ) -> (_ x: Tensor, _ sigmas: Tensor) -> Tensor {
        { x, sigmas in
            let sigma = sigmas.broadcast(toRank: x.rank)
            let variance = sigma.squared() + sigmaData * sigmaData
            let raw = network(x / variance.squareRoot(), sigmas.log() / 4)
            return x * (sigmaData * sigmaData) / variance + raw * sigma * sigmaData / variance.squareRoot()
        }
    }
}

extension Denoiser {
    /// A denoiser from a raw network `(c_in·x, c_noise [1]) → F`, at levels with noise.
    public init(
        _ preconditioning: EDMPreconditioning, network: @escaping (_ x: Tensor, _ noise: Tensor) -> Tensor
    ) {
        self.init { x, level in
            let told = Tensor.full(preconditioning.noise(at: level), [1], x.elementType, on: x.device)
            let raw = network(x * preconditioning.input(at: level), told)
            let data = (x * preconditioning.skip(at: level))
                .adding(raw, scale: preconditioning.output(at: level))
            return Estimate(data: data, noise: x.adding(data, scale: -level.alpha) / level.sigma)
        }
    }
}
