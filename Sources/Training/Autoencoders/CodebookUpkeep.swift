import Layers
import Networks
import Tensors

/// What becomes of a codebook after each step beside what gradients do: it follows the latents, and vectors that nobody
/// uses are replaced.
package final class CodebookUpkeep {
    private let average: CodebookAverage?
    private let deadCodes: DeadCodes?
    private let count: Int
    /// The latents of the step that is being taken.
    private var latents: QuantizedLatents?

    /// - Parameter weights: the scope that gets the constants.
    package init(_ codebook: VectorQuantizer, _ plan: AutoencoderPlan.Codebook, _ weights: Weights) {
        average = plan.follows ? CodebookAverage(codebook, decay: plan.decay, weights) : nil
        deadCodes =
            plan.replacesBelow > 0
            ? DeadCodes(codebook, threshold: plan.replacesBelow, decay: plan.decay, weights) : nil
        count = codebook.codebook.shape[0]
    }

    /// Notes the latents of a batch.
    func note(_ quantization: Quantization) {
        guard average != nil || deadCodes != nil else { return }
        let new = QuantizedLatents(quantization, vectors: count)
        latents = latents.map { $0 + new } ?? new
    }

    /// Does what is due after a step.
    func finish(_ generator: RandomGenerator) throws {
        guard let latents else { return }
        self.latents = nil
        try average?.update(latents)
        try deadCodes?.revive(from: latents, average, generator)
    }
}
