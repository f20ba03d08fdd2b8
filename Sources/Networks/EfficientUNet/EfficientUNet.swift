import Layers
import Tensors

/// Imagen's efficient U-Net: a U-Net with most of its residual blocks where pictures are small, what the way up reads of the
/// way down scaled by 1/√2, pictures halved before the convolutions of a resolution, and doubled after them.
///
/// Parameters `conv_in.*`, `time_embedding.*`, `class_embedding.*`, `add_embedding.*` (the context as one vector), `down.N.*`
/// with `downsample.*` but for the first, `up.N.*` from the lowest resolution with `upsample.*` but for the last,
/// `conv_norm_out.*`, `conv_out.*`, `noise_level_embedding.*` of a network that reads how much noise lies on the smaller
/// picture which it enlarges.
/// Source: Saharia et al. 2022 (arXiv:2205.11487), section 2.4.1 and appendix B; the context, section 2.4;
/// the smaller picture and its noise, section 2.5.
public struct EfficientUNet: Sendable {
    /// What the network was built from.
    public let configuration: EfficientUNetConfiguration
    /// How many heads of attention are computed at once.
    public var attentionSlicing = AttentionSlicing.whole

    let inputConvolution: Convolution2D
    let timeEmbedding: TimestepEmbedding
    let classes: ClassTable
    let pooledContext: PooledContext?
    let noiseLevelEmbedding: TimestepEmbedding?
    let down: [EfficientLevel]
    let downsamplers: [Convolution2D]
    let up: [EfficientLevel]
    let upsamplers: [Convolution2D]
    let outputNorm: GroupNorm
    let outputConvolution: Convolution2D

    /// What the way up reads of the way down is multiplied with.
    static let skipScale = 0.5.squareRoot()

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: EfficientUNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (widths, timeWidth) = (configuration.widths, configuration.timeWidth)
        let last = widths.count - 1
        inputConvolution = Convolution2D(
            inputs: configuration.inChannels * (configuration.lowResolutionFactor == nil ? 1 : 2),
            outputs: widths[0], kernel: 3, padding: 1, weights["conv_in"])
        timeEmbedding = TimestepEmbedding(
            inputs: configuration.width, outputs: timeWidth, weights["time_embedding"])
        classes = ClassTable(
            count: configuration.numClassEmbeds, width: timeWidth, weights["class_embedding"])
        pooledContext = (configuration.poolsContext ? configuration.crossAttentionDim : nil).map {
            PooledContext(
                width: $0, heads: configuration.poolingHeads, outputs: timeWidth, weights["add_embedding"])
        }
        noiseLevelEmbedding =
            configuration.hasNoiseLevel
            ? TimestepEmbedding(
                inputs: configuration.width, outputs: timeWidth, weights["noise_level_embedding"]) : nil
        downsamplers = (0..<last).map {
            Convolution2D(
                inputs: widths[$0], outputs: widths[$0 + 1], kernel: 3, stride: 2, padding: 1,
                weights["down"][$0 + 1]["downsample"])
        }
        down = widths.indices.map {
            EfficientLevel(configuration, level: $0, inputs: widths[$0], weights["down"][$0])
        }
        // At the lowest resolution there is nothing to read but what comes from there.
        up = widths.indices.map { up in
            let level = last - up
            return EfficientLevel(
                configuration, level: level, inputs: level == last ? widths[level] : 2 * widths[level],
                weights["up"][up])
        }
        upsamplers = (0..<last).map { up in
            Convolution2D(
                inputs: widths[last - up], outputs: widths[last - up - 1], kernel: 3, padding: 1,
                weights["up"][up]["upsample"])
        }
        outputNorm = GroupNorm(
            groups: configuration.normNumGroups, channels: widths[0], weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: widths[0], outputs: configuration.outChannels ?? configuration.inChannels, kernel: 3,
            padding: 1, weights["conv_out"])
    }

    /// The network's output for a batch; height and width are multiples of 2 to the number of resolutions less one.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - conditions: labels, a context, a picture of lower resolution `[batch, inChannels, …]` and its noise level `[batch]`
    ///     or `[1]`, each where the configuration has it, and only there.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`; a learned variance follows the first half of the channels.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions = Conditions(), dropout: RandomGenerator? = nil
    ) -> Tensor {
        conditions.checkRead(Self.conditionNames, by: Self.className)
        let context = conditions[.context]
        precondition(
            (context != nil) == (configuration.crossAttentionDim != nil),
            "a context goes with 'cross_attention_dim', and with nothing else")
        let waves = sinusoidalEmbedding(time, width: configuration.width).to(x.elementType)
        var embedded = classes.adding(conditions[.labels], to: timeEmbedding(waves))
        if let pooledContext, let context {
            embedded = embedded + (conditions[.projections]?.pooled ?? pooledContext(context))
        }
        if let noiseLevelEmbedding {
            guard let level = conditions[.noiseLevel] else {
                preconditionFailure("the network reads a noise level, and there is none")
            }
            let waves = sinusoidalEmbedding(level, width: configuration.width).to(x.elementType)
            embedded = embedded + noiseLevelEmbedding(waves)
        }
        let condition = embedded.silu()
        let inputs = AttentionInputs(
            context: context, projections: conditions[.projections], slicing: attentionSlicing)
        var (hidden, skips) = (inputConvolution(enlarging(conditions[.lowResolution], beside: x)), [Tensor]())
        for (level, block) in down.enumerated() {
            if level > 0 { hidden = downsamplers[level - 1](hidden) }
            hidden = block(hidden, time: condition, inputs, dropout: dropout)
            skips.append(hidden)
        }
        for (level, block) in up.enumerated() {
            let skip = skips.removeLast()
            if level > 0 { hidden = concatenated([hidden, skip * Self.skipScale], along: 1) }
            hidden = block(hidden, time: condition, inputs, dropout: dropout)
            if level < upsamplers.count { hidden = upsamplers[level](hidden.enlargedNearest(2)) }
        }
        return outputConvolution(outputNorm.deferred(hidden).then(.silu))
    }

    /// A noisy picture with the one of lower resolution beside it, brought to its size.
    private func enlarging(_ low: Tensor?, beside x: Tensor) -> Tensor {
        precondition(
            (low != nil) == (configuration.lowResolutionFactor != nil),
            "a picture of lower resolution goes with a network that enlarges it, and with no other")
        guard let low else { return x }
        let resized = low.to(x.elementType).resizedBilinear(height: x.shape[2], width: x.shape[3])
        return concatenated([x, resized], along: 1)
    }

    /// The same conditions with what the network makes of the context alone.
    public func preparing(_ conditions: Conditions) -> Conditions {
        guard let context = conditions[.context] else { return conditions }
        let layers = (down + up).flatMap { $0.attention?.contextLayers ?? [] }
        var prepared = conditions
        prepared[.projections] = ContextProjections(
            Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0.projection(of: context)) }),
            pooled: pooledContext?(context))
        return prepared
    }
}
