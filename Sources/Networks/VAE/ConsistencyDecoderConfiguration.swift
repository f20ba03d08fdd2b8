/// The configuration of a `ConsistencyDecoder`: the keys, values and defaults of diffusers' `ConsistencyDecoderVAE`
/// (version 0.42), so that its `config.json` is read and written as it stands.
public struct ConsistencyDecoderConfiguration: Equatable, Sendable {
    /// What latents are multiplied by, so that their variance is 1.
    public var scalingFactor = 0.18215
    /// Channels of latents.
    public var latentChannels = 4
    /// The encoder, that of Stable Diffusion.
    public var encoder: CoderConfiguration
    /// Channels of the means that the encoder gives.
    public var encoderOutChannels = 4
    /// Whether the encoder gives variances, too.
    public var encoderDoubleZ = true
    /// The network that decodes: it is given the noisy picture and the enlarged latents.
    public var decoder: UNet2DConfiguration

    /// The defaults of diffusers.
    public init() {
        encoder = CoderConfiguration(latentChannels: 4)
        encoder.blockOutChannels = [128, 256, 512, 512]
        encoder.downBlockTypes = [.plain, .plain, .plain, .plain]
        encoder.layersPerBlock = 2
        decoder = UNet2DConfiguration()
        (decoder.inChannels, decoder.outChannels, decoder.addAttention) = (7, 6, false)
        decoder.blockOutChannels = [320, 640, 1024, 1024]
        decoder.downBlockTypes = [.residual, .residual, .residual, .residual]
        decoder.upBlockTypes = [.residual, .residual, .residual, .residual]
        (decoder.layersPerBlock, decoder.numTrainTimesteps) = (3, 1024)
        (decoder.resnetTimeScaleShift, decoder.timeEmbeddingType) = (.scaleShift, .learned)
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("latent_channels", latentChannels, within: 1...65_536)
        // What the class's published statistics of latents are of.
        guard latentChannels == ConsistencyDecoder.mean.count else {
            throw NetworkError(
                "latent_channels",
                "is \(latentChannels): the statistics of its latents are those of \(ConsistencyDecoder.mean.count) channels"
            )
        }
        guard encoderDoubleZ, encoderOutChannels == latentChannels else {
            throw NetworkError(
                "encoder_out_channels", "must be latent_channels, with encoder_double_z true")
        }
        var encoder = encoder
        encoder.upBlockTypes = encoder.downBlockTypes.map { _ in .plain }
        try Self.naming("encoder") { try encoder.validate() }
        try Self.naming("decoder") { try decoder.validate() }
        guard decoder.inChannels == 3 + latentChannels, decoder.outChannels >= 3 else {
            throw NetworkError(
                "decoder_in_channels",
                "is \(decoder.inChannels): a picture of 3 channels and \(latentChannels) of latents are needed, and 3 given at least"
            )
        }
        guard decoder.timeEmbeddingType != .learned || (decoder.numTrainTimesteps ?? 0) > 1008 else {
            throw NetworkError(
                "decoder_num_train_timesteps", "must be above 1008, the first time of decoding")
        }
        try LatentScaling.check(scalingFactor)
    }

    /// Runs a body whose complaints about a key are about the key of a part.
    private static func naming(_ part: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as NetworkError where error.key != "sample_size" {
            throw NetworkError("\(part)_\(error.key)", error.problem)
        }
    }
}

extension ConsistencyDecoderConfiguration: ConfigurationTable {
    package static let otherKeys: Set = ["block_out_channels", "force_upcast"]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("scaling_factor", \.scalingFactor),
        .init("latent_channels", \.latentChannels),
        .init("sample_size", \.encoder.sampleSize),
        .init("encoder_act_fn", choice: \.encoder.actFn),
        .init("encoder_block_out_channels", \.encoder.blockOutChannels),
        .init("encoder_double_z", \.encoderDoubleZ),
        .init("encoder_down_block_types", choices: \.encoder.downBlockTypes),
        .init("encoder_in_channels", \.encoder.inChannels),
        .init("encoder_layers_per_block", \.encoder.layersPerBlock),
        .init("encoder_norm_num_groups", \.encoder.normNumGroups),
        .init("encoder_out_channels", \.encoderOutChannels),
        .init("decoder_add_attention", \.decoder.addAttention),
        .init("decoder_block_out_channels", \.decoder.blockOutChannels),
        .init("decoder_down_block_types", choices: \.decoder.downBlockTypes),
        .init("decoder_downsample_padding", \.decoder.downsamplePadding),
        .init("decoder_in_channels", \.decoder.inChannels),
        .init("decoder_layers_per_block", \.decoder.layersPerBlock),
        .init("decoder_norm_eps", \.decoder.normEps),
        .init("decoder_norm_num_groups", \.decoder.normNumGroups),
        .init("decoder_num_train_timesteps", \.decoder.numTrainTimesteps),
        .init("decoder_out_channels", \.decoder.outChannels),
        .init("decoder_resnet_time_scale_shift", choice: \.decoder.resnetTimeScaleShift),
        .init("decoder_time_embedding_type", choice: \.decoder.timeEmbeddingType),
        .init("decoder_up_block_types", choices: \.decoder.upBlockTypes),
    ]
}
