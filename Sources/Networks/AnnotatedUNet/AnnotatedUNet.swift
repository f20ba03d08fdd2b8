import Layers
import Tensors

/// The ConvNeXt U-Net of the annotated diffusion code, under the parameter names of that code.
///
/// A class, which that code does not know, is embedded by a table and added to the embedded time, as in Dhariwal and
/// Nichol 2021 (arXiv:2105.05233), section 3.
/// Source: N. Rogge and K. Rasul, "The Annotated Diffusion Model" (2022), after Phil Wang's
/// implementation of Ho et al. 2020 (arXiv:2006.11239).
public struct AnnotatedUNet: Sendable {
    /// Two blocks, attention, and a change of resolution.
    struct Level<Resampling: Sendable>: Sendable {
        let first: ConvNeXtBlock
        let second: ConvNeXtBlock
        let attention: PixelAttention
        let resampling: Resampling?

        func callAsFunction(_ x: Tensor, time: Tensor) -> Tensor {
            recomputable([x, time], dropout: nil) {
                attention(second(first($0[0], time: $0[1]), time: $0[1]))
            }
        }
    }

    /// What the network was built from.
    public let configuration: AnnotatedUNetConfiguration

    let inputConvolution: Convolution2D
    let time1: Linear
    let time2: Linear
    let classes: ClassTable
    let down: [Level<Convolution2D>]
    let middle1: ConvNeXtBlock
    let middleAttention: PixelAttention
    let middle2: ConvNeXtBlock
    let up: [Level<TransposedConvolution2D>]
    let outputBlock: ConvNeXtBlock
    let outputConvolution: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: AnnotatedUNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (dim, widths, timeWidth) = (configuration.dim, configuration.widths, configuration.timeWidth)
        let deepest = widths[widths.count - 1]
        func block(_ inputs: Int, _ outputs: Int, _ scope: Weights, readsTime: Bool = true) -> ConvNeXtBlock {
            ConvNeXtBlock(
                inputs: inputs, outputs: outputs, timeWidth: readsTime ? timeWidth : nil,
                multiple: configuration.convnextMult, scope)
        }
        inputConvolution = Convolution2D(
            inputs: configuration.channels, outputs: widths[0], kernel: 7, padding: 3, weights["init_conv"])
        time1 = Linear(inputs: dim, outputs: timeWidth, weights["time_mlp"][1])
        time2 = Linear(inputs: timeWidth, outputs: timeWidth, weights["time_mlp"][3])
        classes = ClassTable(
            count: configuration.numClassEmbeds, width: timeWidth, weights["class_embedding"])
        let levels = widths.count - 1
        down = (0..<levels).map { index in
            let (scope, outputs) = (weights["downs"][index], widths[index + 1])
            return Level(
                first: block(widths[index], outputs, scope[0]), second: block(outputs, outputs, scope[1]),
                attention: PixelAttention(.linear, channels: outputs, scope[2]),
                resampling: index == levels - 1
                    ? nil
                    : Convolution2D(
                        inputs: outputs, outputs: outputs, kernel: 4, stride: 2, padding: 1, scope[3]))
        }
        middle1 = block(deepest, deepest, weights["mid_block1"])
        middleAttention = PixelAttention(.full, channels: deepest, weights["mid_attn"])
        middle2 = block(deepest, deepest, weights["mid_block2"])
        up = (0..<levels - 1).map { index in
            let (scope, outputs) = (weights["ups"][index], widths[levels - 1 - index])
            return Level(
                first: block(2 * widths[levels - index], outputs, scope[0]),
                second: block(outputs, outputs, scope[1]),
                attention: PixelAttention(.linear, channels: outputs, scope[2]),
                resampling: TransposedConvolution2D(
                    inputs: outputs, outputs: outputs, kernel: 4, stride: 2, padding: 1, scope[3]))
        }
        outputBlock = block(dim, dim, weights["final_conv"][0], readsTime: false)
        outputConvolution = Convolution2D(
            inputs: dim, outputs: configuration.outDim ?? configuration.channels, kernel: 1,
            weights["final_conv"][1])
    }

    /// The network's output for a batch; height and width are multiples of 2 to the number of
    /// resolutions less one.
    ///
    /// - Parameters:
    ///   - x: `[batch, channels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - labels: `[batch]` as `int64`, where the configuration has classes, and only there.
    /// - Returns: `[batch, outDim, height, width]`
    public func callAsFunction(_ x: Tensor, time: Tensor, labels: Tensor?) -> Tensor {
        let waves = sinusoidalEmbedding(time, width: configuration.dim, shift: 1).to(x.elementType)
        let embedded = time2(time1(waves).gelu())
        // Every block begins with the same non-linearity of the same vector.
        let condition = classes.adding(labels, to: embedded).gelu()
        var hidden = inputConvolution(x)
        var skips: [Tensor] = []
        for level in down {
            hidden = level(hidden, time: condition)
            skips.append(hidden)
            hidden = level.resampling?(hidden) ?? hidden
        }
        hidden = middle2(middleAttention(middle1(hidden, time: condition)), time: condition)
        for level in up {
            hidden = level(joined([hidden, skips.removeLast()]), time: condition)
            hidden = level.resampling?(hidden) ?? hidden
        }
        return outputConvolution(outputBlock(hidden))
    }
}
