import Layers
import Tensors

/// One block of an `MMDiT`: joint attention, then a feed-forward network for each stream. In the network's
/// last block the context is only read. Parameters `norm1.*`, `norm1_context.*`, `attn.*`, `attn2.*`, `ff.*`,
/// `ff_context.*`.
/// Source: Esser et al. 2024 (arXiv:2403.03206), figure 2; the second attention is that of Stable
/// Diffusion 3.5 medium (MMDiT-X).
struct JointBlock {
    let norm: LayerNorm
    let modulation: Modulation
    let contextModulation: Modulation
    let attention: JointAttention
    let secondAttention: JointAttention?
    let feedForward: FeedForward
    let contextFeedForward: FeedForward?

    /// Whether the context changes: in the last block it is only read.
    var answersContext: Bool { contextFeedForward != nil }

    /// - Parameter answersContext: whether the context changes, too.
    init(_ configuration: MMDiTConfiguration, layer: Int, answersContext: Bool, _ weights: Weights) {
        let width = configuration.width
        let isDual = configuration.dualAttentionLayers.contains(layer)
        norm = LayerNorm(width: width, epsilon: 1e-6, affine: false, weights)
        modulation = Modulation(width: width, count: isDual ? 9 : 6, weights["norm1"]["linear"])
        contextModulation = Modulation(
            width: width, count: answersContext ? 6 : 2, weights["norm1_context"]["linear"])
        attention = JointAttention(
            configuration, hasContext: true, answersContext: answersContext, weights["attn"])
        secondAttention =
            isDual
            ? JointAttention(configuration, hasContext: false, answersContext: false, weights["attn2"]) : nil
        feedForward = FeedForward(width: width, .geluApproximate, weights["ff"])
        contextFeedForward =
            answersContext ? FeedForward(width: width, .geluApproximate, weights["ff_context"]) : nil
    }

    /// - Parameters:
    ///   - x: `[batch, patches, width]`
    ///   - context: `[batch, tokens, width]`
    ///   - condition: the embedded condition after the non-linearity, `[batch, width]`.
    /// - Returns: both, in their shapes.
    func callAsFunction(_ x: Tensor, context: Tensor, condition: Tensor) -> (Tensor, Tensor) {
        let (parts, contextParts) = (modulation(condition), contextModulation(condition))
        let (answer, contextAnswer) = attention(
            norm(x, shift: parts[0], scale: parts[1]),
            context: modulatedContext(context, contextParts))
        var hidden = x.adding(answer, gatedBy: parts[2])
        if let secondAttention {
            let second = secondAttention(norm(x, shift: parts[6], scale: parts[7])).picture
            hidden = hidden.adding(second, gatedBy: parts[8])
        }
        hidden = fed(hidden, feedForward, parts)
        guard let contextFeedForward, let contextAnswer else { return (hidden, context) }
        let read = context.adding(contextAnswer, gatedBy: contextParts[2])
        return (hidden, fed(read, contextFeedForward, contextParts))
    }

    /// Where the context is only read, diffusers has the scale before the shift.
    private func modulatedContext(_ context: Tensor, _ parts: [Tensor]) -> Tensor {
        contextFeedForward == nil
            ? norm(context, shift: parts[1], scale: parts[0])
            : norm(context, shift: parts[0], scale: parts[1])
    }

    private func fed(_ x: Tensor, _ feedForward: FeedForward, _ parts: [Tensor]) -> Tensor {
        feedForward(norm(x, shift: parts[3], scale: parts[4]), adding: x, gatedBy: parts[5])
    }
}
