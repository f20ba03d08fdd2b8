import Checkpoints
import Layers
import Tensors

/// The encoder of noisy pictures of a CLIP that guides GLIDE: a token of the time stands before those of the patches.
/// Source: Nichol et al. 2021 (arXiv:2112.10741), sections 2.3 and 4.4.
public struct NoisyCLIPImage: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: NoisyCLIPImageConfiguration

    let times: Embedding
    let patches: Convolution2D
    let positions: Tensor
    let firstNorm: LayerNorm
    let encoder: NoisyCLIPEncoder

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: NoisyCLIPImageConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (width, patch) = (configuration.width, configuration.patchSize)
        let deviation = 1 / Double(width).squareRoot()
        let count = configuration.imageSize / patch
        times = Embedding(
            count: configuration.times, width: width, deviation: deviation, weights["times"])
        patches = Convolution2D(
            inputs: 3, outputs: width, kernel: patch, stride: patch, bias: false, weights["patches"])
        positions = weights.parameter(
            "positions", [1 + count * count, width], .normal(deviation: deviation))
        firstNorm = LayerNorm(width: width, weights["first_norm"])
        encoder = NoisyCLIPEncoder(
            layers: configuration.layers, heads: configuration.heads, headWidth: configuration.headWidth,
            outputs: configuration.embeddingWidth, weights)
    }

    /// Vectors of length 1, `[batch, embeddingWidth]`.
    /// - Parameters:
    ///   - pictures: noisy ones, `[batch, 3, imageSize, imageSize]`, whose data lie in −1 … 1.
    ///   - time: whole times of the process, `[1]`.
    public func callAsFunction(_ pictures: Tensor, time: Tensor) -> Tensor {
        let batch = pictures.shape[0]
        let bytes = (pictures + 1) * 127.5
        let normalized =
            (bytes - Self.constant(Self.means, like: pictures))
            / Self.constant(Self.deviations, like: pictures)
        let seen = patches(normalized).flattened(from: 2).transposed(1, 2)
        let token = times(time.rounded().to(.int64)).unsqueezed(1)
            .expanded(to: [batch, 1, configuration.width])
        let embedded = firstNorm(concatenated([token, seen], along: 1) + positions)
        return encoder.embedding(of: encoder(embedded, isCausal: false).select(0, of: 1))
    }

    /// Of each channel of pictures in 0 … 255.
    private static let means = [122.77093945, 116.74601272, 104.09373519]
    private static let deviations = [68.50053285, 66.63215831, 70.32316309]

    private static func constant(_ values: [Double], like x: Tensor) -> Tensor {
        Tensor(values.map(Float.init), shape: [1, 3, 1, 1]).to(x.elementType).to(x.device)
    }

    /// The name in this project.
    public static var className: String { "NoisyCLIPImage" }
    /// From the published names.
    public static var nameMap: NameMap { NoisyCLIPEncoder.names }
}
