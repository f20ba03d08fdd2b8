import Layers
import Tensors

/// What happens at one resolution on one way: the time is added, residual blocks follow, then attention where there is any.
/// Parameters `emb_proj.*`, `resnets.N.*`, `attention.*`.
/// Source: Saharia et al. 2022 (arXiv:2205.11487), figures A.28 and A.29.
struct EfficientLevel {
    let timeProjection: Linear
    let residuals: [EfficientResidual]
    let attention: BlockAttention?

    /// - Parameters:
    ///   - inputs: channels of what it reads; all blocks but the first have those of the level.
    init(_ configuration: EfficientUNetConfiguration, level: Int, inputs: Int, _ weights: Weights) {
        let channels = configuration.widths[level]
        timeProjection = Linear(
            inputs: configuration.timeWidth, outputs: inputs, weights["emb_proj"])
        residuals = (0..<configuration.residualBlocks[level]).map {
            EfficientResidual(
                inputs: $0 == 0 ? inputs : channels, outputs: channels, groups: configuration.normNumGroups,
                dropout: configuration.dropout, weights["resnets"][$0])
        }
        attention =
            configuration.attention[level]
            ? configuration.attention(channels: channels, weights["attention"]) : nil
    }

    /// `[batch, inputs, height, width]` → `[batch, channels, height, width]`
    func callAsFunction(
        _ x: Tensor, time: Tensor, _ inputs: AttentionInputs, dropout: RandomGenerator?
    ) -> Tensor {
        var hidden = x + timeProjection(time).broadcast(toRank: 4)
        for residual in residuals {
            hidden = recomputable([hidden], dropout: dropout) { residual($0[0], dropout: dropout) }
        }
        guard let attention else { return hidden }
        let context = attention.contextLayers.isEmpty ? [] : inputs.context.map { [$0] } ?? []
        return recomputable([hidden] + context, dropout: nil) { given in
            var inputs = inputs
            inputs.context = given.count > 1 ? given[1] : nil
            return attention(given[0], inputs)
        }
    }
}

extension EfficientUNetConfiguration {
    /// Attention at a resolution: to the context and among pixels at once, or among pixels alone.
    func attention(channels: Int, _ weights: Weights) -> BlockAttention {
        guard attendsToContext, let crossAttentionDim else {
            return .pixels(
                PictureAttention(
                    channels: channels, headSize: attentionHeadDim, groups: normNumGroups, epsilon: 1e-5,
                    weights))
        }
        return .added(
            AddedContextAttention(
                channels: channels, headSize: attentionHeadDim, contextWidth: crossAttentionDim,
                onlyContext: false, AddedContextAttention.Options(groups: normNumGroups, contextNorm: .layer),
                weights))
    }
}
