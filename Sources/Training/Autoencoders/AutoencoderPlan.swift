import Networks

/// What sets the losses of autoencoders apart.
package struct AutoencoderPlan: Sendable {
    /// What becomes of a codebook beside what gradients do.
    package struct Codebook: Sendable {
        /// Whether it follows the latents by moving averages.
        package var follows: Bool
        /// What a step keeps of averages.
        package var decay: Double
        /// The share of an even use below which a vector is replaced.
        package var replacesBelow: Double

        /// A plan.
        package init(follows: Bool, decay: Double, replacesBelow: Double) {
            (self.follows, self.decay, self.replacesBelow) = (follows, decay, replacesBelow)
        }
    }

    /// The weights of the network's own penalties, by name.
    var penaltyWeights: [String: Double] = [:]
    /// Whether latents are drawn from their distributions.
    var drawsLatents = false
    /// Of a network whose codebook is learned.
    var codebook: Codebook?
}

extension ObjectiveOption {
    /// The keys of every autoencoder's loss.
    static let ofAutoencoders: [ObjectiveOption] = [
        .word(
            "reconstruction", ReconstructionError.allCases.map(\.rawValue),
            "The error of reconstruction: the mean of magnitudes or of squares."),
        .number(
            "noise", 0, in: 0...100,
            "The deviation of noise on the pictures that are encoded; they are to be given again without it."),
        .number(
            "perceptual_weight", 0, in: 0...1e6, "The weight of a distance in the features of a network."),
        .text(
            "perceptual", trainedFeatures, "trained, or the path of a safetensors file",
            "That network: a classifier that first learns the classes of the data (trained), or a file in the layout of the package lpips."
        ),
        .number(
            "adversarial_weight", 0, in: 0...1e6, "The weight of a discriminator of patches; 0 has none."),
        .flag(
            "adversarial_adaptive", true,
            "Whether that weight is relative to the gradient of the rest at the decoder's last layer."),
        .whole(
            "adversarial_start", 1, in: 1...100_000_000, "The first step in which there is a discriminator."),
        .whole("discriminator_width", 64, in: 1...4096, "Channels of the discriminator's first layer."),
        .whole("discriminator_layers", 3, in: 1...8, "How often the discriminator halves pictures."),
    ]

    /// The word for features that are learned from the data.
    static let trainedFeatures = "trained"
}
