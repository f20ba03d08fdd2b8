import Checkpoints
import Layers
import Networks
import Tensors

/// A network that controls a U-Net by a picture.
protocol ControllingNetwork: ConfiguredNetwork where Configuration: ControllingConfiguration {
    /// Looks at a picture, once a run.
    /// - Parameters:
    ///   - picture: `[1, channels, height, width]`, in the element type of the weights.
    ///   - unet: the U-Net that is controlled.
    /// - Returns: what is added to the U-Net in its calls under conditions.
    func control(by picture: Tensor, of unet: UNet2DConditionConfiguration) -> PictureControl
}

/// What a network that controls makes of a picture: under the conditions of a run, which are prepared once, a function of the U-Net's
/// sample and time.
typealias PictureControl = (Conditions) -> (_ x: Tensor, _ time: Tensor) -> Conditions.Control

/// The configuration of a network that controls.
protocol ControllingConfiguration: Sendable {
    /// Channels of the picture.
    var pictureChannels: Int { get }
    /// What sides of the picture are multiples of.
    var sizeMultiple: Int { get }
    /// Whether it acts in guess mode in every run.
    var alwaysGuesses: Bool { get }
    /// Why it controls no U-Net of a model; `nil` where it does.
    func problem(of unet: UNet2DConditionConfiguration, in model: LatentModel) -> String?
    /// The network.
    func build(_ weights: Weights, _ memory: MemoryOptions) throws -> any ControllingNetwork
}

extension ControllingNetwork {
    /// The configuration in a folder.
    static func controlling(_ folder: ModelFolder) throws -> any ControllingConfiguration {
        try configuration(of: folder)
    }
}

// MARK: ControlNet

extension ControlNet: ControllingNetwork {
    func control(by picture: Tensor, of unet: UNet2DConditionConfiguration) -> PictureControl {
        let picture = embedded(picture)
        return { conditions in
            let prepared = preparing(conditions)
            return { self($0, time: $1, prepared, picture: picture) }
        }
    }
}

extension ControlNetConfiguration: ControllingConfiguration {
    var pictureChannels: Int { conditioningChannels }
    var sizeMultiple: Int { 1 }
    var alwaysGuesses: Bool { globalPoolConditions }

    func problem(of unet: UNet2DConditionConfiguration, in model: LatentModel) -> String? {
        let (own, other) = (UNet2DCondition.traits(wayDown), model.network.traits)
        var same = self
        same.unet = unet
        let latents = model.autoencoder.latentChannels
        let problems: [(Bool, String)] = [
            (
                own.channels != latents,
                "it reads latents of \(own.channels) channels (in_channels), and the model's have \(latents)"
            ),
            (
                own.context?.width != other.context?.width,
                "it looks at texts of \(own.context?.width ?? 0) features (cross_attention_dim), and the model's have \(other.context?.width ?? 0)"
            ),
            (
                own.numbers?.total != other.numbers?.total,
                "it is given \(own.numbers?.total ?? 0) features of sizes and text beside the time (projection_class_embeddings_input_dim), and the model's U-Net \(other.numbers?.total ?? 0)"
            ),
            (
                controlChannels != same.controlChannels,
                "it adds to features of \(controlChannels) channels (block_out_channels, layers_per_block), and the model's U-Net has \(same.controlChannels)"
            ),
            (
                shrinking != model.pixelsPerLatent,
                "it makes a picture \(shrinking) times smaller (conditioning_embedding_out_channels), and the model's autoencoder \(model.pixelsPerLatent) times"
            ),
            (self.unet.isConditional, "it is given a class (class_embed_type, num_class_embeds)"),
        ]
        return problems.first(where: \.0)?.1
    }

    func build(_ weights: Weights, _ memory: MemoryOptions) throws -> any ControllingNetwork {
        var network = try ControlNet(self, weights)
        network.attentionSlicing = memory.attentionSlicing
        return network
    }
}

// MARK: T2I-Adapter

extension T2IAdapter: ControllingNetwork {
    func control(by picture: Tensor, of unet: UNet2DConditionConfiguration) -> PictureControl {
        // The last block of a light adapter has no place where there is nothing of its size.
        let control = Conditions.Control(
            within: Array(self(picture).prefix(configuration.additionCount(to: unet))))
        return { _ in { _, _ in control } }
    }
}

extension T2IAdapterConfiguration: ControllingConfiguration {
    var pictureChannels: Int { inChannels }
    var sizeMultiple: Int { downscaleFactor }
    var alwaysGuesses: Bool { false }

    /// How many of the features a U-Net takes: one a block, and one in the middle where it has that size.
    func additionCount(to unet: UNet2DConditionConfiguration) -> Int {
        let places = unet.places
        guard additions.count >= places.count, let last = places.last else { return additions.count }
        let own = additions[places.count - 1]
        let fits =
            own.channels == last.channels
            && own.shrinking == additions[0].shrinking * last.shrinking / places[0].shrinking
        return fits ? places.count : places.count - 1
    }

    func problem(of unet: UNet2DConditionConfiguration, in model: LatentModel) -> String? {
        let factor = model.pixelsPerLatent
        let places = unet.places.dropLast().map { ($0.channels, $0.shrinking * factor) }
        for (own, place) in zip(additions, places) where (own.channels, own.shrinking) != place {
            return
                "it adds features of \(own.channels) channels, \(own.shrinking) times smaller than the picture (channels, downscale_factor, adapter_type), where the model's U-Net has \(place.0) channels, \(place.1) times smaller"
        }
        return nil
    }

    func build(_ weights: Weights, _ memory: MemoryOptions) throws -> any ControllingNetwork {
        try T2IAdapter(self, weights)
    }
}
