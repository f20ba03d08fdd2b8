import Foundation
import Tensors

/// A raw network F made a consistency function f(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise), which is the sample
/// itself at the least noise ε, whatever F is.
///
/// For a sample of any scaling; σ is its noise for data of α = 1.
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

    /// c_skip = σ_data²/((σ − ε)² + σ_data²)
    public func skip(_ sigma: Double) -> Double {
        let (square, above) = (sigmaData * sigmaData, sigma - sigmaMinimum)
        return square / (above * above + square)
    }

    /// c_out = σ_data·(σ − ε)/√(σ² + σ_data²)
    public func output(_ sigma: Double) -> Double { sigmaData * (sigma - sigmaMinimum) * input(sigma) }

    /// c_in = 1/√(σ² + σ_data²)
    public func input(_ sigma: Double) -> Double {
        1 / (sigma * sigma + sigmaData * sigmaData).squareRoot()
    }

    /// What the network is told: a quarter of a thousand ln σ.
    public func time(_ sigma: Double) -> Double { 250 * log(sigma) }
}

extension Denoiser {
    /// A denoiser from a consistency model's raw network `(c_in·x, c_noise [1]) → F`, at levels with noise.
    public init(
        _ preconditioning: ConsistencyPreconditioning,
        network: @escaping (_ x: Tensor, _ time: Tensor) -> Tensor
    ) {
        self.init { x, level in
            let (own, sigma) = (level.alpha == 1 ? x : x / level.alpha, level.noiseRatio)
            let time = Tensor.full(preconditioning.time(sigma), [1], x.elementType, on: x.device)
            let raw = network(own * preconditioning.input(sigma), time)
            let data = (own * preconditioning.skip(sigma))
                .adding(raw, scale: preconditioning.output(sigma))
            return Estimate(data: data, noise: x.adding(data, scale: -level.alpha) / level.sigma)
        }
    }
}
