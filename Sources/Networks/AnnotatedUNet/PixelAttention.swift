import Layers
import Tensors

/// Attention of all pixels to each other in 4 heads of 32 channels, added to the picture.
/// Parameters `fn.norm.*`, `fn.fn.to_qkv.weight`, `fn.fn.to_out.*`.
struct PixelAttention {
    static let heads = 4
    static let headSize = 32

    /// How the mixing is computed.
    enum Kind {
        /// Every pixel weighs every other: softmax(q·k/√32)·v. Vaswani et al. 2017 (arXiv:1706.03762).
        case full
        /// Keys are weighed over pixels first, so that the cost grows with the number of pixels.
        /// Shen et al. 2021 (arXiv:1812.01243).
        case linear
    }

    let kind: Kind
    let norm: GroupNorm
    let projection: Convolution2D
    let output: Convolution2D
    let outputNorm: GroupNorm?

    init(_ kind: Kind, channels: Int, _ weights: Weights) {
        let inner = Self.heads * Self.headSize
        let scope = weights["fn"]["fn"]
        self.kind = kind
        norm = GroupNorm(groups: 1, channels: channels, weights["fn"]["norm"])
        projection = Convolution2D(
            inputs: channels, outputs: 3 * inner, kernel: 1, bias: false, scope["to_qkv"])
        switch kind {
        case .full:
            output = Convolution2D(inputs: inner, outputs: channels, kernel: 1, scope["to_out"])
            outputNorm = nil
        case .linear:
            output = Convolution2D(inputs: inner, outputs: channels, kernel: 1, scope["to_out"][0])
            outputNorm = GroupNorm(groups: 1, channels: channels, scope["to_out"][1])
        }
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let shape = x.shape
        let parts = projection(norm(x)).chunked(3, of: 1).map {
            $0.reshaped([shape[0], Self.heads, Self.headSize, shape[2] * shape[3]])
        }
        let mixed = mix(parts[0], parts[1], parts[2])
        let projected = output(mixed.reshaped([shape[0], Self.heads * Self.headSize, shape[2], shape[3]]))
        return x + (outputNorm?(projected) ?? projected)
    }

    /// Three times `[batch, heads, head size, pixels]` → the same.
    private func mix(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> Tensor {
        switch kind {
        case .full:
            return attention(
                query: query.transposed(), key: key.transposed(), value: value.transposed()
            ).transposed()
        case .linear:
            let weighed = query.softmax(-2) * (1 / Double(Self.headSize).squareRoot())
            let context = value.matmul(key.softmax(-1).transposed())
            return context.matmul(weighed)
        }
    }
}
