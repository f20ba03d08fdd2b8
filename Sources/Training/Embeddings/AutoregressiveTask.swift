import Datasets
import Diffusion
import Layers
import Networks
import Pipelines
import Tensors

/// A prior that learns the principal components of CLIP's embeddings one after the other, by the cross-entropy of their
/// buckets.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
final class AutoregressiveTask: TrainingTask {
    let store: ParameterStore
    private let network: AutoregressivePrior
    private let clip: CLIPPlan
    private let dropout: Double
    private let device: Device

    /// A task with a network that is built already.
    /// - Parameter dropout: part of the examples whose text is hidden.
    init(store: ParameterStore, network: AutoregressivePrior, clip: CLIPPlan, dropout: Double) {
        (self.store, self.network, self.clip, self.dropout) = (store, network, clip, dropout)
        device = store.parameters.first?.device ?? .cpu
    }

    /// The mean cross-entropy over the components of each example, and the share of buckets that are the likeliest.
    func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses {
        let (total, hits) = try measured(batch, hiding: generator)
        return Losses(total, parts: [("accuracy", hits)])
    }

    func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double {
        try withoutGradients { try measured(batch, hiding: nil).total.mean().item(Double.self) }
    }

    private func measured(_ batch: Batch, hiding generator: RandomGenerator?) throws -> (
        total: Tensor, hits: Tensor
    ) {
        let texts = batch.shownTexts
        let pictures = clip.embeddings(of: batch.data.sent(to: device))
        let cosines = Self.cosines(pictures, clip.conditions(of: texts)[.pooledText]!)
        let shown = try EmbeddingConditioner.shown(texts, dropout, generator)
        let codes = network.quantizer.codes(of: pictures)
        let logits = network(
            codes: codes.slice(0..<network.configuration.components - 1, of: 1),
            cosine: network.quantizer.codes(ofCosines: cosines), clip.conditions(of: shown),
            dropout: generator)
        return (Self.crossEntropies(logits, codes), (logits.indexOfMax(2) .== codes).to(.float32).mean([1]))
    }

    /// The mean over components of −ln p of the buckets `[batch, components]`, given logits `[batch, components, buckets]`.
    static func crossEntropies(_ logits: Tensor, _ codes: Tensor) -> Tensor {
        -logits.logSoftmax().taken(codes.unsqueezed(2), along: 2).squeezed(2).mean([1])
    }

    /// The cosine of each row of two, `[batch]`.
    static func cosines(_ one: Tensor, _ other: Tensor) -> Tensor {
        (EmbeddingGeometry.directions(one) * EmbeddingGeometry.directions(other)).sum([1])
    }

    /// The most examples whose embeddings decide on the principal components.
    private static let mostFitted = 8192

    /// Sets the quantizer to what data say.
    /// - Returns: the share of the variance that the components hold.
    /// - Throws: `DatasetError`, or the error that a tensor carries.
    func fitQuantizer(to data: any Dataset) throws -> Double {
        let rows = data.evenlySpread(Self.mostFitted)
        var (pictures, cosines): ([Tensor], [Tensor]) = ([], [])
        for first in stride(from: 0, to: rows.count, by: 256) {
            let batch = try data.batch(at: Array(rows[first..<min(first + 256, rows.count)]))
            pictures.append(clip.embeddings(of: batch.data.sent(to: device)))
            let texts = clip.conditions(of: batch.shownTexts)[.pooledText]!
            cosines.append(Self.cosines(pictures[pictures.count - 1], texts))
        }
        return try network.quantizer.fit(concatenated(pictures), cosines: concatenated(cosines))
    }
}
