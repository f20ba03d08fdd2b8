import Tensors

/// How far apart pictures are in the features of a network: at each place of each layer the squared distance of its
/// features, of length 1, by channels weighted; the mean over places, and the sum over layers.
/// Source: Zhang et al. 2018 (arXiv:1801.03924), equation 1.
public struct FeatureDistance: Sendable {
    private let features: @Sendable (Tensor) -> [Tensor]
    private let weights: [Tensor]?

    /// A distance.
    /// - Parameters:
    ///   - weights: of the channels of each layer, `[channels]`; 1 where `nil`.
    ///   - features: pictures `[batch, channels, height, width]` to the features of each layer, of the same rank.
    public init(weights: [Tensor]? = nil, features: @escaping @Sendable (Tensor) -> [Tensor]) {
        (self.weights, self.features) = (weights, features)
    }

    /// The distance of each picture to one of another batch: `[batch]`
    public func callAsFunction(_ pictures: Tensor, _ others: Tensor) -> Tensor {
        let layers = zip(features(pictures).map(ofLengthOne), features(others).map(ofLengthOne))
        let distances = layers.enumerated().map { index, layer in
            let squares = (layer.0 - layer.1).squared()
            let weighted = weights.map { squares * $0[index].reshaped([1, -1, 1, 1]) } ?? squares
            return weighted.sum([1]).mean([1, 2])
        }
        return distances.dropFirst().reduce(distances[0], +)
    }

    /// Where nothing lights up, the length is 0 and its gradient, too.
    private func ofLengthOne(_ features: Tensor) -> Tensor {
        features / (features.norm([1], keepingDimensions: true) + 1e-10)
    }
}
