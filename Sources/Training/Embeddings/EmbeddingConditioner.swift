import Datasets
import Networks
import Tensors

/// The captions through CLIP's encoder of texts, some of them hidden behind the empty text; and where a decoder learns, CLIP's
/// embeddings of the pictures, some of them hidden behind zeros, which stand for none.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.1; Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
struct EmbeddingConditioner: Conditioner {
    let clip: CLIPPlan
    /// Part of the examples whose text is hidden.
    let textDropout: Double
    /// Part of the examples whose picture's embedding is hidden; `nil` of a network that is given none.
    var pictureDropout: Double?

    /// The conditions of a batch. Draws one number an example for the text, then one for the picture.
    /// - Throws: the error that a tensor carries.
    func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        var conditions = try clip.conditions(of: Self.shown(batch.shownTexts, textDropout, generator))
        guard let pictureDropout else { return conditions }
        let pictures = clip.embeddings(of: batch.data.sent(to: device))
        let hidden = generator.map { $0.coin([pictures.shape[0], 1], probability: pictureDropout) }
        conditions[.embedding] =
            hidden.map { pictures.filled(with: 0, where: $0.sent(to: device)) } ?? pictures
        return conditions
    }

    /// Texts, some of them hidden behind the empty one.
    static func shown(_ texts: [String], _ dropout: Double, _ generator: RandomGenerator?) throws -> [String]
    {
        guard let generator else { return texts }
        let hidden = try generator.coin([texts.count], probability: dropout).array(of: Bool.self)
        return texts.indices.map { hidden[$0] ? "" : texts[$0] }
    }
}
