import Layers
import Tensors

/// The U-Net of guided diffusion (ADM), which also enlarges pictures: a `UNet2D` that may have a number of heads in place of
/// their width, another width of its first resolution than of its time, and a picture of lower resolution beside the noisy
/// one, resized to it. Parameters are those of `UNet2D`, and `noise_level_embedding.*` where the noise on the smaller picture
/// is a condition.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 3 and appendix D.2; the noise level of the smaller picture:
/// Ho et al. 2021 (arXiv:2106.15282), section 4.
public struct ADMUNet: Sendable {
    /// What the network was built from.
    public let configuration: ADMUNetConfiguration

    let unet: UNet2D
    let noiseLevelEmbedding: TimestepEmbedding?

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: ADMUNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let whole = configuration.whole
        unet = try UNet2D(whole, weights)
        noiseLevelEmbedding =
            configuration.hasNoiseLevel
            ? TimestepEmbedding(
                inputs: whole.timeFeatures, outputs: whole.timeWidth, weights["noise_level_embedding"])
            : nil
    }

    /// The network's output for a batch.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - conditions: labels, a picture of lower resolution `[batch, inChannels, …]` and its noise level `[batch]` or `[1]`,
    ///     each where the configuration has it, and only there.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead(Self.conditionNames, by: Self.className)
        let low = conditions[.lowResolution]
        precondition(
            (low != nil) == (configuration.lowResolutionFactor != nil),
            "a picture of lower resolution goes with a network that enlarges it, and with no other")
        let resized = low.map { $0.to(x.elementType).resizedBilinear(height: x.shape[2], width: x.shape[3]) }
        let noiseLevel = noiseLevelEmbedding.map { embedded(conditions[.noiseLevel], by: $0, like: x) }
        return unet(
            resized.map { concatenated([x, $0], along: 1) } ?? x, time: scaled(time),
            labels: conditions[.labels], beside: noiseLevel, deepFeatures: conditions[.deepFeatures],
            dropout: dropout)
    }

    /// What the network is conditioned on.
    private static let conditionNames: Set = [
        Conditions.Key.labels.name, Conditions.Key.lowResolution.name, Conditions.Key.noiseLevel.name,
        Conditions.Key.deepFeatures.name,
    ]

    private func scaled(_ time: Tensor) -> Tensor {
        configuration.timeScale == 1 ? time : time.to(.float32) * configuration.timeScale
    }

    private func embedded(_ level: Tensor?, by embedding: TimestepEmbedding, like x: Tensor) -> Tensor {
        guard let level else { preconditionFailure("the network reads a noise level, and there is none") }
        let whole = configuration.whole
        let waves = sinusoidalEmbedding(
            scaled(level), width: whole.timeFeatures, shift: Double(whole.freqShift),
            cosinesFirst: whole.flipSinToCos)
        return embedding(waves.to(x.elementType))
    }
}
