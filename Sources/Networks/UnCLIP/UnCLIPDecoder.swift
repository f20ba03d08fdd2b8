import Layers
import Tensors

/// unCLIP's decoder as it is trained: the U-Net, and the projection that makes its conditions of CLIP's embeddings.
/// Parameters `decoder.*` and `text_proj.*`, which are those of diffusers' `UNet2DConditionModel` and `UnCLIPTextProjModel`.
///
/// An embedding of zeros stands for no picture, and the network puts a learnt one in its place.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.1.
public struct UnCLIPDecoder: Sendable {
    /// The scope of the U-Net's parameters.
    public static let unetScope = "decoder"
    /// The scope of the projection's.
    public static let projectionScope = "text_proj"

    /// What the networks were built from.
    public let configuration: UnCLIPDecoderConfiguration
    let unet: UNet2DCondition
    let projection: UnCLIPTextProjection

    /// The networks of a configuration, their parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes none.
    public init(_ configuration: UnCLIPDecoderConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        unet = try UNet2DCondition(configuration.unet, weights[Self.unetScope])
        projection = try UnCLIPTextProjection(configuration.projection, weights[Self.projectionScope])
    }
}

extension UnCLIPDecoder: NoiseNetwork {
    /// The network's output for a batch; it reads the embedding of a picture `[batch, clipEmbeddingsDim]`, the pooled text of
    /// as many features, and the context with its mask.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        guard let picture = conditions[.embedding], let text = conditions[.pooledText],
            let states = conditions[.context]
        else { preconditionFailure("a decoder of embeddings needs that of a picture, and a text") }
        let isNone = picture.squared().sum([1], keepingDimensions: true) .== 0
        let shown = isNone.choosing(projection.noPicture.unsqueezed(0), otherwise: picture)
        let made = projection(picture: shown, text: text, states: states)
        var own = Conditions(labels: made.time, context: made.context)
        own[.contextMask] = conditions[.contextMask]?.padded(
            [configuration.clipExtraContextTokens, 0], value: 1)
        return unet(x, time: time, own, dropout: dropout)
    }
}
