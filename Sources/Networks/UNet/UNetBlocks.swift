import Layers
import Tensors

/// How a U-Net halves a picture at the end of a block.
enum Downsampler {
    /// A convolution of stride 2; without padding, the right and bottom edges get a row of zeros.
    case convolution(Convolution2D, padding: Int)
    /// A residual block that averages 2 × 2 pixels.
    case residual(ResidualBlock)

    /// The convolution, its parameters `conv.*`.
    init(channels: Int, padding: Int, _ weights: Weights) {
        let convolution = Convolution2D(
            inputs: channels, outputs: channels, kernel: 3, stride: 2, padding: padding, weights["conv"])
        self = .convolution(convolution, padding: padding)
    }

    func callAsFunction(_ x: Tensor, time: Tensor, dropout: RandomGenerator?) -> Tensor {
        switch self {
        case .convolution(let convolution, let padding):
            convolution(padding == 0 ? x.padded([0, 1, 0, 1]) : x)
        case .residual(let block): block(x, time: time, dropout: dropout)
        }
    }
}

/// How a U-Net doubles a picture at the end of a block.
enum Upsampler {
    /// Each pixel repeated, then a convolution.
    case convolution(Convolution2D)
    /// A residual block that repeats each pixel.
    case residual(ResidualBlock)

    /// The convolution, its parameters `conv.*`.
    init(channels: Int, _ weights: Weights) {
        self = .convolution(
            Convolution2D(inputs: channels, outputs: channels, kernel: 3, padding: 1, weights["conv"]))
    }

    /// - Parameter target: what the way up reads next; the convolution meets its height and width where they
    ///   were odd before they were halved.
    func callAsFunction(_ x: Tensor, to target: Tensor?, time: Tensor, dropout: RandomGenerator?) -> Tensor {
        switch self {
        case .convolution(let convolution):
            let (height, width) = (target?.shape[2] ?? 2 * x.shape[2], target?.shape[3] ?? 2 * x.shape[3])
            let isDoubled = height == 2 * x.shape[2] && width == 2 * x.shape[3]
            return convolution(
                isDoubled ? x.enlargedNearest(2) : x.resizedNearest(height: height, width: width))
        case .residual(let block): return block(x, time: time, dropout: dropout)
        }
    }
}

/// What follows a residual block at a resolution with attention.
enum BlockAttention {
    /// Pixels look at each other.
    case pixels(PictureAttention)
    /// Pixels look at each other and at a context.
    case transformer(ContextTransformer)
    /// Pixels look at a context and at each other at once.
    case added(AddedContextAttention)

    /// The layers that look at the context.
    var contextLayers: [any ContextLayer] {
        switch self {
        case .pixels: []
        case .transformer(let transformer): transformer.blocks.flatMap(\.contextLayers)
        case .added(let attention): [attention]
        }
    }

    func callAsFunction(_ x: Tensor, _ inputs: AttentionInputs) -> Tensor {
        switch self {
        case .pixels(let attention): attention(x)
        case .transformer(let transformer): transformer(x, inputs)
        case .added(let attention): attention(x, inputs)
        }
    }
}

/// A residual block, and attention where there is some: what is computed again in the backward pass as one.
/// - Parameter pictures: what is joined along the channels and read.
private func stage(
    _ residual: ResidualBlock, _ attention: BlockAttention?, _ pictures: [Tensor], time: Tensor,
    _ inputs: AttentionInputs, _ dropout: RandomGenerator?
) -> Tensor {
    let context = inputs.context.map { [$0] } ?? []
    return recomputable([time] + context + pictures, dropout: dropout) { [count = pictures.count] given in
        let pictures = Array(given.suffix(count))
        let x = count == 1 ? pictures[0] : joined(pictures)
        let hidden = residual(x, time: given[0], dropout: dropout)
        var inputs = inputs
        if inputs.context != nil { inputs.context = given[1] }
        return attention?(hidden, inputs) ?? hidden
    }
}

/// Residual blocks at one resolution on the way down, each followed by attention where there is some.
/// Parameters `resnets.N.*`, `attentions.N.*`, `downsamplers.0.*`.
struct DownBlock {
    let residuals: [ResidualBlock]
    let attentions: [BlockAttention]
    let downsampler: Downsampler?

    /// `[batch, channels, height, width]` → half of height and width, unless this is the last block.
    /// - Parameters:
    ///   - added: added to the features: before they are halved where the block looks at a context, else at its end.
    ///   - skips: receives what the way up will read.
    func callAsFunction(
        _ x: Tensor, time: Tensor, attention: AttentionInputs = AttentionInputs(),
        adding added: Tensor? = nil,
        skips: inout [Tensor], dropout: RandomGenerator?
    ) -> Tensor {
        let readsContext = attentions.contains { !$0.contextLayers.isEmpty }
        let isEarly = readsContext || downsampler == nil
        let kept = kept(
            x, time: time, attention: attention, adding: isEarly ? added : nil, skips: &skips,
            dropout: dropout)
        guard let downsampler else { return kept }
        var halved = downsampler(kept, time: time, dropout: dropout)
        if let added, !isEarly { halved = halved + added }
        skips.append(halved)
        return halved
    }

    /// The same without halving.
    func kept(
        _ x: Tensor, time: Tensor, attention: AttentionInputs, adding added: Tensor? = nil,
        skips: inout [Tensor], dropout: RandomGenerator?
    ) -> Tensor {
        var x = x
        for (index, residual) in residuals.enumerated() {
            let attended = attentions.isEmpty ? nil : attentions[index]
            x = stage(residual, attended, [x], time: time, attention, dropout)
            if let added, index == residuals.count - 1 { x = x + added }
            skips.append(x)
        }
        return x
    }
}

/// Residual blocks at the lowest resolution, around attention where there are two.
/// Parameters `resnets.N.*`, `attentions.0.*`.
struct MiddleBlock {
    let first: ResidualBlock
    let attention: BlockAttention?
    let second: ResidualBlock?

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(
        _ x: Tensor, time: Tensor, attention inputs: AttentionInputs = AttentionInputs(),
        dropout: RandomGenerator?
    ) -> Tensor {
        let mixed = stage(first, attention, [x], time: time, inputs, dropout)
        guard let second else { return mixed }
        return stage(second, nil, [mixed], time: time, inputs, dropout)
    }
}

/// Residual blocks at one resolution on the way up; each also reads what the way down left there.
/// Parameters `resnets.N.*`, `attentions.N.*`, `upsamplers.0.*`.
struct UpBlock {
    let residuals: [ResidualBlock]
    let attentions: [BlockAttention]
    let upsampler: Upsampler?

    /// `[batch, channels, height, width]` → twice the height and width, unless this is the last block.
    /// - Parameter skips: loses one tensor to each residual block.
    func callAsFunction(
        _ x: Tensor, time: Tensor, attention: AttentionInputs = AttentionInputs(), skips: inout [Tensor],
        dropout: RandomGenerator?
    ) -> Tensor {
        var x = x
        for (index, residual) in residuals.enumerated() {
            let attended = attentions.isEmpty ? nil : attentions[index]
            x = stage(residual, attended, [x, skips.removeLast()], time: time, attention, dropout)
        }
        return upsampler?(x, to: skips.last, time: time, dropout: dropout) ?? x
    }
}
