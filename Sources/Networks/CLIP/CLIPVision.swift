import Checkpoints
import Layers
import Tensors

/// What CLIP makes of pictures.
public struct CLIPVisionOutput {
    /// The embedded patches and the result of each layer, `[batch, 1 + patches, width]`, not normed. The
    /// first token is the picture's own.
    public let states: [Tensor]
    /// One vector a picture `[batch, width]`: its own token after the last layer, normed.
    public let pooled: Tensor
}

/// CLIP's encoder of pictures, a vision transformer, under the names of transformers' `CLIPVisionModel`.
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4; Dosovitskiy et al. 2021 (arXiv:2010.11929).
public struct CLIPVision: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: CLIPVisionConfiguration

    let ownToken: Tensor
    let patches: Convolution2D
    let positions: Embedding
    let firstNorm: LayerNorm
    let encoder: CLIPEncoder
    let lastNorm: LayerNorm

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: CLIPVisionConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let weights = weights["vision_model"]
        let (width, patch, epsilon) = (
            configuration.hiddenSize, configuration.patchSize, configuration.layerNormEps
        )
        let embeddings = weights["embeddings"]
        ownToken = embeddings.parameter(
            "class_embedding", [width], .normal(deviation: 1 / Double(width).squareRoot()))
        patches = Convolution2D(
            inputs: configuration.numChannels, outputs: width, kernel: patch, stride: patch, bias: false,
            embeddings["patch_embedding"])
        positions = Embedding(
            count: configuration.patchCount + 1, width: width, deviation: 0.02,
            embeddings["position_embedding"])
        // The name is misspelt in every checkpoint.
        firstNorm = LayerNorm(width: width, epsilon: epsilon, weights["pre_layrnorm"])
        encoder = CLIPEncoder(configuration.encoder, weights["encoder"])
        lastNorm = LayerNorm(width: width, epsilon: epsilon, weights["post_layernorm"])
    }

    /// What CLIP makes of pictures `[batch, numChannels, imageSize, imageSize]`, normalized
    /// (`ChannelStatistics.clip`).
    public func callAsFunction(_ pictures: Tensor) -> CLIPVisionOutput {
        let (shape, size) = (pictures.shape, configuration.imageSize)
        precondition(
            shape[2] == size && shape[3] == size, "pictures of \(shape), and \(size) by \(size) are needed")
        let width = configuration.hiddenSize
        let seen = patches(pictures).flattened(from: 2).transposed(1, 2)
        let own = ownToken.reshaped([1, 1, width]).expanded(to: [shape[0], 1, width])
        let places = Tensor.range(to: Double(configuration.patchCount + 1), .int64, on: pictures.device)
        let embedded = concatenated([own, seen], along: 1) + positions(places)
        let states = encoder(firstNorm(embedded))
        return CLIPVisionOutput(
            states: states, pooled: lastNorm(states[states.count - 1].select(0, of: 1)))
    }
}

/// `CLIPVision` and the projection into the space that texts and pictures share, under the names of
/// transformers' `CLIPVisionModelWithProjection`.
public struct CLIPVisionWithProjection: ConfiguredNetwork {
    /// The encoder.
    public let vision: CLIPVision
    let projection: Linear

    /// What the network was built from.
    public var configuration: CLIPVisionConfiguration { vision.configuration }

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: CLIPVisionConfiguration, _ weights: Weights) throws {
        vision = try CLIPVision(configuration, weights)
        projection = Linear(
            inputs: configuration.hiddenSize, outputs: configuration.projectionDim, bias: false,
            weights["visual_projection"])
    }

    /// What the encoder makes of pictures, and one vector a picture `[batch, projectionDim]`.
    public func callAsFunction(_ pictures: Tensor) -> (output: CLIPVisionOutput, embedding: Tensor) {
        let output = vision(pictures)
        return (output, projection(output.pooled))
    }
}

/// The mean and standard deviation of each channel over many pictures, that an encoder wants taken out.
public struct ChannelStatistics: Sendable, Equatable {
    /// Of each channel (red, green and blue) in 0 … 1.
    public let mean: [Double]
    /// Of each channel (red, green and blue) in 0 … 1.
    public let deviation: [Double]

    /// Those of CLIP, in the preprocessing of all its published checkpoints; pictures are first scaled with
    /// a bicubic filter until the shorter edge is `imageSize`, and cut to the square in the middle.
    public static let clip = ChannelStatistics(
        mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])

    /// The middle and the half of 0 … 1, of so many channels: what is normalized with them lies in −1 … 1.
    public static func centred(channels: Int) -> ChannelStatistics {
        let halves = [Double](repeating: 0.5, count: channels)
        return ChannelStatistics(mean: halves, deviation: halves)
    }

    /// Statistics of as many channels as there are means.
    public init(mean: [Double], deviation: [Double]) {
        precondition(mean.count == deviation.count, "\(mean.count) means, \(deviation.count) deviations")
        (self.mean, self.deviation) = (mean, deviation)
    }

    /// Pictures `[batch, channels, height, width]` in −1 … 1 with these taken out; those that are centred already stay as
    /// they are, bit for bit.
    public func normalized(signed pictures: Tensor) -> Tensor {
        let isCentred = self == .centred(channels: mean.count)
        return isCentred ? pictures : normalized((pictures + 1) / 2)
    }

    /// Pictures `[batch, channels, height, width]` in 0 … 1 with these taken out.
    public func normalized(_ pictures: Tensor) -> Tensor {
        func perChannel(_ values: [Double]) -> Tensor {
            Tensor(values, shape: [values.count, 1, 1]).to(pictures.elementType).to(pictures.device)
        }
        return (pictures - perChannel(mean)) / perChannel(deviation)
    }
}
