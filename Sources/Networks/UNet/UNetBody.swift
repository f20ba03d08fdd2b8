import Tensors

/// The way down, the middle and the way up: what the U-Nets of this room have in common between their first convolution
/// and their last.
struct UNetBody {
    let down: [DownBlock]
    let middle: MiddleBlock?
    let up: [UpBlock]

    /// - Parameters:
    ///   - x: what the first convolution gave, `[batch, channels, height, width]`.
    ///   - time: the embedded time after the non-linearity.
    ///   - control: what is added on the way.
    ///   - deep: the features of the deep layers in earlier calls, in inference without control.
    /// - Returns: `[batch, channels′, height, width]`
    func callAsFunction(
        _ x: Tensor, time: Tensor, attention: AttentionInputs = AttentionInputs(),
        control: Conditions.Control? = nil, deep: DeepFeatures? = nil, dropout: RandomGenerator?
    ) -> Tensor {
        let last = up[up.count - 1]
        if control == nil, let below = deep?.reused(for: x) {
            var skips = [x]
            _ = down[0].kept(x, time: time, attention: attention, skips: &skips, dropout: dropout)
            return last(below, time: time, attention: attention, skips: &skips, dropout: dropout)
        }
        var (hidden, skips) = (x, [x])
        let within = control?.within ?? []
        for (index, block) in down.enumerated() {
            hidden = block(
                hidden, time: time, attention: attention,
                adding: index < within.count ? within[index] : nil, skips: &skips, dropout: dropout)
        }
        skips = control?.added(to: skips) ?? skips
        if let middle { hidden = middle(hidden, time: time, attention: attention, dropout: dropout) }
        if within.count > down.count { hidden = hidden + within[down.count] }
        if let added = control?.middle { hidden = hidden + added }
        for block in up.dropLast() {
            hidden = block(hidden, time: time, attention: attention, skips: &skips, dropout: dropout)
        }
        deep?.keep(hidden)
        return last(hidden, time: time, attention: attention, skips: &skips, dropout: dropout)
    }

    /// The layers that look at the context.
    var contextLayers: [any ContextLayer] {
        let blocks = down.flatMap(\.attentions) + [middle?.attention].compactMap(\.self)
        return (blocks + up.flatMap(\.attentions)).flatMap(\.contextLayers)
    }
}
