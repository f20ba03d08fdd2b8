// What sets the kinds of blocks apart. A kind of block is a row here.

extension UNet2DConditionConfiguration {
    /// What follows the residual blocks of a block.
    enum AttentionKind {
        /// Pixels look at each other.
        case pixels
        /// A transformer: pixels look at each other, then at the context.
        case transformer
        /// Pixels look at the context and at each other at once.
        case added
    }

    /// What a kind of block is made of.
    struct BlockKind {
        /// What follows its residual blocks, if anything.
        var attention: AttentionKind?
        /// Whether it changes the resolution by a residual block rather than by a convolution, and has the network's
        /// own way of adding residuals and reading the time (`resnetOutScaleFactor`, `resnetSkipTimeAct`).
        var isResidual = false

        /// Whether it looks at the context.
        var readsContext: Bool { attention == .transformer || attention == .added }
    }
}

extension UNet2DConditionConfiguration.DownBlockType {
    var kind: UNet2DConditionConfiguration.BlockKind {
        switch self {
        case .plain: .init()
        case .attention: .init(attention: .pixels)
        case .crossAttention: .init(attention: .transformer)
        case .residual: .init(isResidual: true)
        case .simpleCrossAttention: .init(attention: .added, isResidual: true)
        }
    }
}

extension UNet2DConditionConfiguration.MidBlockType {
    var kind: UNet2DConditionConfiguration.BlockKind {
        switch self {
        case .plain: .init()
        case .crossAttention: .init(attention: .transformer)
        case .simpleCrossAttention: .init(attention: .added, isResidual: true)
        }
    }
}

extension UNet2DConditionConfiguration.UpBlockType {
    var kind: UNet2DConditionConfiguration.BlockKind {
        switch self {
        case .plain: .init()
        case .attention: .init(attention: .pixels)
        case .crossAttention: .init(attention: .transformer)
        case .residual: .init(isResidual: true)
        case .simpleCrossAttention: .init(attention: .added, isResidual: true)
        }
    }
}

extension UNet2DConditionConfiguration {
    /// The kinds of all blocks.
    var blockKinds: [BlockKind] {
        downBlockTypes.map(\.kind) + [midBlockType?.kind].compactMap(\.self) + upBlockTypes.map(\.kind)
    }

    /// Whether the network must be given a context.
    public var looksAtContext: Bool {
        additionEmbedType == .text || blockKinds.contains { $0.readsContext }
    }

    /// Features of a token of the context as it is given; `nil` where parts of the network take different ones.
    var contextWidth: Int? { encoderHidDim ?? crossAttentionDim.common }

    /// Whether pixels look at the context only in the middle, if its block knows that.
    var middleOnlyCrossAttention: Bool {
        midBlockOnlyCrossAttention ?? onlyCrossAttention.common ?? false
    }
}
