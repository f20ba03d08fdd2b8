import Layers
import Tensors

/// An autoencoder as training runs it.
public protocol TrainableAutoencoder: Sendable {
    /// Pictures there and back.
    /// - Parameters:
    ///   - pictures: `[batch, channels, height, width]` in −1 … 1.
    ///   - noise: standard normal numbers of a shape, where latents are drawn from a distribution.
    func reconstruction(of pictures: Tensor, noise: (Shape) -> Tensor) -> Reconstruction

    /// The codebook that is learned; `nil` where there is none.
    var codebook: VectorQuantizer? { get }
}

extension TrainableAutoencoder {
    /// None.
    public var codebook: VectorQuantizer? { nil }
}

extension AutoencoderKL: TrainableAutoencoder {
    /// Pictures by way of latents drawn from their distributions (equation 10 of Kingma and Welling 2014), with the
    /// divergence from the standard normal distribution.
    public func reconstruction(of pictures: Tensor, noise: (Shape) -> Tensor) -> Reconstruction {
        let distribution = encode(pictures)
        let latents = distribution.sample(noise(distribution.mean.shape))
        var result = Reconstruction(decode(latents))
        let values = pictures.shape.dropFirst().reduce(1, *)
        result.penalties = [("kl", distribution.divergence() / Double(values))]
        return result
    }
}

extension VQModel: TrainableAutoencoder {
    /// Pictures by way of the nearest vectors, with how far codebook and encoder are apart.
    public func reconstruction(of pictures: Tensor, noise: (Shape) -> Tensor) -> Reconstruction {
        let (again, quantization) = self(pictures)
        var result = Reconstruction(again)
        result.penalties = [
            ("codebook", quantization.codebookErrors), ("commitment", quantization.commitmentErrors),
        ]
        result.quantization = quantization
        result.use = CodebookUse(of: quantization.indices, among: configuration.numVQEmbeddings)
        return result
    }

    /// The codebook.
    public var codebook: VectorQuantizer? { quantizer }
}

extension FSQModel: TrainableAutoencoder {
    /// Pictures by way of rounded latents.
    public func reconstruction(of pictures: Tensor, noise: (Shape) -> Tensor) -> Reconstruction {
        let latents = encode(pictures)
        var result = Reconstruction(decode(latents))
        result.use = CodebookUse(of: quantizer.indices(of: latents), among: quantizer.codeCount)
        return result
    }
}
