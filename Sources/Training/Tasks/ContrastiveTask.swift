import Datasets
import Diffusion
import Layers
import Networks
import Pipelines
import Tensors
import Tokenizers

/// A CLIP that learns which text of a batch belongs to which picture.
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.3 and figure 3.
public final class ContrastiveTask: TrainingTask {
    /// The parameters of both encoders, and the scale of logits.
    public let store: ParameterStore
    private let network: CLIP
    private let tokenizer: CLIPTokenizer
    /// Tokens of a text.
    private let length: Int
    private let largestScale: Double
    private let memoryFormat: MemoryFormat
    private let device: Device

    /// A task with a network that is built already.
    /// - Parameters:
    ///   - length: tokens of a text, start and end included.
    ///   - largestScale: the most that cosines are multiplied with.
    public init(
        store: ParameterStore, network: CLIP, tokenizer: CLIPTokenizer, length: Int,
        largestScale: Double = CLIP.largestScale, memoryFormat: MemoryFormat = .contiguous
    ) {
        (self.store, self.network, self.memoryFormat) = (store, network, memoryFormat)
        (self.tokenizer, self.length, self.largestScale) = (tokenizer, length, largestScale)
        device = store.parameters.first?.device ?? .cpu
    }

    /// The losses of pairs, with the halves that they are the sum of and the scale.
    public func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses {
        let losses = try pairLosses(batch)
        return Losses(
            losses.total,
            parts: [
                ("text_loss", losses.ofTexts / 2), ("picture_loss", losses.ofPictures / 2),
                ("logit_scale", network.scale.detached().expanded(to: losses.total.shape)),
            ])
    }

    /// The mean loss among the examples.
    public func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double {
        try withoutGradients { try pairLosses(batch).total.mean().item(Double.self) }
    }

    /// Keeps the scale within its bound.
    public func finish(step: Int, _ generator: RandomGenerator) throws {
        try network.clampScale(to: largestScale)
    }

    /// An example without a caption counts as an empty text.
    private func pairLosses(_ batch: Batch) throws -> CLIP.PairLosses {
        guard let captions = batch.captions else {
            throw RecipeError("data.captions: the data have none, and a CLIP learns from pairs; give some.")
        }
        let texts = ContrastiveModel.embeddings(
            of: captions.map { $0.first ?? "" }, network, tokenizer, length: length, on: device)
        let pictures = network.pictureEmbeddings(batch.data.placed(on: device, memoryFormat))
        return CLIP.losses(network.logits(texts: texts, pictures: pictures))
    }
}
