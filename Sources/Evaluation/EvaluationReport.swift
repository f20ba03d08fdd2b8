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
    /// The share of samples that the classifier takes for the class that was requested; absent where
    /// none was.
    public var accuracy: Double?
    /// The mean distance between two samples of a class in the feature space, as a share of that between two pictures of
    /// the data; absent where no class was requested.
    public var diversity: Double?
    /// The share of real pictures, kept out of its training, that the classifier gets right; absent where
    /// none was kept.
    public var classifierAccuracy: Double?
    /// Figures of papers beside these; absent where nobody asked for them.
    public var papers: PublishedDistances?

    enum CodingKeys: String, CodingKey {
        case features, samples, accuracy, diversity, papers
        case frechetDistance = "frechet_distance"
        case frechetDistanceOfHalves = "frechet_distance_of_halves"
        case frechetDistanceOfNoise = "frechet_distance_of_noise"
        case classifierAccuracy = "classifier_accuracy"
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
        if let diversity {
            rows.append(("distance between samples of a class, as a share of the data's", diversity))
        }
        if let classifierAccuracy {
            rows.append(("real pictures, not learnt from, classified rightly", classifierAccuracy))
        }
        let measured = AlignedText.figures(rows).joined(separator: "\n") + "\n(features: \(features))"
        return papers.map { "\(measured)\n\n\($0.text)" } ?? measured
    }
}
