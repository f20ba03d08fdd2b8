import Layers
import Tensors

/// A fully convolutional residual network that denoises pictures of any size: blocks of one width at one resolution.
///
/// h₀ = conv(x), and h_{i+1} = h_i + conv(SiLU(norm(conv(SiLU(norm(h_i))) + P_i·c))) with the embedded time
/// c = SiLU(MLP(sinusoids(t)) + class); the output is conv(SiLU(norm(h))). All kernels are 3×3, so a pixel of the output
/// depends on those at most 2·layers + 2 away, and on the others through the norms alone. Parameters `conv_in.*`, `time_embedding.linear_1.*`,
/// `time_embedding.linear_2.*`, `class_embedding.weight`, `blocks.N.*` (`norm1`, `conv1`, `time_emb_proj`, `norm2`,
/// `conv2`), `conv_norm_out.*`, `conv_out.*`.
/// Source: residual blocks with the norm before the convolution, He et al. 2016 (arXiv:1603.05027); with the time, Ho et
/// al. 2020 (arXiv:2006.11239), appendix B.
public struct ResNet: Sendable {
    /// What the network was built from.
    public let configuration: ResNetConfiguration

    let inputConvolution: Convolution2D
    let timeEmbedding: TimestepEmbedding
    let classes: ClassTable
    let blocks: [ResidualBlock]
    let outputNorm: GroupNorm
    let outputConvolution: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: ResNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (width, timeWidth) = (configuration.width, configuration.timeWidth)
        let options = ResidualOptions(
            timeWidth: timeWidth, groups: configuration.normNumGroups, epsilon: 1e-5, activation: .silu,
            dropout: 0, scalesAndShifts: false)
        inputConvolution = Convolution2D(
            inputs: configuration.inChannels, outputs: width, kernel: 3, padding: 1, weights["conv_in"])
        timeEmbedding = TimestepEmbedding(inputs: width, outputs: timeWidth, weights["time_embedding"])
        classes = ClassTable(
            count: configuration.numClassEmbeds, width: timeWidth, weights["class_embedding"])
        blocks = (0..<configuration.layers).map {
            ResidualBlock(inputs: width, outputs: width, options, weights["blocks"][$0])
        }
        outputNorm = GroupNorm(
            groups: configuration.normNumGroups, channels: width, weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: width, outputs: configuration.outChannels ?? configuration.inChannels, kernel: 3,
            padding: 1, weights["conv_out"])
    }

    /// The network's output for a batch of pictures of any size.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - labels: `[batch]` as `int64`, where the configuration has classes, and only there.
    /// - Returns: `[batch, outChannels, height, width]`; a learned variance follows the first half of the channels.
    public func callAsFunction(_ x: Tensor, time: Tensor, labels: Tensor?) -> Tensor {
        let waves = sinusoidalEmbedding(time, width: configuration.width).to(x.elementType)
        let condition = classes.adding(labels, to: timeEmbedding(waves)).silu()
        var hidden = inputConvolution(x)
        for block in blocks {
            hidden = recomputable([hidden, condition], dropout: nil) {
                block($0[0], time: $0[1], dropout: nil)
            }
        }
        return outputConvolution(outputNorm.deferred(hidden).then(.silu))
    }
}
