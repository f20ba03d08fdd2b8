import Checkpoints
import Layers
import Tensors

/// A network that reads a picture beside a U-Net's inputs and says what is added to the U-Net's way down and to its middle, under
/// the parameter names of diffusers' `ControlNetModel`.
///
/// It is a copy of the way down that is trained apart from the U-Net; its last convolutions begin as zeros, so that an untrained
/// one changes nothing.
/// Source: Zhang et al. 2023 (arXiv:2302.05543), section 3.2.
public struct ControlNet: Sendable {
    /// What the network was built from.
    public let configuration: ControlNetConfiguration
    /// How many heads of attention are computed at once.
    public var attentionSlicing: AttentionSlicing {
        get { embedding.slicing }
        set { embedding.slicing = newValue }
    }

    private var embedding: ConditionEmbedding
    let inputConvolution: Convolution2D
    let pictureEmbedding: ControlPictureEmbedding
    let down: [DownBlock]
    let middle: MiddleBlock?
    let downOutputs: [Convolution2D]
    let middleOutput: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: ControlNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let way = configuration.wayDown
        let channels = way.blockOutChannels
        func output(_ channels: Int, _ weights: Weights) -> Convolution2D {
            Convolution2D(inputs: channels, outputs: channels, kernel: 1, initializer: .zeros, weights)
        }
        embedding = ConditionEmbedding(way, weights)
        inputConvolution = Convolution2D(
            inputs: way.inChannels, outputs: channels[0], kernel: 3, padding: 1, weights["conv_in"])
        pictureEmbedding = ControlPictureEmbedding(
            configuration, outputs: channels[0], weights["controlnet_cond_embedding"])
        down = way.downBlocks(weights["down_blocks"])
        middle = way.middleBlock(weights["mid_block"])
        downOutputs = configuration.controlChannels.enumerated().map {
            output($1, weights["controlnet_down_blocks"][$0])
        }
        middleOutput = output(channels[channels.count - 1], weights["controlnet_mid_block"])
    }

    /// A picture as the network adds it to its first features; the same in every step of a run.
    /// - Parameter picture: `[batch, conditioningChannels, height, width]` from 0 to 1, in the element type of the weights.
    /// - Returns: `[batch, channels, height / shrinking, width / shrinking]`
    public func embedded(_ picture: Tensor) -> Tensor {
        pictureEmbedding(configuration.channelOrder == .bgr ? picture.flipped(1) : picture)
    }

    /// What is added to a U-Net.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, the U-Net's sample without what is laid beside it.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - conditions: those of the U-Net.
    ///   - picture: the embedded picture, `[1 or batch, channels, height, width]`.
    public func callAsFunction(_ x: Tensor, time: Tensor, _ conditions: Conditions, picture: Tensor)
        -> Conditions.Control
    {
        conditions.checkRead(UNet2DCondition.conditionNames, by: Self.className)
        let time = embedding.time(time, conditions, as: x.elementType)
        let attention = embedding.attentionInputs(conditions, for: x)
        var hidden = inputConvolution(x) + picture
        var features = [hidden]
        for block in down {
            hidden = block(hidden, time: time, attention: attention, skips: &features, dropout: nil)
        }
        if let middle { hidden = middle(hidden, time: time, attention: attention, dropout: nil) }
        let control = Conditions.Control(
            down: zip(downOutputs, features).map { $0($1) }, middle: middleOutput(hidden))
        return configuration.globalPoolConditions
            ? control.map { $0.mean([2, 3], keepingDimensions: true) } : control
    }

    /// The same conditions with the keys and values that the layers read of the context.
    public func preparing(_ conditions: Conditions) -> Conditions {
        let blocks = down.flatMap(\.attentions) + [middle?.attention].compactMap(\.self)
        return embedding.preparing(conditions, for: blocks.flatMap(\.contextLayers))
    }
}

extension ControlNet: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "ControlNetModel" }

    /// That of `UNet2D`: attention among pixels is the same.
    public static var nameMap: NameMap { UNet2D.nameMap }
}

/// Convolutions from a picture to features of the size of latents.
/// Parameters `conv_in.*`, `blocks.N.*`, `conv_out.*`, the last of which begin as zeros.
struct ControlPictureEmbedding {
    let input: Convolution2D
    let blocks: [Convolution2D]
    let output: Convolution2D

    init(_ configuration: ControlNetConfiguration, outputs: Int, _ weights: Weights) {
        let channels = configuration.conditioningEmbeddingOutChannels
        input = Convolution2D(
            inputs: configuration.conditioningChannels, outputs: channels[0], kernel: 3, padding: 1,
            weights["conv_in"])
        blocks = (0..<(channels.count - 1)).flatMap { level in
            [
                Convolution2D(
                    inputs: channels[level], outputs: channels[level], kernel: 3, padding: 1,
                    weights["blocks"][2 * level]),
                Convolution2D(
                    inputs: channels[level], outputs: channels[level + 1], kernel: 3, stride: 2, padding: 1,
                    weights["blocks"][2 * level + 1]),
            ]
        }
        output = Convolution2D(
            inputs: channels[channels.count - 1], outputs: outputs, kernel: 3, padding: 1,
            initializer: .zeros, weights["conv_out"])
    }

    func callAsFunction(_ picture: Tensor) -> Tensor {
        output(blocks.reduce(input(picture).silu()) { $1($0).silu() })
    }
}
