import Layers
import Tensors

/// Attention of all pixels to each other, added to the picture. Parameters `group_norm.*` and those
/// of `SelfAttention`.
/// Source: Ho et al. 2020 (arXiv:2006.11239), appendix B.
struct PictureAttention {
    let norm: GroupNorm?
    let attention: SelfAttention
    let outputScale: Double

    /// - Parameters:
    ///   - headSize: channels of one head.
    ///   - groups: groups of the norm; without them there is none.
    init(
        channels: Int, headSize: Int, groups: Int?, epsilon: Double, outputScale: Double = 1,
        _ weights: Weights
    ) {
        norm = groups.map {
            GroupNorm(groups: $0, channels: channels, epsilon: epsilon, weights["group_norm"])
        }
        attention = SelfAttention(width: channels, heads: channels / headSize, headSize: headSize, weights)
        self.outputScale = outputScale
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let sum = attention.amongPixels(of: norm?(x) ?? x, adding: x)
        return outputScale == 1 ? sum : sum / outputScale
    }
}
