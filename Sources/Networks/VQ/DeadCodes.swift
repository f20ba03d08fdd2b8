import Layers
import Tensors

/// Vectors of a codebook that hardly any latent uses become latents of the step, drawn at random.
///
/// The use of a vector is a moving average of how many latents it stands for, in units of an even use of all vectors:
/// constant `uses` `[count]`, which is saved with the parameters.
/// Source: Dhariwal et al. 2020 (arXiv:2005.00341), section 3.1, where a threshold of the use decides, too.
public struct DeadCodes: Sendable {
    /// The use below which a vector is replaced; 0 replaces none.
    public let threshold: Double
    /// What a step keeps of the average.
    public let decay: Double
    private let codebook: Tensor
    private let uses: Tensor

    /// A watch over a codebook, whose vectors count as evenly used at first.
    public init(_ quantizer: VectorQuantizer, threshold: Double, decay: Double = 0.99, _ weights: Weights) {
        precondition((0..<1).contains(decay), "a decay of \(decay) is not from 0 to below 1")
        (self.threshold, self.decay, codebook) = (threshold, decay, quantizer.codebook)
        uses = weights.constant("uses", [codebook.shape[0]], .ones)
    }

    /// Counts the latents of a step and replaces vectors in place. One latent is drawn for each vector, whether it is
    /// replaced or not, so that what is drawn later does not depend on it.
    /// - Parameters:
    ///   - latents: those of the step; where they are not finite, nothing is counted or replaced.
    ///   - average: moving averages of the codebook, which begin anew where a vector is replaced.
    ///   - generator: draws the latents, on the processor.
    /// - Throws: `TensorError` where the latents carry an error.
    public func revive(
        from latents: QuantizedLatents, _ average: CodebookAverage? = nil, _ generator: RandomGenerator
    ) throws {
        try withoutGradients {
            let (count, rows) = (codebook.shape[0], latents.rows)
            let isFinite = latents.sums.isFinite().all()
            let shares = latents.counts / (Double(rows.shape[0]) / Double(count))
            try uses.assign(
                isFinite.choosing(shares.interpolated(to: uses, weight: decay), otherwise: uses))
            let isDead = (uses .< threshold) .& isFinite
            let drawn = generator.integers([count], in: 0..<rows.shape[0]).to(codebook.device)
            try codebook.assign(
                isDead.unsqueezed(1).choosing(rows.gathered(drawn), otherwise: codebook))
            try average?.restart(where: isDead)
            try uses.assign(uses.filled(with: 1, where: isDead))
        }
    }
}
