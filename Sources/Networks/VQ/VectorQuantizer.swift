import Layers
import Tensors

/// A codebook: each latent becomes the nearest of its vectors. Parameter `embedding.weight` `[count, width]`.
/// Source: van den Oord et al. 2017 (arXiv:1711.00937), section 3.
public struct VectorQuantizer: Sendable {
    /// The vectors, `[count, width]`.
    public let codebook: Tensor

    /// A codebook of `count` vectors of `width` numbers.
    public init(count: Int, width: Int, _ weights: Weights) {
        codebook = weights["embedding"].parameter(
            "weight", [count, width], .uniform(bound: 1 / Double(count)))
    }

    /// The index of the vector nearest to each latent.
    /// - Parameter latents: `[batch, width, height, width′]`
    /// - Returns: `[batch, height, width′]`, `int64`
    public func indices(of latents: Tensor) -> Tensor {
        withoutGradients {
            let rows = latents.permuted(0, 2, 3, 1)
            let distances = rows.reshaped([-1, codebook.shape[1]]).distances(to: codebook)
            return distances.indexOfMin(1).reshaped(Shape(Array(rows.shape.extents.prefix(3))))
        }
    }

    /// The vectors of indices: `[batch, height, width′]` → `[batch, width, height, width′]`
    public func vectors(at indices: Tensor) -> Tensor { codebook.embedding(indices).permuted(0, 3, 1, 2) }

    /// Latents and the vectors nearest to them.
    /// - Parameter latents: `[batch, width, height, width′]`
    public func callAsFunction(_ latents: Tensor) -> Quantization {
        let indices = indices(of: latents)
        return Quantization(encoded: latents, vectors: vectors(at: indices), indices: indices)
    }
}

/// Latents and the vectors of a codebook that stand for them.
/// Source: van den Oord et al. 2017 (arXiv:1711.00937), section 3.2.
public struct Quantization: Sendable {
    /// What the encoder said, `[batch, width, height, width′]`.
    public let encoded: Tensor
    /// The nearest vectors, of the same shape.
    public let vectors: Tensor
    /// Their indices, `[batch, height, width′]`, `int64`.
    public let indices: Tensor

    /// The values of `vectors` for the decoder; gradients go to the encoder as if nothing lay between
    /// (straight through), and none to the codebook.
    public var latents: Tensor { encoded + (vectors - encoded).detached() }

    /// How far the codebook is from each example's latents, which only the codebook learns from: means of squares,
    /// `[batch]`.
    public var codebookErrors: Tensor { (vectors - encoded.detached()).squared().meanPerExample() }

    /// How far each example's latents are from the codebook, which only the encoder learns from: means of squares,
    /// `[batch]`.
    public var commitmentErrors: Tensor { (encoded - vectors.detached()).squared().meanPerExample() }

    /// The mean of `codebookErrors`, a scalar.
    public var codebookLoss: Tensor { codebookErrors.mean() }

    /// The mean of `commitmentErrors`, a scalar.
    public var commitmentLoss: Tensor { commitmentErrors.mean() }

    /// What is added to the error of reconstruction (equation 3 of the source).
    /// - Parameter commitment: β, the weight of the encoder's part.
    public func loss(commitment: Double = 0.25) -> Tensor { codebookLoss + commitment * commitmentLoss }
}
