import Layers
import Tensors

/// What the blocks of an encoder or decoder have in common.
struct CoderOptions {
    /// Groups of the norms.
    var groups: Int
    /// The non-linearity.
    var activation: Activation
    /// Channels of the code by which norms are scaled and shifted, `nil` where they are not.
    var codeChannels: Int?
}

/// A group norm; where there is a code, scaled and shifted by it, place by place. Parameters `weight` and
/// `bias`; with a code `norm_layer.*`, `conv_y.*`, `conv_b.*`.
/// Source of the latter: Zheng et al. 2022 (arXiv:2209.09002), section 3.2.
struct CoderNorm {
    let norm: GroupNorm
    let scale: Convolution2D?
    let shift: Convolution2D?

    init(channels: Int, _ options: CoderOptions, _ weights: Weights) {
        guard let code = options.codeChannels else {
            norm = GroupNorm(groups: options.groups, channels: channels, epsilon: 1e-6, weights)
            (scale, shift) = (nil, nil)
            return
        }
        norm = GroupNorm(
            groups: Self.groupsWithCode, channels: channels, epsilon: 1e-6, weights["norm_layer"])
        scale = Convolution2D(inputs: code, outputs: channels, kernel: 1, weights["conv_y"])
        shift = Convolution2D(inputs: code, outputs: channels, kernel: 1, weights["conv_b"])
    }

    /// With a code the number of groups is fixed, whatever the configuration says.
    static let groupsWithCode = 32

    /// - Parameter code: `[batch, codeChannels, height′, width′]`
    /// - Returns: the shape of `x`, `[batch, channels, height, width]`
    func callAsFunction(_ x: Tensor, code: Tensor?) -> Tensor {
        guard let scale, let shift, let code else { return norm(x) }
        // Convolved before it is enlarged: the same numbers for less work.
        func enlarged(_ y: Tensor) -> Tensor { y.resizedNearest(height: x.shape[2], width: x.shape[3]) }
        return enlarged(shift(code)).adding(productOf: norm(x), enlarged(scale(code)))
    }

    /// The same for a convolution to compute; with a code it is computed now.
    func deferred(_ x: Tensor, code: Tensor?) -> DeferredNorm {
        scale == nil ? norm.deferred(x) : DeferredNorm(computed: self(x, code: code))
    }
}

/// Two convolutions beside a short cut, without a time. Parameters `norm1.*`, `conv1.*`, `norm2.*`, `conv2.*`,
/// `conv_shortcut.*`.
struct CoderResidualBlock {
    let norm1: CoderNorm
    let convolution1: Convolution2D
    let norm2: CoderNorm
    let convolution2: Convolution2D
    let shortcut: Convolution2D?
    let activation: Activation

    init(inputs: Int, outputs: Int, _ options: CoderOptions, _ weights: Weights) {
        norm1 = CoderNorm(channels: inputs, options, weights["norm1"])
        convolution1 = Convolution2D(
            inputs: inputs, outputs: outputs, kernel: 3, padding: 1, weights["conv1"])
        norm2 = CoderNorm(channels: outputs, options, weights["norm2"])
        convolution2 = Convolution2D(
            inputs: outputs, outputs: outputs, kernel: 3, padding: 1, weights["conv2"])
        shortcut =
            inputs == outputs
            ? nil : Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights["conv_shortcut"])
        activation = options.activation
    }

    /// `[batch, inputs, height, width]` → `[batch, outputs, height, width]`
    func callAsFunction(_ x: Tensor, code: Tensor?) -> Tensor {
        // Between the two, in float32 also where the decoder is in bfloat16: a sixth less is lost.
        let normed1 = norm1.deferred(x, code: code).then(activation)
        let hidden = convolution1(normed1, widens: true)
        let normed2 = norm2.deferred(hidden, code: code).then(activation)
        return convolution2(normed2, adding: shortcut?(x) ?? x)
    }
}

/// Attention of all pixels to each other by one head, added to the picture. Parameters `group_norm.*` (with a
/// code `spatial_norm.*`) and those of `SelfAttention`.
struct CoderAttention {
    let norm: CoderNorm
    let attention: SelfAttention

    init(channels: Int, _ options: CoderOptions, _ weights: Weights) {
        let name = options.codeChannels == nil ? "group_norm" : "spatial_norm"
        norm = CoderNorm(channels: channels, options, weights[name])
        attention = SelfAttention(width: channels, heads: 1, headSize: channels, weights)
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, code: Tensor?) -> Tensor {
        attention.amongPixels(of: norm(x, code: code), adding: x)
    }
}

/// A residual block, and attention where there is some: what is computed again in the backward pass as one.
private func stage(
    _ residual: CoderResidualBlock, _ attention: CoderAttention?, _ x: Tensor, code: Tensor?
) -> Tensor {
    recomputable([x] + (code.map { [$0] } ?? []), dropout: nil) { given in
        let code = given.count > 1 ? given[1] : nil
        let hidden = residual(given[0], code: code)
        return attention?(hidden, code: code) ?? hidden
    }
}

/// Residual blocks at one resolution, each followed by attention where there is some.
/// Parameters `resnets.N.*`, `attentions.N.*`.
struct CoderLevel {
    let residuals: [CoderResidualBlock]
    let attentions: [CoderAttention]

    init(
        inputs: Int, outputs: Int, layers: Int, hasAttention: Bool, _ options: CoderOptions,
        _ weights: Weights
    ) {
        residuals = (0..<layers).map {
            CoderResidualBlock(
                inputs: $0 == 0 ? inputs : outputs, outputs: outputs, options, weights["resnets"][$0])
        }
        attentions = (hasAttention ? 0..<layers : 0..<0).map {
            CoderAttention(channels: outputs, options, weights["attentions"][$0])
        }
    }

    /// `[batch, inputs, height, width]` → `[batch, outputs, height, width]`
    func callAsFunction(_ x: Tensor, code: Tensor?) -> Tensor {
        residuals.enumerated().reduce(x) { x, layer in
            stage(layer.element, attentions.isEmpty ? nil : attentions[layer.offset], x, code: code)
        }
    }
}

/// Residual blocks at the lowest resolution around attention. Parameters `resnets.N.*`, `attentions.0.*`.
struct CoderMiddle {
    let first: CoderResidualBlock
    let attention: CoderAttention?
    let second: CoderResidualBlock

    init(channels: Int, hasAttention: Bool, _ options: CoderOptions, _ weights: Weights) {
        let residuals = weights["resnets"]
        first = CoderResidualBlock(inputs: channels, outputs: channels, options, residuals[0])
        attention =
            hasAttention ? CoderAttention(channels: channels, options, weights["attentions"][0]) : nil
        second = CoderResidualBlock(inputs: channels, outputs: channels, options, residuals[1])
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, code: Tensor?) -> Tensor {
        stage(second, nil, stage(first, attention, x, code: code), code: code)
    }
}
