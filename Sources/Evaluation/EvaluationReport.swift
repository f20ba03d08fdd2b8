import Datasets
import Tensors

/// How samples compare with the data that they should be like.
public struct EvaluationReport: Codable, Sendable, Equatable {
    /// What the feature space is.
    public var features: String
    /// The number of samples.
    public var samples: Int
    /// Fréchet distance of the samples to the data.
    public var frechetDistance: Double
    /// The same distance between two halves of the data: about the least that can be reached.
    public var frechetDistanceOfHalves: Double
    /// The same distance of noise to the data: what a model that knows nothing has.
    public var frechetDistanceOfNoise: Double
    /// The share of samples that the classifier takes for the class that was asked for; absent where
    /// none was.
    public var accuracy: Double?
    /// The share of real pictures, kept out of its training, that the classifier gets right.
    public var classifierAccuracy: Double

    enum CodingKeys: String, CodingKey {
        case features, samples, accuracy
        case frechetDistance = "frechet_distance"
        case frechetDistanceOfHalves = "frechet_distance_of_halves"
        case frechetDistanceOfNoise = "frechet_distance_of_noise"
        case classifierAccuracy = "classifier_accuracy"
    }

    /// Compares samples with data in the feature space of a classifier trained on the data.
    /// - Parameters:
    ///   - samples: `[count, channels, height, width]` in −1 … 1, the shape of the data's pictures.
    ///   - labels: the classes asked for, `[count]`.
    ///   - training: what the classifier learns from, and the data of the distances.
    ///   - heldOut: pictures that the classifier does not learn from.
    public init(
        samples: Tensor, labels: Tensor?, training: some Dataset, heldOut: some Dataset, seed: UInt64 = 0
    ) throws {
        guard samples.shape.dropFirst().elementsEqual(training.pictureShape) else {
            throw EvaluationError(
                "the samples are \(samples.shape) and the data's pictures \(training.pictureShape): evaluate against data of the model's own size"
            )
        }
        let classifier = try PictureClassifier(training: training, seed: seed)
        let data = try training.batch(at: Array(0..<training.count))
        let test = try heldOut.batch(at: Array(0..<heldOut.count))
        let real = FeatureStatistics(features: classifier.features(data.pictures))
        func distance(_ pictures: Tensor) throws -> Double {
            try FeatureStatistics(features: classifier.features(pictures)).frechetDistance(to: real)
        }
        let noise = RandomGenerator(seed: seed).normal(data.pictures.shape).clamped(to: -1...1)
        let halves = (0..<2).map { first in
            FeatureStatistics(features: classifier.features(data.pictures.strided(from: first, by: 2, of: 0)))
        }
        features = "hidden layer of a classifier trained on the data"
        self.samples = samples.shape[0]
        frechetDistance = try distance(samples)
        frechetDistanceOfHalves = try halves[0].frechetDistance(to: halves[1])
        frechetDistanceOfNoise = try distance(noise)
        accuracy = try labels.map { try classifier.accuracy(samples, labels: $0) }
        classifierAccuracy = try classifier.accuracy(test.pictures, labels: test.labels!)
    }
}

extension EvaluationReport {
    /// The figures as lines for a person.
    public var text: String {
        var rows = [
            ("Fréchet distance, \(samples) samples to the data", frechetDistance),
            ("  the same between two halves of the data", frechetDistanceOfHalves),
            ("  the same of noise to the data", frechetDistanceOfNoise),
        ]
        if let accuracy { rows.append(("samples taken for the class asked for", accuracy)) }
        rows.append(("real pictures, not learnt from, classified rightly", classifierAccuracy))
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { label, value in
            let rounded = (value * 10_000).rounded() / 10_000
            return label + String(repeating: " ", count: width - label.count + 2) + "\(rounded)"
        }.joined(separator: "\n") + "\n(features: \(features))"
    }
}
