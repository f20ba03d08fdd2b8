import Checkpoints
import Layers
import Tensors

/// The U-Net of denoising diffusion, under the parameter names of diffusers' `UNet2DModel`.
///
/// Residual blocks with group norms, attention at chosen resolutions, the time added in every block.
/// Source: Ho et al. 2020 (arXiv:2006.11239), appendix B; with `resnetTimeScaleShift` `scaleShift` and
/// residual changes of resolution, Dhariwal and Nichol 2021 (arXiv:2105.05233), section 3.
public struct UNet2D: Sendable {
    /// What the network was built from.
    public let configuration: UNet2DConfiguration

    let timeProjection: TimeProjection
    let timeEmbedding: TimestepEmbedding
    let classEmbedding: ClassEmbedding?
    let inputConvolution: Convolution2D
    let body: UNetBody
    let outputNorm: GroupNorm
    let outputConvolution: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: UNet2DConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let first = configuration.blockOutChannels[0]
        timeProjection = TimeProjection(configuration, weights["time_proj"])
        timeEmbedding = TimestepEmbedding(
            inputs: configuration.timeFeatures, outputs: configuration.timeWidth, weights["time_embedding"])
        classEmbedding = ClassEmbedding(configuration, weights["class_embedding"])
        inputConvolution = Convolution2D(
            inputs: configuration.inChannels, outputs: first, kernel: 3, padding: 1, weights["conv_in"])
        body = UNetBody(
            down: configuration.downBlocks(weights["down_blocks"]),
            middle: configuration.middleBlock(weights["mid_block"]),
            up: configuration.upBlocks(weights["up_blocks"]))
        outputNorm = GroupNorm(
            groups: configuration.normNumGroups, channels: first, epsilon: configuration.normEps,
            weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: first, outputs: configuration.outChannels, kernel: 3, padding: 1, weights["conv_out"])
    }

    /// The network's output for a batch; height and width are multiples of 2 to the number of
    /// blocks less one.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - labels: `[batch]`, where the configuration has a class embedding, and only there
    ///     (`[batch, timeWidth]` for the class embedding `identity`).
    ///   - deepFeatures: the features of the deep layers in earlier calls, where they are to be reused.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, labels: Tensor? = nil, deepFeatures: DeepFeatures? = nil,
        dropout: RandomGenerator? = nil
    ) -> Tensor {
        self(
            x, time: time, labels: labels, beside: nil, deepFeatures: deepFeatures, dropout: dropout)
    }

    /// The same.
    /// - Parameter beside: what is added to the embedded time, `[1 or batch, timeWidth]`, by a network around this one.
    func callAsFunction(
        _ x: Tensor, time: Tensor, labels: Tensor?, beside: Tensor?, deepFeatures: DeepFeatures?,
        dropout: RandomGenerator?
    ) -> Tensor {
        let sum = embedding(time, labels, as: x.elementType)
        let embedded = configuration.actFn(beside.map { sum + $0 } ?? sum)
        let hidden = body(
            inputConvolution(configuration.centerInputSample ? 2 * x - 1 : x), time: embedded,
            deep: deepFeatures,
            dropout: dropout)
        let output = outputConvolution(outputNorm.deferred(hidden).then(.silu))
        guard case .fourier = timeProjection else { return output }
        return output / time.to(x.elementType).broadcast(toRank: 4)
    }

    private func embedding(_ time: Tensor, _ labels: Tensor?, as type: ElementType) -> Tensor {
        let embedded = timeEmbedding(timeProjection(time).to(type))
        precondition(
            (labels != nil) == (classEmbedding != nil),
            "labels go with a class embedding, and with nothing else")
        guard let classEmbedding, let labels else { return embedded }
        return embedded + classEmbedding(labels, timeProjection, as: type)
    }
}

// MARK: - Blocks of a configuration

extension UNet2DConfiguration {
    /// Features of the vector that blocks read.
    var timeWidth: Int { timeEmbeddingDim ?? 4 * blockOutChannels[0] }

    /// Features of a time before it is embedded.
    var timeFeatures: Int {
        timeFeatureCount ?? (timeEmbeddingType == .fourier ? 2 * blockOutChannels[0] : blockOutChannels[0])
    }

    /// How attention is split into heads, one of all channels where `nil`.
    var heads: HeadSplit? { numAttentionHeads.map { .count($0) } ?? attentionHeadDim.map { .width($0) } }

    /// Channels of a head of attention among channels.
    func headSize(of channels: Int) -> Int {
        numAttentionHeads.map { channels / $0 } ?? attentionHeadDim ?? channels
    }

    var residualOptions: ResidualOptions {
        ResidualOptions(
            timeWidth: timeWidth, groups: normNumGroups, epsilon: normEps, activation: actFn,
            dropout: dropout, scalesAndShifts: resnetTimeScaleShift == .scaleShift)
    }

    func attention(_ channels: Int, _ weights: Weights) -> PictureAttention {
        PictureAttention(
            channels: channels, headSize: headSize(of: channels), groups: normNumGroups,
            epsilon: normEps, weights)
    }

    var plan: UNetPlan {
        let options = blockOutChannels.map { _ in residualOptions }
        return UNetPlan(
            widths: blockOutChannels, layers: blockOutChannels.map { _ in layersPerBlock }, down: options,
            up: options)
    }

    func downBlocks(_ weights: Weights) -> [DownBlock] {
        plan.downBlocks(weights) { level, _, scope in
            downBlockTypes[level] == .attention ? .pixels(attention(blockOutChannels[level], scope)) : nil
        } downsampler: { level, scope in
            downsampler(downBlockTypes[level], blockOutChannels[level], scope)
        }
    }

    func downsampler(_ kind: DownBlockType, _ channels: Int, _ weights: Weights) -> Downsampler {
        guard kind == .residual || (kind == .attention && downsampleType == .resnet) else {
            return Downsampler(channels: channels, padding: downsamplePadding, weights)
        }
        return .residual(
            ResidualBlock(
                inputs: channels, outputs: channels, residualOptions, resampling: .halved, weights))
    }

    func middleBlock(_ weights: Weights) -> MiddleBlock? {
        guard midBlockType != nil, let channels = blockOutChannels.last else { return nil }
        var options = residualOptions
        options.outputScale = midBlockScaleFactor
        // With scale and shift the norm before the middle's attention is there only when asked for.
        let groups = attnNormNumGroups ?? (options.scalesAndShifts ? nil : normNumGroups)
        return MiddleBlock(
            first: ResidualBlock(inputs: channels, outputs: channels, options, weights["resnets"][0]),
            attention: !addAttention
                ? nil
                : .pixels(
                    PictureAttention(
                        channels: channels, headSize: headSize(of: channels), groups: groups,
                        epsilon: normEps, outputScale: midBlockScaleFactor, weights["attentions"][0])),
            second: ResidualBlock(inputs: channels, outputs: channels, options, weights["resnets"][1]))
    }

    func upBlocks(_ weights: Weights) -> [UpBlock] {
        let widths = Array(blockOutChannels.reversed())
        return plan.upBlocks(weights) { level, _, scope in
            upBlockTypes[level] == .attention ? .pixels(attention(widths[level], scope)) : nil
        } upsampler: { level, scope in
            upsampler(upBlockTypes[level], widths[level], scope)
        }
    }

    func upsampler(_ kind: UpBlockType, _ channels: Int, _ weights: Weights) -> Upsampler {
        guard kind == .residual || (kind == .attention && upsampleType == .resnet) else {
            return Upsampler(channels: channels, weights)
        }
        return .residual(
            ResidualBlock(
                inputs: channels, outputs: channels, residualOptions, resampling: .doubled, weights))
    }
}
