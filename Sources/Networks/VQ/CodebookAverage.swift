import Layers
import Tensors

/// A codebook that follows the latents by moving averages in place of the codebook loss: each vector becomes
/// the average of the latents that it stands for. Then only `Quantization.commitmentLoss` is left to
/// minimise.
/// Source: van den Oord et al. 2017 (arXiv:1711.00937), appendix A.1; Razavi et al. 2019 (arXiv:1906.00446),
/// section 3.1.
public final class CodebookAverage {
    /// γ, what a step keeps of the averages.
    public let decay: Double
    /// Added to all counts, so that no vector is divided by nothing.
    public let epsilon: Double
    private let codebook: Tensor
    private let counts: Tensor
    private let sums: Tensor

    /// Averages that begin with the codebook as it is, each vector counted once.
    public init(_ quantizer: VectorQuantizer, decay: Double = 0.99, epsilon: Double = 1e-5) {
        precondition((0..<1).contains(decay), "a decay of \(decay) is not from 0 to below 1")
        self.decay = decay
        self.epsilon = epsilon
        codebook = quantizer.codebook
        counts = .ones([codebook.shape[0]], codebook.elementType, on: codebook.device)
        sums = codebook.copied()
    }

    /// Moves the averages and the codebook towards latents, in place.
    /// - Throws: `TensorError` where the latents carry an error.
    public func update(_ quantization: Quantization) throws {
        try withoutGradients {
            let (count, width) = (codebook.shape[0], codebook.shape[1])
            let rows = quantization.encoded.permuted(0, 2, 3, 1).reshaped([-1, width])
            // A row for each latent, a column for each vector, 1 where the one stands for the other.
            let chosen = quantization.indices.flattened().oneHot(count).to(codebook.elementType)
            try counts.assign(chosen.sum([0]).interpolated(to: counts, weight: decay))
            try sums.assign(chosen.transposed().matmul(rows).interpolated(to: sums, weight: decay))
            // Laplace smoothing: the total stays, and no count is 0.
            let total = counts.sum()
            let smoothed = (counts + epsilon) / (total + epsilon * Double(count)) * total
            try codebook.assign(sums / smoothed.unsqueezed(1))
        }
    }

    /// All that the coming updates depend on beside the codebook, as named tensors.
    public var state: [String: Tensor] { ["counts": counts, "sums": sums] }

    /// Goes on from a saved state.
    /// - Throws: what the source throws where a tensor is missing; `TensorError` where one does not fit.
    public func restore(_ source: any TensorSource) throws {
        for (name, tensor) in state { try tensor.assign(source.tensor(named: name)) }
    }
}
