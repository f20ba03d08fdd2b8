import Layers
import Tensors

/// A codebook that follows the latents by moving averages in place of the codebook loss: each vector becomes
/// the average of the latents that it stands for. Then only `Quantization.commitmentLoss` is left to
/// minimise. Constants `counts` `[count]` and `sums` `[count, width]`, which are saved with the parameters.
/// Source: van den Oord et al. 2017 (arXiv:1711.00937), appendix A.1; Razavi et al. 2019 (arXiv:1906.00446),
/// section 3.1.
public struct CodebookAverage: Sendable {
    /// γ, what a step keeps of the averages.
    public let decay: Double
    /// Added to all counts, so that no vector is divided by nothing.
    public let epsilon: Double
    private let codebook: Tensor
    private let counts: Tensor
    private let sums: Tensor

    /// Averages that begin with the codebook as it is, each vector counted once.
    public init(
        _ quantizer: VectorQuantizer, decay: Double = 0.99, epsilon: Double = 1e-5, _ weights: Weights
    ) {
        precondition((0..<1).contains(decay), "a decay of \(decay) is not from 0 to below 1")
        (self.decay, self.epsilon, codebook) = (decay, epsilon, quantizer.codebook)
        counts = weights.constant("counts", [codebook.shape[0]], .ones)
        sums = weights.constant("sums", codebook.shape, .computed { [codebook] in codebook.detached() })
    }

    /// Moves the averages and the codebook towards the latents of a step, in place. Latents that are not finite move
    /// nothing.
    /// - Throws: `TensorError` where the latents carry an error.
    public func update(_ latents: QuantizedLatents) throws {
        try withoutGradients {
            let isFinite = latents.sums.isFinite().all()
            func moved(_ average: Tensor, _ new: Tensor) -> Tensor {
                isFinite.choosing(new.interpolated(to: average, weight: decay), otherwise: average)
            }
            try counts.assign(moved(counts, latents.counts))
            try sums.assign(moved(sums, latents.sums))
            // Laplace smoothing: the total stays, and no count is 0.
            let total = counts.sum()
            let smoothed = (counts + epsilon) / (total + epsilon * Double(counts.elementCount)) * total
            try codebook.assign(sums / smoothed.unsqueezed(1))
        }
    }

    /// Begins anew with the codebook as it is for some vectors, each counted as often as the mean of all.
    /// - Parameter isReplaced: `[count]`, `bool`
    func restart(where isReplaced: Tensor) throws {
        try withoutGradients {
            let even = counts.mean().expanded(to: counts.shape)
            try sums.assign(
                isReplaced.unsqueezed(1).choosing(codebook * even.unsqueezed(1), otherwise: sums))
            try counts.assign(isReplaced.choosing(even, otherwise: counts))
        }
    }
}
