import Layers
import Tensors

/// The U-Net that looks at a context, under the parameter names of diffusers' `UNet2DConditionModel`: the
/// denoiser of latent diffusion, Stable Diffusion 1, 2 and XL, their inpainting and upscaling models, and
/// DeepFloyd IF.
///
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.3; sizes and crops beside the time: Podell et
/// al. 2023 (arXiv:2307.01952), section 2.2; the pooled text beside it: Saharia et al. 2022
/// (arXiv:2205.11487), section 2.4.
public struct UNet2DCondition: Sendable {
    /// What the network was built from.
    public let configuration: UNet2DConditionConfiguration
    /// How many heads of attention are computed at once.
    public var attentionSlicing: AttentionSlicing {
        get { embedding.slicing }
        set { embedding.slicing = newValue }
    }

    private var embedding: ConditionEmbedding
    let inputConvolution: Convolution2D
    let body: UNetBody
    let outputNorm: GroupNorm
    let outputConvolution: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: UNet2DConditionConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let first = configuration.blockOutChannels[0]
        embedding = ConditionEmbedding(configuration, weights)
        inputConvolution = Convolution2D(
            inputs: configuration.inChannels, outputs: first, kernel: configuration.convInKernel,
            padding: configuration.convInKernel / 2, weights["conv_in"])
        body = UNetBody(
            down: configuration.downBlocks(weights["down_blocks"]),
            middle: configuration.middleBlock(weights["mid_block"]),
            up: configuration.upBlocks(weights["up_blocks"]))
        outputNorm = GroupNorm(
            groups: configuration.normNumGroups, channels: first, epsilon: configuration.normEps,
            weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: first, outputs: configuration.outChannels, kernel: configuration.convOutKernel,
            padding: configuration.convOutKernel / 2, weights["conv_out"])
    }

    /// The network's output for a batch, of any height and width.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - conditions: what the configuration asks for, and nothing else.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions = Conditions(), dropout: RandomGenerator? = nil
    ) -> Tensor {
        conditions.checkRead(Self.conditionNames, by: Self.className)
        let hidden = body(
            inputConvolution(configuration.centerInputSample ? 2 * x - 1 : x),
            time: embedding.time(time, conditions, as: x.elementType),
            attention: embedding.attentionInputs(conditions, for: x),
            control: conditions[.control], deep: conditions[.deepFeatures], dropout: dropout)
        return outputConvolution(outputNorm.deferred(hidden).then(configuration.actFn))
    }

    /// The same conditions with the keys and values that the layers read of the context, and what is added to the embedded
    /// time for it.
    public func preparing(_ conditions: Conditions) -> Conditions {
        embedding.preparing(conditions, for: body.contextLayers)
    }
}
