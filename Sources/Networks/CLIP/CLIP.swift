import Checkpoints
import Layers
import Tensors

/// CLIP whole: how well texts and pictures fit each other, under the names of transformers' `CLIPModel`.
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.3 and figure 3.
public struct CLIP: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: CLIPConfiguration
    /// The encoder of texts.
    public let text: CLIPText
    /// The encoder of pictures.
    public let vision: CLIPVision

    let textProjection: Linear
    let visualProjection: Linear
    let logitScale: Tensor

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: CLIPConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        text = try CLIPText(configuration.textConfig, weights)
        vision = try CLIPVision(configuration.visionConfig, weights)
        let shared = configuration.projectionDim
        textProjection = Linear(
            inputs: configuration.textConfig.hiddenSize, outputs: shared, bias: false,
            weights["text_projection"])
        visualProjection = Linear(
            inputs: configuration.visionConfig.hiddenSize, outputs: shared, bias: false,
            weights["visual_projection"])
        logitScale = weights.parameter("logit_scale", [], .constant(configuration.logitScaleInitValue))
    }

    /// One vector of length 1 for each text, `[texts, projectionDim]`. See `CLIPText` for the arguments.
    public func textEmbeddings(_ ids: Tensor, mask: Tensor? = nil) -> Tensor {
        unit(textProjection(text(ids, mask: mask).pooled))
    }

    /// One vector of length 1 for each picture, `[pictures, projectionDim]`. See `CLIPVision`.
    public func pictureEmbeddings(_ pictures: Tensor) -> Tensor {
        unit(visualProjection(vision(pictures).pooled))
    }

    /// How well each text fits each picture, `[texts, pictures]`: cosines times a learned scale. Over texts
    /// they are the logits of a picture's text, over pictures those of a text's picture.
    public func logits(texts: Tensor, pictures: Tensor) -> Tensor {
        texts.matmul(pictures.transposed()) * scale
    }

    private func unit(_ x: Tensor) -> Tensor { x / x.norm([-1], keepingDimensions: true) }
}
