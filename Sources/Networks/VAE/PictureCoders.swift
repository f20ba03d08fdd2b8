import Layers
import Tensors

/// Pictures to features at a lower resolution. Parameters `conv_in.*`, `down_blocks.*`, `mid_block.*`,
/// `conv_norm_out.*`, `conv_out.*`.
/// Source: Esser et al. 2021 (arXiv:2012.09841), appendix A; Rombach et al. 2022 (arXiv:2112.10752).
struct PictureEncoder {
    let inputConvolution: Convolution2D
    let levels: [(blocks: CoderLevel, halving: Convolution2D?)]
    let middle: CoderMiddle
    let outputNorm: CoderNorm
    let outputConvolution: Convolution2D

    /// - Parameter outputs: channels of the features.
    init(_ configuration: CoderConfiguration, outputs: Int, _ weights: Weights) {
        let widths = configuration.blockOutChannels
        let last = widths.count - 1
        let options = CoderOptions(groups: configuration.normNumGroups, activation: configuration.actFn)
        inputConvolution = Convolution2D(
            inputs: configuration.inChannels, outputs: widths[0], kernel: 3, padding: 1, weights["conv_in"])
        levels = widths.indices.map { level in
            let scope = weights["down_blocks"][level]
            let blocks = CoderLevel(
                inputs: widths[max(level - 1, 0)], outputs: widths[level],
                layers: configuration.layersPerBlock,
                hasAttention: configuration.downBlockTypes[level] == .attention, options, scope)
            let halving =
                level == last
                ? nil
                : Convolution2D(
                    inputs: widths[level], outputs: widths[level], kernel: 3, stride: 2,
                    scope["downsamplers"][0]["conv"])
            return (blocks, halving)
        }
        middle = CoderMiddle(
            channels: widths[last], hasAttention: configuration.midBlockAddAttention, options,
            weights["mid_block"])
        outputNorm = CoderNorm(channels: widths[last], options, weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: widths[last], outputs: outputs, kernel: 3, padding: 1, weights["conv_out"])
    }

    /// `[batch, inChannels, height, width]` → `[batch, outputs, height′, width′]`
    func callAsFunction(_ x: Tensor) -> Tensor {
        var hidden = inputConvolution(x)
        for level in levels {
            hidden = level.blocks(hidden, code: nil)
            // Zeros on the right and bottom edges only.
            if let halving = level.halving { hidden = halving(hidden.padded([0, 1, 0, 1])) }
        }
        return outputConvolution(outputNorm.deferred(middle(hidden, code: nil), code: nil).then(.silu))
    }
}

/// Latents to pictures. Parameters `conv_in.*`, `mid_block.*`, `up_blocks.*`, `conv_norm_out.*`,
/// `conv_out.*`.
/// Source: that of `PictureEncoder`.
struct PictureDecoder {
    let inputConvolution: Convolution2D
    let middle: CoderMiddle
    let levels: [(blocks: CoderLevel, doubling: Convolution2D?)]
    let outputNorm: CoderNorm
    let outputConvolution: Convolution2D

    /// - Parameter hasCode: whether norms are scaled and shifted by the latents (`CoderNorm`).
    init(_ configuration: CoderConfiguration, hasCode: Bool = false, _ weights: Weights) {
        let widths = Array(configuration.blockOutChannels.reversed())
        let last = widths.count - 1
        let options = CoderOptions(
            groups: configuration.normNumGroups, activation: configuration.actFn,
            codeChannels: hasCode ? configuration.latentChannels : nil)
        inputConvolution = Convolution2D(
            inputs: configuration.latentChannels, outputs: widths[0], kernel: 3, padding: 1,
            weights["conv_in"])
        middle = CoderMiddle(
            channels: widths[0], hasAttention: configuration.midBlockAddAttention, options,
            weights["mid_block"])
        levels = widths.indices.map { level in
            let scope = weights["up_blocks"][level]
            let blocks = CoderLevel(
                inputs: widths[max(level - 1, 0)], outputs: widths[level],
                layers: configuration.layersPerBlock + 1,
                hasAttention: configuration.upBlockTypes[level] == .attention, options, scope)
            let doubling =
                level == last
                ? nil
                : Convolution2D(
                    inputs: widths[level], outputs: widths[level], kernel: 3, padding: 1,
                    scope["upsamplers"][0]["conv"])
            return (blocks, doubling)
        }
        outputNorm = CoderNorm(channels: widths[last], options, weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: widths[last], outputs: configuration.outChannels, kernel: 3, padding: 1,
            weights["conv_out"])
    }

    /// - Parameters:
    ///   - x: `[batch, latentChannels, height, width]`
    ///   - code: latents of the same shape, where norms read them.
    /// - Returns: `[batch, outChannels, height′, width′]`
    func callAsFunction(_ x: Tensor, code: Tensor? = nil) -> Tensor {
        var hidden = middle(inputConvolution(x), code: code)
        for level in levels {
            hidden = level.blocks(hidden, code: code)
            if let doubling = level.doubling { hidden = doubling(hidden.enlargedNearest(2)) }
        }
        return outputConvolution(outputNorm.deferred(hidden, code: code).then(.silu))
    }
}
