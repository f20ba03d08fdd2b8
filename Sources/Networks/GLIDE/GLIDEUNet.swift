import Layers
import Tensors

/// GLIDE's network: a U-Net around a text transformer of its own, which may also enlarge pictures and paint a hidden part of
/// them anew. The U-Net attends to the states of all tokens, and the last one's is added to the time. Parameters are those of
/// `UNet2DCondition` and, under the published names, of the text transformer.
/// Source: Nichol et al. 2021 (arXiv:2112.10741), section 4; what is laid beside the picture: sections 4.1 and 4.3.
public struct GLIDEUNet: Sendable {
    /// What the network was built from.
    public let configuration: GLIDEUNetConfiguration

    var unet: UNet2DCondition
    let text: GLIDETextTransformer

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: GLIDEUNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let whole = configuration.whole
        text = GLIDETextTransformer(configuration, timeWidth: whole.timeWidth, weights)
        unet = try UNet2DCondition(whole, weights)
    }

    /// The network's output for a batch.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - conditions: tokens `[batch, textLength]`, and, where the network enlarges, a picture of lower resolution. Of one
    ///     that paints a hidden part anew, the picture and its mask may be given or left out together: then all is hidden.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead(Self.conditionNames, by: Self.className)
        let encoded = conditions[.tokens] == nil ? conditions : encoding(conditions)
        var inputs = [x]
        if configuration.inpaints { inputs += known(conditions, like: x) }
        if configuration.lowResolutionFactor != nil { inputs.append(enlarged(conditions, like: x)) }
        return unet(
            concatenated(inputs, along: 1), time: time, encoded.without(Self.besides), dropout: dropout)
    }

    /// The same conditions with the states of the text in place of its tokens, and what the U-Net makes of them.
    public func preparing(_ conditions: Conditions) -> Conditions {
        conditions[.tokens] == nil ? conditions : unet.preparing(encoding(conditions))
    }

    private func encoding(_ conditions: Conditions) -> Conditions {
        guard let tokens = conditions[.tokens] else { return conditions }
        let (states, whole) = text(tokens)
        var encoded = conditions.without([Conditions.Key.tokens.name])
        (encoded[.context], encoded[.labels]) = (states, whole)
        return encoded
    }

    /// The picture without what is hidden, and 1 where it is known.
    private func known(_ conditions: Conditions, like x: Tensor) -> [Tensor] {
        let (batch, height, width) = (x.shape[0], x.shape[2], x.shape[3])
        guard let picture = conditions[.knownPicture], let mask = conditions[.mask] else {
            let channels = configuration.unet.inChannels + 1
            return [Tensor.zeros([batch, channels, height, width], x.elementType, on: x.device)]
        }
        let isKnown = 1 - mask.to(x.elementType)
        return [picture.to(x.elementType) * isKnown, isKnown].map {
            $0.expanded(to: [batch, $0.shape[1], height, width])
        }
    }

    private func enlarged(_ conditions: Conditions, like x: Tensor) -> Tensor {
        guard let low = conditions[.lowResolution] else {
            preconditionFailure("the network enlarges a picture, and there is none")
        }
        return low.to(x.elementType).resizedBilinear(height: x.shape[2], width: x.shape[3])
    }

    /// What is laid beside the noisy picture.
    private static let besides: Set = [
        Conditions.Key.knownPicture.name, Conditions.Key.mask.name, Conditions.Key.lowResolution.name,
    ]

    /// What the network is conditioned on, and what of that it makes once a run.
    private static let conditionNames: Set = besides.union([
        Conditions.Key.tokens.name, Conditions.Key.context.name, Conditions.Key.labels.name,
        Conditions.Key.projections.name, Conditions.Key.deepFeatures.name,
    ])
}
