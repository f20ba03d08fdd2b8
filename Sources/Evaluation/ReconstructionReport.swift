import Networks
import Tensors

/// How reconstructions compare with the pictures that they are of.
public struct ReconstructionReport: Codable, Sendable, Equatable {
    /// The number of pictures.
    public var pictures: Int
    /// Numbers of a latent for each number of a picture.
    public var compression: Double
    /// The mean peak signal-to-noise ratio in decibels; that of two pictures without a difference counts as 100.
    public var peakSignalToNoise: Double
    /// The mean structural similarity.
    public var structuralSimilarity: Double
    /// What the feature space of the distances is; absent where the data have no classes to learn one from.
    public var features: String?
    /// Fréchet distance of the reconstructions to the pictures.
    public var frechetDistance: Double?
    /// The same distance between two halves of the pictures.
    public var frechetDistanceOfHalves: Double?
    /// The number of vectors in the codebook, where there is one.
    public var codes: Int?
    /// The share of them that stand for a latent at all.
    public var codebookUse: Double?
    /// The number of vectors that an even use of as much information would have.
    public var perplexity: Double?

    enum CodingKeys: String, CodingKey {
        case pictures, compression, features, codes, perplexity
        case peakSignalToNoise = "psnr"
        case structuralSimilarity = "ssim"
        case frechetDistance = "frechet_distance"
        case frechetDistanceOfHalves = "frechet_distance_of_halves"
        case codebookUse = "codebook_use"
    }

    /// The figures as lines for a person.
    public var text: String {
        var rows = [
            ("peak signal-to-noise ratio, decibels", peakSignalToNoise),
            ("structural similarity", structuralSimilarity),
        ]
        if let frechetDistance { rows.append(("Fréchet distance to the originals", frechetDistance)) }
        if let frechetDistanceOfHalves {
            rows.append(("  the same between two halves of the originals", frechetDistanceOfHalves))
        }
        if let codebookUse, let codes { rows.append(("share of the \(codes) codes in use", codebookUse)) }
        if let perplexity { rows.append(("perplexity of the codes", perplexity)) }
        rows.append(("numbers of latents for each of a picture", compression))
        let notes = [features.map { "(features: \($0))" }, "(\(pictures) pictures, not learnt from)"]
        return (AlignedText.figures(rows) + notes.compactMap(\.self)).joined(separator: "\n")
    }
}
