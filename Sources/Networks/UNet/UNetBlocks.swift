import Layers
import Tensors

/// How a U-Net halves a picture at the end of a block.
enum Downsampler {
    /// A convolution of stride 2; without padding, the right and bottom edges get a row of zeros.
    case convolution(Convolution2D, padding: Int)
    /// A residual block that averages 2 × 2 pixels.
    case residual(ResidualBlock)

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

    func callAsFunction(_ x: Tensor, time: Tensor, dropout: RandomGenerator?) -> Tensor {
        switch self {
        case .convolution(let convolution): convolution(x.enlargedNearest(2))
        case .residual(let block): block(x, time: time, dropout: dropout)
        }
    }
}

/// Residual blocks at one resolution on the way down, each followed by attention where there is some.
/// Parameters `resnets.N.*`, `attentions.N.*`, `downsamplers.0.*`.
struct DownBlock {
    let residuals: [ResidualBlock]
    let attentions: [PictureAttention]
    let downsampler: Downsampler?

    /// `[batch, channels, height, width]` → half of height and width, unless this is the last block.
    /// - Parameter skips: receives what the way up will read.
    func callAsFunction(
        _ x: Tensor, time: Tensor, skips: inout [Tensor], dropout: RandomGenerator?
    ) -> Tensor {
        var x = x
        for (index, residual) in residuals.enumerated() {
            x = residual(x, time: time, dropout: dropout)
            if !attentions.isEmpty { x = attentions[index](x) }
            skips.append(x)
        }
        guard let downsampler else { return x }
        x = downsampler(x, time: time, dropout: dropout)
        skips.append(x)
        return x
    }
}

/// Residual blocks at the lowest resolution around attention. Parameters `resnets.N.*`, `attentions.0.*`.
struct MiddleBlock {
    let first: ResidualBlock
    let attention: PictureAttention?
    let second: ResidualBlock

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, time: Tensor, dropout: RandomGenerator?) -> Tensor {
        let x = first(x, time: time, dropout: dropout)
        return second(attention?(x) ?? x, time: time, dropout: dropout)
    }
}

/// Residual blocks at one resolution on the way up; each also reads what the way down left there.
/// Parameters `resnets.N.*`, `attentions.N.*`, `upsamplers.0.*`.
struct UpBlock {
    let residuals: [ResidualBlock]
    let attentions: [PictureAttention]
    let upsampler: Upsampler?

    /// `[batch, channels, height, width]` → twice the height and width, unless this is the last block.
    /// - Parameter skips: loses one tensor to each residual block.
    func callAsFunction(
        _ x: Tensor, time: Tensor, skips: inout [Tensor], dropout: RandomGenerator?
    ) -> Tensor {
        var x = x
        for (index, residual) in residuals.enumerated() {
            x = residual(concatenated([x, skips.removeLast()], along: 1), time: time, dropout: dropout)
            if !attentions.isEmpty { x = attentions[index](x) }
        }
        return upsampler?(x, time: time, dropout: dropout) ?? x
    }
}
