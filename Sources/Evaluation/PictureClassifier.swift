import Datasets
import Layers
import Tensors

/// A small convolutional classifier that is trained on the spot, to judge small pictures by: its last
/// hidden layer is the feature space of a Fréchet distance where no published network fits.
public struct PictureClassifier {
    private struct Network {
        let convolutions: [Convolution2D]
        let hidden: Linear
        let output: Linear

        init(_ shape: Shape, classes: Int, _ weights: Weights) {
            var channels = shape[0]
            var (height, width) = (shape[1], shape[2])
            var layers: [Convolution2D] = []
            for (index, width_) in [32, 64, 64].enumerated() {
                // The first looks closely, each later one halves the picture.
                let stride = index == 0 ? 1 : 2
                layers.append(
                    Convolution2D(
                        inputs: channels, outputs: width_, kernel: 3, stride: stride, padding: 1,
                        weights["convolutions"][index]))
                channels = width_
                (height, width) = ((height + stride - 1) / stride, (width + stride - 1) / stride)
            }
            convolutions = layers
            hidden = Linear(
                inputs: channels * height * width, outputs: PictureClassifier.featureCount, weights["hidden"])
            output = Linear(inputs: PictureClassifier.featureCount, outputs: classes, weights["output"])
        }

        func features(_ pictures: Tensor) -> Tensor {
            let maps = convolutions.reduce(pictures) { $1($0).relu() }
            return hidden(maps.flattened(from: 1)).relu()
        }
    }

    /// The number of features.
    public static let featureCount = 64
    private let network: Network

    /// Trains a classifier on labelled pictures.
    /// - Parameters:
    ///   - seed: of its weights and of the order of pictures.
    ///   - epochs: passes over the data.
    /// - Throws: `EvaluationError` where the data have no classes; what the data set throws.
    public init(training dataset: some Dataset, seed: UInt64 = 0, epochs: Int = 12) throws {
        guard let classes = dataset.classCount, classes > 1 else {
            throw EvaluationError("a classifier needs a data set with at least two classes")
        }
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)), purpose: .training)
        let shape = dataset.exampleShape
        network = try store.build { Network(shape, classes: classes, $0) }
        let optimizer = AdamW(store)
        var batches = try dataset.batches(
            .init(count: dataset.count, batchSize: min(64, dataset.count), seed: seed), at: .init())
        let steps = epochs * dataset.count / min(64, dataset.count)
        for step in 0..<steps {
            let batch = try batches.next()()
            let logits = network.output(network.features(batch.data))
            try Self.crossEntropy(logits, batch.labels!).backward()
            let rate = 2e-3 * (1 - Double(step) / Double(steps))
            try optimizer.step(learningRate: rate)
            try optimizer.clearGradients()
        }
    }

    private static func crossEntropy(_ logits: Tensor, _ labels: Tensor) -> Tensor {
        -logits.logSoftmax().taken(labels.unsqueezed(1), along: 1).mean()
    }

    /// Features of pictures: `[batch, channels, height, width]` → `[batch, 64]`.
    public func features(_ pictures: Tensor) -> Tensor {
        withoutGradients { network.features(pictures) }
    }

    /// The likeliest class of each picture: `[batch]`, `int64`.
    public func classes(_ pictures: Tensor) -> Tensor {
        withoutGradients { network.output(network.features(pictures)).indexOfMax(1) }
    }

    /// The share of pictures that are taken for what they should be.
    /// - Parameter labels: `[batch]`, `int64`
    public func accuracy(_ pictures: Tensor, labels: Tensor) throws -> Double {
        try (classes(pictures) .== labels).to(.float64).mean().item()
    }
}

/// Why something could not be evaluated.
public struct EvaluationError: Error, Sendable, CustomStringConvertible {
    /// One sentence: what, and what to do.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
