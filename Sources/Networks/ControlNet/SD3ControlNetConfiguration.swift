import Layers

/// The configuration of an `SD3ControlNet`: the keys, values and defaults of diffusers' `SD3ControlNetModel` (version 0.42).
public struct SD3ControlNetConfiguration: Equatable, Sendable {
    /// Where the vectors of places come from.
    public enum Places: String, Sendable, CaseIterable {
        /// Sines and cosines.
        case sinusoidal = "sincos"
    }

    /// The transformer whose blocks the network has; nothing is read of what it answers.
    public var transformer = MMDiTConfiguration()
    /// Features of a token of text; `nil` of a network that reads no texts, whose blocks have patches alone.
    public var jointAttentionDim: Int? = 4096
    /// Channels beside the picture's latents: 1 for a mask.
    public var extraConditioningChannels = 0
    /// The places that are added to its patches; `nil` for none.
    public var posEmbedType: Places? = .sinusoidal
    /// Whether it has patches of its own; else they are those of the transformer that it controls.
    public var usePosEmbed = true
    /// Whether it is given zeros for the text as a whole, and the picture's latents without the autoencoder's shift.
    public var forceZerosForPooledProjection = true

    /// The defaults of diffusers.
    public init() {}
}

extension SD3ControlNetConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] =
        MMDiTConfiguration.keys.filter { $0.name != "joint_attention_dim" }.map { $0.within(\.transformer) }
        + [
            .init("joint_attention_dim", \.jointAttentionDim),
            .init("extra_conditioning_channels", \.extraConditioningChannels),
            .init("pos_embed_type", optionalChoice: \.posEmbedType),
            .init("use_pos_embed", \.usePosEmbed),
            .init("force_zeros_for_pooled_projection", \.forceZerosForPooledProjection),
        ]

    /// Checks that the values describe a network.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public func validate() throws {
        var blocks = transformer
        if let jointAttentionDim {
            blocks.jointAttentionDim = jointAttentionDim
        } else {
            // No text is projected.
            blocks.captionProjectionDim = blocks.width
        }
        try blocks.validate()
        try checkRange("extra_conditioning_channels", extraConditioningChannels, within: 0...65_536)
    }
}

extension SD3ControlNetConfiguration.Places: Named {}
