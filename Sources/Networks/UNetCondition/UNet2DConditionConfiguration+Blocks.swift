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

    func downBlocks(_ weights: Weights) -> [DownBlock] {
        plan.downBlocks(weights) { level, layer, scope in
            switch downBlockTypes[level] {
            case .plain: nil
            case .attention: .pixels(pixelAttention(level, headSize: attentionHeadDim[level], scope))
            case .crossAttention:
                .transformer(
                    transformer(
                        level, layers: transformerLayersPerBlock[level][layer],
                        onlyContext: onlyCrossAttention[level], scope))
            }
        } downsampler: { level, scope in
            Downsampler(channels: blockOutChannels[level], padding: downsamplePadding, scope)
        }
    }

    func middleBlock(_ weights: Weights) -> MiddleBlock? {
        guard let midBlockType else { return nil }
        let level = blockOutChannels.count - 1
        var options = residualOptions
        options.outputScale = midBlockScaleFactor
        func residual(_ index: Int) -> ResidualBlock {
            ResidualBlock(
                inputs: blockOutChannels[level], outputs: blockOutChannels[level], options,
                weights["resnets"][index])
        }
        guard midBlockType == .crossAttention else {
            return MiddleBlock(first: residual(0), attention: nil, second: nil)
        }
        let attention = transformer(
            level, layers: transformerLayersPerBlock[level][0], onlyContext: false, weights["attentions"][0])
        return MiddleBlock(first: residual(0), attention: .transformer(attention), second: residual(1))
    }

    func upBlocks(_ weights: Weights) -> [UpBlock] {
        plan.upBlocks(weights) { upLevel, layer, scope in
            let level = blockOutChannels.count - 1 - upLevel
            switch upBlockTypes[upLevel] {
            case .plain: return nil
            case .attention:
                // diffusers reads this list from its front here, unlike every other list.
                return .pixels(pixelAttention(level, headSize: attentionHeadDim[upLevel], scope))
            case .crossAttention:
                return .transformer(
                    transformer(
                        level, layers: upTransformerLayers(upLevel)[layer],
                        onlyContext: onlyCrossAttention[level], scope))
            }
        } upsampler: { upLevel, scope in
            Upsampler(channels: blockOutChannels[blockOutChannels.count - 1 - upLevel], scope)
        }
    }

    private var plan: UNetPlan {
        UNetPlan(
            widths: blockOutChannels, layers: blockOutChannels.indices.map { layersPerBlock[$0] },
            options: residualOptions)
    }

    private var residualOptions: ResidualOptions {
        ResidualOptions(
            timeWidth: classEmbeddingsConcat ? 2 * timeWidth : timeWidth, groups: normNumGroups,
            epsilon: normEps, activation: actFn, dropout: dropout,
            scalesAndShifts: resnetTimeScaleShift == .scaleShift)
    }

    private func pixelAttention(_ level: Int, headSize: Int, _ weights: Weights) -> PictureAttention {
        PictureAttention(
            channels: blockOutChannels[level], headSize: headSize, groups: normNumGroups, epsilon: normEps,
            weights)
    }

    private func transformer(_ level: Int, layers: Int, onlyContext: Bool, _ weights: Weights)
        -> ContextTransformer
    {
        ContextTransformer(
            channels: blockOutChannels[level], heads: attentionHeadDim[level], layers: layers,
            contextWidth: crossAttentionDim[level], onlyContext: onlyContext,
            ContextTransformer.Options(
                groups: normNumGroups, isLinear: useLinearProjection, upcasts: upcastAttention), weights)
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
