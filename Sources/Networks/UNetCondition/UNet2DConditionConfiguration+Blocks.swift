import Layers
import Tensors

// The parts of the network that a configuration describes. On the way up levels count from the lowest
// resolution.

extension UNet2DConditionConfiguration {
    /// Features of the embedded time.
    package var timeWidth: Int {
        timeEmbeddingDim ?? (timeEmbeddingType == .fourier ? 2 : 4) * blockOutChannels[0]
    }

    /// Features of a time before it is embedded.
    var timeFeatures: Int { timeEmbeddingType == .fourier ? timeWidth : blockOutChannels[0] }

    /// Residual blocks of a block on the way up.
    func layers(up level: Int) -> Int { layersPerBlock[blockOutChannels.count - 1 - level] + 1 }

    /// Layers of the transformers of a block on the way up.
    func upTransformerLayers(_ level: Int) -> PerLevel<Int> {
        reverseTransformerLayersPerBlock?[level]
            ?? transformerLayersPerBlock[blockOutChannels.count - 1 - level]
    }

    func additionEmbedding(_ weights: Weights) -> TimestepEmbedding? {
        guard additionEmbedType == .textTime, let inputs = projectionClassEmbeddingsInputDim else {
            return nil
        }
        return TimestepEmbedding(inputs: inputs, outputs: timeWidth, weights)
    }

    func pooledContext(_ weights: Weights) -> PooledContext? {
        guard additionEmbedType == .text, let width = contextWidth else { return nil }
        return PooledContext(
            width: width, heads: additionEmbedTypeNumHeads, outputs: timeWidth, weights)
    }

    func contextProjection(_ weights: Weights) -> Linear? {
        guard let encoderHidDim, let width = crossAttentionDim.common else { return nil }
        return Linear(inputs: encoderHidDim, outputs: width, weights)
    }

    func downBlocks(_ weights: Weights) -> [DownBlock] {
        plan.downBlocks(weights) { level, layer, scope in
            attention(
                downBlockTypes[level].kind, level, heads: attentionHeadDim[level],
                layers: transformerLayersPerBlock[level][layer], onlyContext: onlyCrossAttention[level], scope
            )
        } downsampler: { level, scope in
            let (kind, channels) = (downBlockTypes[level].kind, blockOutChannels[level])
            guard kind.isResidual else {
                return Downsampler(channels: channels, padding: downsamplePadding, scope)
            }
            return .residual(
                ResidualBlock(
                    inputs: channels, outputs: channels, residualOptions(kind), resampling: .halved, scope))
        }
    }

    /// Where something can be added on the way down, one place a block and one in the middle: channels, and how many latents stand
    /// for one value along each side. Blocks that look at a context are added to before they halve.
    package var places: [(channels: Int, shrinking: Int)] {
        let last = blockOutChannels.count - 1
        let blocks = blockOutChannels.indices.map { level in
            let isHalved = level < last && !downBlockTypes[level].kind.readsContext
            return (channels: blockOutChannels[level], shrinking: (1 << level) * (isHalved ? 2 : 1))
        }
        return blocks + [(blockOutChannels[last], 1 << last)]
    }

    func middleBlock(_ weights: Weights) -> MiddleBlock? {
        guard let midBlockType else { return nil }
        let level = blockOutChannels.count - 1
        var options = residualOptions(midBlockType.kind)
        options.outputScale = midBlockScaleFactor
        func residual(_ index: Int) -> ResidualBlock {
            ResidualBlock(
                inputs: blockOutChannels[level], outputs: blockOutChannels[level], options,
                weights["resnets"][index])
        }
        // A transformer in the middle always looks among pixels, too.
        let attention = attention(
            midBlockType.kind, level, heads: attentionHeadDim[level],
            layers: transformerLayersPerBlock[level][0],
            onlyContext: midBlockType.kind.attention == .added && middleOnlyCrossAttention,
            weights["attentions"][0])
        return MiddleBlock(
            first: residual(0), attention: attention, second: attention == nil ? nil : residual(1))
    }

    func upBlocks(_ weights: Weights) -> [UpBlock] {
        plan.upBlocks(weights) { upLevel, layer, scope in
            let (kind, level) = (upBlockTypes[upLevel].kind, blockOutChannels.count - 1 - upLevel)
            return attention(
                kind, level,
                // diffusers reads this list from its front where it is the size of heads, unlike every other list.
                heads: attentionHeadDim[kind.attention == .transformer ? level : upLevel],
                layers: upTransformerLayers(upLevel)[layer], onlyContext: onlyCrossAttention[level], scope)
        } upsampler: { upLevel, scope in
            let kind = upBlockTypes[upLevel].kind
            let channels = blockOutChannels[blockOutChannels.count - 1 - upLevel]
            guard kind.isResidual else { return Upsampler(channels: channels, scope) }
            return .residual(
                ResidualBlock(
                    inputs: channels, outputs: channels, residualOptions(kind), resampling: .doubled, scope))
        }
    }

    private var plan: UNetPlan {
        UNetPlan(
            widths: blockOutChannels, layers: blockOutChannels.indices.map { layersPerBlock[$0] },
            down: downBlockTypes.map { residualOptions($0.kind) },
            up: upBlockTypes.map { residualOptions($0.kind) })
    }

    private func residualOptions(_ kind: BlockKind) -> ResidualOptions {
        var options = ResidualOptions(
            timeWidth: classEmbeddingsConcat ? 2 * timeWidth : timeWidth, groups: normNumGroups,
            epsilon: normEps, activation: actFn, dropout: dropout,
            scalesAndShifts: resnetTimeScaleShift == .scaleShift)
        if kind.isResidual { options.outputScale = resnetOutScaleFactor }
        options.activatesTime = resnetSkipTimeAct && !kind.isResidual
        return options
    }

    /// What follows a residual block; `nil` where nothing does.
    /// - Parameters:
    ///   - heads: their number in a transformer, the channels of one elsewhere.
    ///   - layers: blocks of a transformer.
    private func attention(
        _ kind: BlockKind, _ level: Int, heads: Int, layers: @autoclosure () -> Int, onlyContext: Bool,
        _ weights: Weights
    ) -> BlockAttention? {
        let (channels, contextWidth) = (blockOutChannels[level], crossAttentionDim[level])
        guard let attention = kind.attention else { return nil }
        switch attention {
        case .pixels:
            return .pixels(
                PictureAttention(
                    channels: channels, headSize: heads, groups: normNumGroups, epsilon: normEps, weights))
        case .transformer:
            return .transformer(
                ContextTransformer(
                    channels: channels, heads: heads, layers: layers(), contextWidth: contextWidth,
                    onlyContext: onlyContext,
                    ContextTransformer.Options(
                        groups: normNumGroups, isLinear: useLinearProjection, upcasts: upcastAttention),
                    weights))
        case .added:
            return .added(
                AddedContextAttention(
                    channels: channels, headSize: heads, contextWidth: contextWidth,
                    onlyContext: onlyContext,
                    AddedContextAttention.Options(groups: normNumGroups, contextNorm: crossAttentionNorm),
                    weights))
        }
    }
}

extension TimeProjection {
    init(_ configuration: UNet2DConditionConfiguration, _ weights: Weights) {
        switch configuration.timeEmbeddingType {
        case .positional:
            self = .positional(
                width: configuration.timeFeatures, shift: configuration.freqShift,
                cosinesFirst: configuration.flipSinToCos)
        case .fourier:
            let count = configuration.timeFeatures / 2
            self = .fourier(
                frequencies: weights.constant("weight", [count], .normal(deviation: 1)), ofLogarithm: false,
                cosinesFirst: configuration.flipSinToCos)
        }
    }
}

extension ClassEmbedding {
    init?(_ configuration: UNet2DConditionConfiguration, _ weights: Weights) {
        let width = configuration.timeWidth
        let vector = configuration.projectionClassEmbeddingsInputDim ?? 0
        switch configuration.classEmbedType {
        case .timestep:
            self = .times(
                TimestepEmbedding(
                    inputs: configuration.timeFeatures, outputs: width, activation: configuration.actFn,
                    weights))
        case .identity: self = .identity
        case .projection:
            self = .vectors(TimestepEmbedding(inputs: vector, outputs: width, weights))
        case .simpleProjection:
            self = .projected(Linear(inputs: vector, outputs: width, weights))
        case nil:
            guard let count = configuration.numClassEmbeds else { return nil }
            self = .table(Embedding(count: count, width: width, weights))
        }
    }
}
