import Checkpoints
import Layers
import Tensors

/// A classifier of noisy pictures: the way down and the middle of a `UNet2D`, a pool over all places, and a number for each
/// class. Parameters `conv_in.*`, `time_embedding.*`, `down_blocks.*`, `mid_block.*`, `conv_norm_out.*` as in diffusers'
/// `UNet2DModel`, and those of the pool under `pool.*`.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 4 and appendix H.
public struct UNetClassifier: Sendable {
    /// What the network was built from.
    public let configuration: UNetClassifierConfiguration

    let timeProjection: TimeProjection
    let timeEmbedding: TimestepEmbedding
    let inputConvolution: Convolution2D
    let down: [DownBlock]
    let middle: MiddleBlock?
    let norm: GroupNorm
    let pool: ClassifierPool

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: UNetClassifierConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let encoder = configuration.wholeEncoder
        let (first, last) = (encoder.blockOutChannels[0], encoder.blockOutChannels.last!)
        timeProjection = TimeProjection(encoder, weights["time_proj"])
        timeEmbedding = TimestepEmbedding(
            inputs: encoder.timeFeatures, outputs: encoder.timeWidth, weights["time_embedding"])
        inputConvolution = Convolution2D(
            inputs: encoder.inChannels, outputs: first, kernel: 3, padding: 1, weights["conv_in"])
        down = encoder.downBlocks(weights["down_blocks"])
        middle = encoder.middleBlock(weights["mid_block"])
        norm = GroupNorm(
            groups: encoder.normNumGroups, channels: last, epsilon: encoder.normEps, weights["conv_norm_out"])
        pool = ClassifierPool(configuration, weights["pool"])
    }

    /// A number for each class, whose softmax is the probability of the classes.
    ///
    /// - Parameters:
    ///   - x: noisy pictures of the configuration's size, `[batch, inChannels, height, width]`, in the element type of the
    ///     weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, numClasses]`
    public func callAsFunction(_ x: Tensor, time: Tensor, dropout: RandomGenerator? = nil) -> Tensor {
        let embedded = configuration.encoder.actFn(timeEmbedding(timeProjection(time).to(x.elementType)))
        var (hidden, unread) = (inputConvolution(x), [Tensor]())
        for block in down {
            hidden = block(hidden, time: embedded, skips: &unread, dropout: dropout)
        }
        hidden = middle?(hidden, time: embedded, dropout: dropout) ?? hidden
        return pool(norm.deferred(hidden).then(.silu).value)
    }
}

extension UNetClassifier: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "UNetClassifier" }
}

extension UNetClassifier: JoinedHeadsNetwork {
    package static func heads(_ configuration: UNetClassifierConfiguration) -> HeadSplit? {
        configuration.encoder.heads
    }
}

/// From the features of all places to a number for each class.
enum ClassifierPool: Sendable {
    case attention(AttentionPool)
    /// The mean of all places, then a layer. Parameters `proj.*`.
    case average(Linear)

    init(_ configuration: UNetClassifierConfiguration, _ weights: Weights) {
        let width = configuration.encoder.blockOutChannels.last!
        switch configuration.pool {
        case .attention:
            let headSize = configuration.encoder.attentionHeadDim ?? width
            self = .attention(
                AttentionPool(
                    width: width, heads: width / headSize, places: configuration.placeCount,
                    outputs: configuration.numClasses, weights))
        case .average:
            self = .average(Linear(inputs: width, outputs: configuration.numClasses, weights["proj"]))
        }
    }

    /// `[batch, width, height, columns]` → `[batch, outputs]`
    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .attention(let pool): pool(x.flattened(from: 2).transposed(1, 2))
        case .average(let projection): projection(x.flattened(from: 2).mean([2]))
        }
    }
}

/// Attention of one token, the mean of all, to itself and all others, each with its place added. Parameters
/// `positional_embedding` `[places + 1, width]`, `to_q.*`, `to_k.*`, `to_v.*`, `to_out.0.*`.
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4.
struct AttentionPool: Sendable {
    let positions: Tensor
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: Int

    init(width: Int, heads: Int, places: Int, outputs: Int, _ weights: Weights) {
        positions = weights.parameter(
            "positional_embedding", [places + 1, width], .normal(deviation: 1 / Double(width).squareRoot()))
        query = Linear(inputs: width, outputs: width, weights["to_q"])
        key = Linear(inputs: width, outputs: width, weights["to_k"])
        value = Linear(inputs: width, outputs: width, weights["to_v"])
        output = Linear(inputs: width, outputs: outputs, weights["to_out"][0])
        self.heads = heads
    }

    /// Tokens `[batch, places, width]` → `[batch, outputs]`
    func callAsFunction(_ tokens: Tensor) -> Tensor {
        let (batch, width) = (tokens.shape[0], tokens.shape[2])
        precondition(
            tokens.shape[1] + 1 == positions.shape[0],
            "\(tokens.shape[1]) places, and the pool knows \(positions.shape[0] - 1)")
        let all = concatenated([tokens.mean([1], keepingDimensions: true), tokens], along: 1) + positions
        func split(_ x: Tensor) -> Tensor {
            x.reshaped([batch, x.shape[1], heads, width / heads]).transposed(1, 2)
        }
        let mean = all.slice(0..<1, of: 1)
        let mixed = attention(query: split(query(mean)), key: split(key(all)), value: split(value(all)))
        return output(mixed.transposed(1, 2).reshaped([batch, width]))
    }
}
