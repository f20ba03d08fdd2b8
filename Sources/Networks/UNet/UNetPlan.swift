import Layers

/// How channels run through a U-Net, from the highest resolution to the lowest and back: what the U-Nets of
/// this room have in common. On the way up levels count from the lowest resolution.
struct UNetPlan {
    /// Makes the attention after a residual block, if there is any.
    typealias AttentionMaker = (_ level: Int, _ layer: Int, _ weights: Weights) -> BlockAttention?

    /// Channels at each resolution, from the highest.
    let widths: [Int]
    /// Residual blocks at each resolution on the way down; there is one more on the way up.
    let layers: [Int]
    /// What the residual blocks at each resolution on the way down have in common.
    let down: [ResidualOptions]
    /// The same for the way up.
    let up: [ResidualOptions]

    /// The blocks on the way down; the last one does not halve.
    func downBlocks(
        _ weights: Weights, attention: AttentionMaker,
        downsampler: (_ level: Int, _ weights: Weights) -> Downsampler
    ) -> [DownBlock] {
        widths.indices.map { level in
            let scope = weights[level]
            let outputs = widths[level]
            return DownBlock(
                residuals: (0..<layers[level]).map {
                    let inputs = $0 == 0 ? widths[max(level - 1, 0)] : outputs
                    return ResidualBlock(
                        inputs: inputs, outputs: outputs, down[level], scope["resnets"][$0])
                },
                attentions: (0..<layers[level]).compactMap { attention(level, $0, scope["attentions"][$0]) },
                downsampler: level == widths.count - 1 ? nil : downsampler(level, scope["downsamplers"][0]))
        }
    }

    /// The blocks on the way up; the last one does not double.
    func upBlocks(
        _ weights: Weights, attention: AttentionMaker,
        upsampler: (_ level: Int, _ weights: Weights) -> Upsampler
    ) -> [UpBlock] {
        let widths = Array(widths.reversed())
        let last = widths.count - 1
        return widths.indices.map { level in
            let scope = weights[level]
            let outputs = widths[level]
            let final = layers[last - level]
            return UpBlock(
                residuals: (0...final).map {
                    let below = $0 == 0 ? widths[max(level - 1, 0)] : outputs
                    let skipped = $0 == final ? widths[min(level + 1, last)] : outputs
                    return ResidualBlock(
                        inputs: below + skipped, outputs: outputs, up[level], scope["resnets"][$0])
                },
                attentions: (0...final).compactMap { attention(level, $0, scope["attentions"][$0]) },
                upsampler: level == last ? nil : upsampler(level, scope["upsamplers"][0]))
        }
    }
}
