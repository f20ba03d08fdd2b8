import Layers

/// The sizes of a CLIP that is trained anew, both encoders in one list: transformers' keys, those of the encoders behind
/// `vision_` and `text_`. Vocabulary and length of texts follow from the captions.
public struct CLIPSettings: Equatable, Sendable {
    /// Height and width of a picture.
    public var imageSize = 32
    /// Channels of a picture.
    public var numChannels = 3
    /// Height and width of a patch, which becomes a token.
    public var patchSize = 4
    /// Features of a token of a picture.
    public var visionHiddenSize = 128
    /// Features inside the two-layer network of a layer for pictures; four times those of a token where `nil`.
    public var visionIntermediateSize: Int?
    /// Layers for pictures.
    public var visionNumHiddenLayers = 4
    /// Heads of attention for pictures.
    public var visionNumAttentionHeads = 4
    /// Features of a token of a text.
    public var textHiddenSize = 128
    /// Features inside the two-layer network of a layer for texts; four times those of a token where `nil`.
    public var textIntermediateSize: Int?
    /// Layers for texts.
    public var textNumHiddenLayers = 2
    /// Heads of attention for texts.
    public var textNumAttentionHeads = 4
    /// The most merges of byte pairs that are learnt from the captions.
    public var vocabMerges = 1000
    /// Features of the space that texts and pictures share.
    public var projectionDim = 64
    /// The logarithm of the logits' scale before training; by default that of 1 / 0.07.
    public var logitScaleInitValue = 2.6592
    /// The non-linearity of layers.
    public var hiddenAct = Activation.quickGELU

    /// Small encoders.
    public init() {}

    /// The network for texts of a vocabulary.
    /// - Parameters:
    ///   - vocabularySize: tokens that there are; the last one ends a text.
    ///   - length: tokens of a text, start and end included.
    public func configuration(vocabularySize: Int, length: Int) -> CLIPConfiguration {
        var whole = CLIPConfiguration()
        (whole.projectionDim, whole.logitScaleInitValue) = (projectionDim, logitScaleInitValue)
        (whole.visionConfig.imageSize, whole.visionConfig.patchSize) = (imageSize, patchSize)
        (whole.visionConfig.numChannels, whole.visionConfig.projectionDim) = (numChannels, projectionDim)
        whole.visionConfig.hiddenSize = visionHiddenSize
        whole.visionConfig.intermediateSize = visionIntermediateSize ?? 4 * visionHiddenSize
        whole.visionConfig.numHiddenLayers = visionNumHiddenLayers
        whole.visionConfig.numAttentionHeads = visionNumAttentionHeads
        whole.textConfig.hiddenSize = textHiddenSize
        whole.textConfig.intermediateSize = textIntermediateSize ?? 4 * textHiddenSize
        whole.textConfig.numHiddenLayers = textNumHiddenLayers
        whole.textConfig.numAttentionHeads = textNumAttentionHeads
        whole.textConfig.projectionDim = projectionDim
        (whole.textConfig.vocabSize, whole.textConfig.eosTokenId) = (vocabularySize, vocabularySize - 1)
        whole.textConfig.maxPositionEmbeddings = length
        (whole.visionConfig.hiddenAct, whole.textConfig.hiddenAct) = (hiddenAct, hiddenAct)
        return whole
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("vocab_merges", vocabMerges, within: 0...1_000_000)
        try checkRange("vision_hidden_size", visionHiddenSize, within: 1...262_144)
        try checkRange("text_hidden_size", textHiddenSize, within: 1...262_144)
        let whole = configuration(vocabularySize: 514, length: 77)
        try whole.validateShared()
        try behind("vision_") { try whole.visionConfig.validate() }
        try behind("text_") { try whole.textConfig.validate() }
    }

    /// Runs a check whose complaints name keys of an encoder.
    private func behind(_ prefix: String, _ check: () throws -> Void) throws {
        do {
            try check()
        } catch let error as NetworkError {
            let isOwn = Self.keys.contains { $0.name == prefix + error.key }
            throw NetworkError(isOwn ? prefix + error.key : error.key, error.problem)
        }
    }
}

extension CLIPSettings: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("image_size", \.imageSize),
        .init("num_channels", \.numChannels),
        .init("patch_size", \.patchSize),
        .init("vision_hidden_size", \.visionHiddenSize),
        .init("vision_intermediate_size", \.visionIntermediateSize),
        .init("vision_num_hidden_layers", \.visionNumHiddenLayers),
        .init("vision_num_attention_heads", \.visionNumAttentionHeads),
        .init("text_hidden_size", \.textHiddenSize),
        .init("text_intermediate_size", \.textIntermediateSize),
        .init("text_num_hidden_layers", \.textNumHiddenLayers),
        .init("text_num_attention_heads", \.textNumAttentionHeads),
        .init("vocab_merges", \.vocabMerges),
        .init("projection_dim", \.projectionDim),
        .init("logit_scale_init_value", \.logitScaleInitValue),
        .init("hidden_act", choice: \.hiddenAct),
    ]
}

extension CLIPSettings {
    /// The keys that data decide where they are left out.
    public static let fittedKeys: Set = ["image_size", "num_channels", "patch_size"]

    /// The same for the size and the channels of data, where their keys were not given; patches are the largest that
    /// divide a picture into seven by seven at the least.
    public func fitted(to demands: NetworkDemands) -> Self {
        var fitted = self
        demands.set("image_size", &fitted.imageSize, to: demands.size?.height)
        demands.set("num_channels", &fitted.numChannels, to: demands.channels)
        let size = fitted.imageSize
        let patch = size < 1 ? 1 : (1...max(size / 7, 1)).last { size % $0 == 0 }
        demands.set("patch_size", &fitted.patchSize, to: demands.size == nil ? nil : patch)
        return fitted
    }

    /// The number of values, at the least, that live together while one picture passes: what a layer reads and writes.
    public var activationCount: Double {
        let side = imageSize / max(patchSize, 1)
        return Double(side * side + 1) * Double(visionHiddenSize) * 2
    }
}

extension CLIPSettings: TrainableSettings {}
