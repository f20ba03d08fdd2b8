import Foundation
import Tensors

/// How a model of texts and pictures in one space does on data that it was not made for: finding the picture of a text, the
/// text of a picture, and the class of a picture by the names of the classes.
public struct ContrastiveReport: Codable, Sendable, Equatable {
    /// The number of pictures.
    public var pictures: Int
    /// The number of different captions.
    public var texts: Int
    /// Finding a picture of each caption among all pictures.
    public var textToPicture: Retrieval
    /// Finding a caption of each picture among all captions.
    public var pictureToText: Retrieval
    /// The number of classes; absent where the data have none.
    public var classes: Int?
    /// The share of pictures whose class's name fits them best among all names; absent without classes.
    public var zeroShotAccuracy: Double?

    enum CodingKeys: String, CodingKey {
        case pictures, texts, classes
        case textToPicture = "text_to_picture"
        case pictureToText = "picture_to_text"
        case zeroShotAccuracy = "zero_shot_accuracy"
    }

    /// Measures a model.
    /// - Parameters:
    ///   - pictures: the vectors of pictures, `[pictures, features]`, each of length 1.
    ///   - captions: the captions of each picture, at least one; those of equal text count as one.
    ///   - classes: the class of each picture, and the names of all classes; `nil` without.
    ///   - embedding: the vectors of texts, `[texts, features]`, each of length 1.
    /// - Throws: what `embedding` throws; the error that a tensor carries.
    public init(
        pictures: Tensor, captions: [[String]], classes: (labels: [Int], names: [String])?,
        embedding: ([String]) throws -> Tensor
    ) throws {
        precondition(
            pictures.shape[0] == captions.count && captions.allSatisfy { !$0.isEmpty },
            "captions for each of \(pictures.shape[0]) pictures are needed")
        var numbers: [String: Int] = [:]
        var texts: [String] = []
        for caption in captions.joined() where numbers[caption] == nil {
            numbers[caption] = texts.count
            texts.append(caption)
        }
        var isRight = [Bool](repeating: false, count: texts.count * captions.count)
        for (picture, own) in captions.enumerated() {
            for caption in own { isRight[numbers[caption]! * captions.count + picture] = true }
        }
        let fits = Tensor(isRight, shape: [texts.count, captions.count])
        let scores = try embedding(texts).matmul(pictures.transposed())
        (self.pictures, self.texts) = (captions.count, texts.count)
        textToPicture = try Retrieval(scores: scores, isRight: fits)
        pictureToText = try Retrieval(scores: scores.transposed(), isRight: fits.transposed())
        guard let (labels, names) = classes else { return }
        self.classes = names.count
        let likeliest = try pictures.matmul(embedding(names).transposed()).indexOfMax(1)
        zeroShotAccuracy = try (likeliest .== Tensor(labels).to(likeliest.device)).to(.float64).mean().item()
    }
}

extension ContrastiveReport {
    /// The figures as a table for a person, beside what guessing reaches.
    public var text: String {
        var rows = [["", "recall at 1", "at 5", "at 10", "median rank"]]
        rows += [("picture of a text", textToPicture), ("text of a picture", pictureToText)].map {
            label, found in
            [label]
                + [found.recallAt1, found.recallAt5, found.recallAt10].map { percent($0) }
                + [String(format: "%g", found.medianRank)]
        }
        var lines = AlignedText.table(rows, right: [1, 2, 3, 4])
        lines.append("(of \(pictures) pictures with \(texts) captions)")
        if let zeroShotAccuracy, let classes {
            lines.append(
                "class by the names of \(classes) classes: \(percent(zeroShotAccuracy)) right, by guessing \(percent(1 / Double(classes)))"
            )
        }
        return lines.joined(separator: "\n")
    }

    private func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
}
