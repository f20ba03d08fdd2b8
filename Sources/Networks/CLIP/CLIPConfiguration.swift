/// The configuration of a `CLIP`: the keys and defaults of transformers' `CLIPConfig` (version 5).
public struct CLIPConfiguration: Equatable, Sendable {
    /// The encoder of texts.
    public var textConfig = CLIPTextConfiguration()
    /// The encoder of pictures.
    public var visionConfig = CLIPVisionConfiguration()
    /// Features of the space that texts and pictures share; what the encoders' configurations say of it
    /// does not count here.
    public var projectionDim = 512
    /// The logarithm of the logits' scale before training.
    public var logitScaleInitValue = 2.6592

    /// The defaults of transformers.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("projection_dim", projectionDim, within: 1...1_048_576)
        guard logitScaleInitValue.isFinite else {
            throw NetworkError("logit_scale_init_value", "is \(logitScaleInitValue): use a number")
        }
        try textConfig.validate()
        try visionConfig.validate()
    }
}

extension CLIPConfiguration: Codable {
    /// The keys, as `config.json` writes them.
    public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
        case textConfig = "text_config"
        case visionConfig = "vision_config"
        case projectionDim = "projection_dim"
        case logitScaleInitValue = "logit_scale_init_value"
    }

    /// Early files have the encoders' configurations a second time, and those count.
    private enum EarlyKeys: String, CodingKey {
        case textConfig = "text_config_dict"
        case visionConfig = "vision_config_dict"
    }

    /// Reads a `config.json`; keys that are absent keep transformers' defaults, those that change nothing
    /// here are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.readPart(.textConfig, into: &textConfig)
        try values.readPart(.visionConfig, into: &visionConfig)
        let early = try decoder.container(keyedBy: EarlyKeys.self)
        try early.readPart(.textConfig, into: &textConfig)
        try early.readPart(.visionConfig, into: &visionConfig)
        try values.read(.projectionDim, into: &projectionDim)
        try values.read(.logitScaleInitValue, into: &logitScaleInitValue)
        try validate()
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(textConfig, forKey: .textConfig)
        try values.encode(visionConfig, forKey: .visionConfig)
        try values.encode(projectionDim, forKey: .projectionDim)
        try values.encode(logitScaleInitValue, forKey: .logitScaleInitValue)
    }
}
