import Checkpoints
import Datasets
import Evaluation
import Layers
import Networks
import Tensors

/// Where the features of a perceptual distance come from.
package enum PerceptualFeatures {
    /// The network of a file.
    case file(PerceptualNetwork)
    /// A small classifier that learns the classes of the data before the first step. Its parameters are constants of the
    /// run's store, so that a run that goes on has the same.
    case classifier(LearnedFeatures)

    /// The classifier that is learned, where that is the case.
    var learned: LearnedFeatures? {
        if case .classifier(let features) = self { features } else { nil }
    }

    /// The distance.
    /// - Throws: what the data set throws, where the classifier has yet to be trained.
    func distance() throws -> FeatureDistance {
        switch self {
        case .file(let network): network.distance
        case .classifier(let features): try features.distance()
        }
    }
}

/// The features of a classifier that is trained on the run's own data when they are first needed.
package final class LearnedFeatures {
    private let data: any Dataset
    private let seed: UInt64
    private let constants: [(name: String, tensor: Tensor)]
    private var found: FeatureDistance?
    /// Whether the constants are those of a classifier that was trained.
    var isTrained = false {
        didSet { found = nil }
    }

    /// - Parameter weights: the scope that gets the constants.
    package init(_ data: any Dataset, seed: Int, _ weights: Weights) {
        self.data = data
        // Another one than that by which evaluation judges.
        self.seed = UInt64(truncatingIfNeeded: seed) ^ 0xD1B5_4A32_D192_ED03
        constants = PictureClassifier.parameters(of: data.exampleShape, classes: data.classCount ?? 0).map {
            ($0.name, weights.constant($0.name, $0.shape, .zeros))
        }
    }

    func distance() throws -> FeatureDistance {
        if let found { return found }
        if !isTrained { try train() }
        let classifier = try PictureClassifier(
            TensorDictionary(Dictionary(uniqueKeysWithValues: constants)), shape: data.exampleShape,
            classes: data.classCount ?? 0)
        let distance = FeatureDistance { classifier.maps($0) }
        found = distance
        return distance
    }

    private func train() throws {
        func trained(_ data: some Dataset) throws -> PictureClassifier {
            try PictureClassifier(
                training: data, seed: seed, epochs: PictureClassifier.epochs(for: data.count))
        }
        let classifier = try withGradients { try trained(data) }
        for (name, constant) in constants { try constant.assign(classifier.parameters.tensor(named: name)) }
        isTrained = true
    }
}
