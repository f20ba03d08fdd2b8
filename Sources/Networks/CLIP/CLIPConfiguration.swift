/// The configuration of a `CLIP`: the keys and defaults of transformers' `CLIPConfig` (version 5).
public struct CLIPConfiguration: Equatable, Sendable {
    /// The encoder of texts.
    public var textConfig = CLIPTextConfiguration()
    /// The encoder of pictures.
    public var visionConfig = CLIPVisionConfiguration()
    /// Features of the space that texts and pictures share; what the encoders' configurations give for it
    /// does not count here.
    public var projectionDim = 512
    /// The logarithm of the logits' scale before training.
    public var logitScaleInitValue = 2.6592

    /// The defaults of transformers.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try validateShared()
        try textConfig.validate()
        try visionConfig.validate()
    }

    /// Checks what both encoders share.
    func validateShared() throws {
        try checkRange("projection_dim", projectionDim, within: 1...1_048_576)
        guard logitScaleInitValue.isFinite else {
            throw NetworkError("logit_scale_init_value", "is \(logitScaleInitValue): use a number")
        }
    }
}

extension CLIPConfiguration: ConfigurationTable {
    // Early files have the encoders' configurations a second time, and those count.
    package static let keys: [ConfigurationKey<Self>] = [
        .init("text_config", part: \.textConfig),
        .init("vision_config", part: \.visionConfig),
        .init("text_config_dict", part: \.textConfig, isWritten: false),
        .init("vision_config_dict", part: \.visionConfig, isWritten: false),
        .init("projection_dim", \.projectionDim),
        .init("logit_scale_init_value", \.logitScaleInitValue),
    ]
}
