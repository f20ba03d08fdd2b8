import Datasets
import Tensors

/// Judges samples in the feature space of a classifier that is trained on the data they should be like.
public struct Evaluator {
    /// The fewest samples that have a covariance.
    public static let leastSamples = 2

    private let classifier: PictureClassifier
    private let pictureShape: Shape
    private let count: Int
    private let real: FeatureStatistics
    private let distanceOfHalves: Double
    private let distanceOfNoise: Double
    private let accuracy: Double?
    private let spread: Double?

    /// Trains the classifier and measures the data.
    /// - Parameters:
    ///   - training: what the classifier learns from, and the data of the distances.
    ///   - heldOut: pictures that the classifier does not learn from; there may be none.
    /// - Throws: `EvaluationError` where the data have no classes or too few pictures; what a data set throws.
    public init(training: some Dataset, heldOut: some Dataset, seed: UInt64 = 0) throws {
        guard training.count >= 2 * Self.leastSamples else {
            throw EvaluationError(
                "the data have \(training.count) pictures: distances between their halves need \(2 * Self.leastSamples) at least"
            )
        }
        let classifier = try PictureClassifier(training: training, seed: seed)
        let all = try training.batch(at: Array(0..<training.count))
        let pictures = all.data
        let features = classifier.features(pictures)
        let real = FeatureStatistics(features: features)
        spread = try all.labels.flatMap { try Diversity.withinClasses(features, labels: $0) }
        let halves = (0..<2).map { first in
            FeatureStatistics(features: classifier.features(pictures.strided(from: first, by: 2, of: 0)))
        }
        let noise = RandomGenerator(seed: seed).normal(pictures.shape).clamped(to: -1...1)
        distanceOfHalves = try halves[0].frechetDistance(to: halves[1])
        distanceOfNoise = try FeatureStatistics(features: classifier.features(noise)).frechetDistance(
            to: real)
        let unseen = heldOut.count == 0 ? nil : try heldOut.batch(at: Array(0..<heldOut.count))
        accuracy = try unseen.flatMap { batch in
            try batch.labels.map { try classifier.accuracy(batch.data, labels: $0) }
        }
        (self.classifier, self.real) = (classifier, real)
        (pictureShape, count) = (training.exampleShape, training.count)
    }

    /// What a person should know who reads the figures of so many samples.
    public func cautions(samples: Int) -> [String] {
        let features = PictureClassifier.featureCount
        var cautions: [String] = []
        if samples <= features {
            cautions.append(
                "\(samples) samples span fewer than the \(features) dimensions of the features: their covariance is singular and the Fréchet distance too large to compare; take \(features + 1) at least, better thousands"
            )
        }
        if count / 2 <= features {
            cautions.append(
                "the data have \(count) pictures, and halves of them span fewer than the \(features) dimensions of the features: all distances are too large to compare"
            )
        }
        if accuracy == nil {
            cautions.append(
                "no picture of the data could be kept apart from what the classifier learns: how well it does on others is not known"
            )
        }
        return cautions
    }

    /// Compares samples with the data.
    /// - Parameters:
    ///   - samples: `[count, channels, height, width]` in −1 … 1, the shape of the data's pictures.
    ///   - labels: the classes asked for, `[count]`.
    /// - Throws: `EvaluationError` where there are too few samples, or samples of another shape.
    public func report(samples: Tensor, labels: Tensor?) throws -> EvaluationReport {
        guard samples.shape.dropFirst().elementsEqual(pictureShape) else {
            throw EvaluationError(
                "the samples are \(samples.shape) and the data's pictures \(pictureShape): evaluate against data of the model's own size"
            )
        }
        guard samples.shape[0] >= Self.leastSamples else {
            throw EvaluationError(
                "one sample has no covariance: a Fréchet distance needs \(Self.leastSamples) samples at least"
            )
        }
        let features = classifier.features(samples)
        let statistics = FeatureStatistics(features: features)
        let own = try labels.flatMap { try Diversity.withinClasses(features, labels: $0) }
        return EvaluationReport(
            features: "hidden layer of a classifier trained on the data", samples: samples.shape[0],
            frechetDistance: try statistics.frechetDistance(to: real),
            frechetDistanceOfHalves: distanceOfHalves, frechetDistanceOfNoise: distanceOfNoise,
            accuracy: try labels.map { try classifier.accuracy(samples, labels: $0) },
            diversity: own.flatMap { own in spread.map { own / $0 } },
            classifierAccuracy: accuracy)
    }

    /// The Fréchet distance of samples to the data, with its interval over the samples.
    /// - Throws: the error that a tensor carries.
    func frechetDistance(of samples: Tensor) throws -> BootstrapInterval {
        let features = classifier.features(samples).to(.float64)
        return try BootstrapInterval(count: samples.shape[0], resamples: 100) { rows in
            try FeatureStatistics(features: features.gathered(Tensor(rows.map(Int64.init))))
                .frechetDistance(to: real)
        }
    }
}
