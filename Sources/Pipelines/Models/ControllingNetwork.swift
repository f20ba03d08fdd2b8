import Checkpoints
import Layers
import Networks
import Tensors

/// A network that controls a denoising network by a picture.
protocol ControllingNetwork: ConfiguredNetwork where Configuration: ControllingConfiguration {
    /// Looks at a picture, once a run.
    /// - Parameters:
    ///   - picture: `[1, channels, height, width]`, in the element type of the weights.
    ///   - controlled: the network that is controlled.
    ///   - model: whose network that is.
    /// - Returns: what is added to it in its calls under conditions.
    func control(by picture: Tensor, of controlled: Configuration.Controlled, in model: LatentModel) throws
        -> PictureControl
}

/// What a network that controls makes of a picture: under the conditions of a run, which are prepared once, a function of the
/// sample and time that the controlled network is given.
typealias PictureControl = (Conditions) -> (_ x: Tensor, _ time: Tensor) -> Conditions.Control

/// The configuration of a network that controls.
protocol ControllingConfiguration: Sendable {
    /// The configuration of the networks that it controls.
    associatedtype Controlled: NetworkSettings
    /// Channels of the picture.
    var pictureChannels: Int { get }
    /// What sides of the picture are multiples of.
    var sizeMultiple: Int { get }
    /// Whether it acts in guess mode in every run.
    var alwaysGuesses: Bool { get }
    /// How it reads pictures as the autoencoder's latents; `nil` where it reads pixels.
    var latents: ControlLatents? { get }
    /// Pixels along the largest side that it knows; `nil` where it knows any.
    func largestSide(in model: LatentModel) -> Int?
    /// Why it does not control a network of a model; `nil` where it does.
    func problem(of controlled: Controlled, in model: LatentModel) -> String?
    /// The network.
    func build(_ weights: Weights, _ memory: MemoryOptions) throws -> any ControllingNetwork
}

/// How a network reads pictures as latents.
struct ControlLatents: Equatable {
    /// Whether the autoencoder's shift is taken off.
    var isShifted: Bool
    /// Whether it is shown beside them what of the picture is known.
    var showsKnown: Bool
}

extension ControllingConfiguration {
    var latents: ControlLatents? { nil }
    func largestSide(in model: LatentModel) -> Int? { nil }

    /// Throws where it does not control the network of a model.
    /// - Parameter name: its name for the message.
    func check(for model: LatentModel, named name: String) throws {
        guard let controlled = model.network.settings as? Controlled else {
            throw PipelineError(
                "\(.controls): \(name) controls a \(Controlled.Network.className), and \(model.source.name) has a \(model.network.className): leave it out"
            )
        }
        if let problem = problem(of: controlled, in: model) {
            throw PipelineError(
                "\(.controls): \(name) was made for another model than \(model.source.name): \(problem)")
        }
    }
}

extension ControllingNetwork {
    /// The configuration in a folder.
    static func controlling(_ folder: ModelFolder) throws -> any ControllingConfiguration {
        try configuration(of: folder)
    }

    /// What it makes of a picture for a model whose network was checked.
    func control(by picture: Tensor, in model: LatentModel) throws -> PictureControl {
        guard let controlled = model.network.settings as? Configuration.Controlled else {
            preconditionFailure("a \(Self.className) controls no \(model.network.className)")
        }
        return try control(by: picture, of: controlled, in: model)
    }
}

// MARK: ControlNet

extension ControlNet: ControllingNetwork {
    func control(by picture: Tensor, of unet: UNet2DConditionConfiguration, in model: LatentModel)
        -> PictureControl
    {
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
    func control(by picture: Tensor, of unet: UNet2DConditionConfiguration, in model: LatentModel)
        -> PictureControl
    {
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

// MARK: ControlNet of Stable Diffusion 3

extension SD3ControlNet: ControllingNetwork {
    func control(by picture: Tensor, of transformer: MMDiTConfiguration, in model: LatentModel) throws
        -> PictureControl
    {
        let picture = embedded(picture)
        let patches = configuration.usePosEmbed ? nil : try model.patches(transformer)
        return { conditions in
            { x, time in
                let own = self(x, time: time, conditions, picture: picture, patches: patches)
                return Conditions.Control(within: Self.spread(own, over: transformer.numLayers))
            }
        }
    }
}

extension SD3ControlNetConfiguration: ControllingConfiguration {
    // Pixels of the autoencoder.
    var pictureChannels: Int { 3 }
    var sizeMultiple: Int { 1 }
    var alwaysGuesses: Bool { false }
    private var showsKnown: Bool { extraConditioningChannels > 0 }
    // diffusers' pipeline that shows what is known takes the shift off in any case.
    var latents: ControlLatents? {
        .init(isShifted: showsKnown || !forceZerosForPooledProjection, showsKnown: showsKnown)
    }

    func largestSide(in model: LatentModel) -> Int? {
        guard usePosEmbed, posEmbedType != nil else { return nil }
        return transformer.posEmbedMaxSize.map { $0 * transformer.patchSize * model.pixelsPerLatent }
    }

    func problem(of other: MMDiTConfiguration, in model: LatentModel) -> String? {
        let latents = model.autoencoder.latentChannels
        let problems: [(Bool, String)] = [
            (
                transformer.inChannels != latents,
                "it reads latents of \(transformer.inChannels) channels (in_channels), and the model's have \(latents)"
            ),
            (
                extraConditioningChannels > 1,
                "it reads \(extraConditioningChannels) channels beside a picture's latents (extra_conditioning_channels), and 1 for a mask is all that is known here"
            ),
            (
                jointAttentionDim.map { $0 != other.jointAttentionDim } ?? false,
                "it looks at texts of \(jointAttentionDim ?? 0) features (joint_attention_dim), and the model's have \(other.jointAttentionDim)"
            ),
            (
                transformer.pooledProjectionDim != other.pooledProjectionDim,
                "it is given texts as a whole of \(transformer.pooledProjectionDim) features (pooled_projection_dim), and the model's have \(other.pooledProjectionDim)"
            ),
            (
                transformer.width != other.width,
                "it adds to tokens of \(transformer.width) features (num_attention_heads, attention_head_dim), and the model's have \(other.width)"
            ),
            (
                transformer.patchSize != other.patchSize,
                "its patches are \(transformer.patchSize) latents wide (patch_size), and the model's \(other.patchSize)"
            ),
        ]
        return problems.first(where: \.0)?.1
    }

    func build(_ weights: Weights, _ memory: MemoryOptions) throws -> any ControllingNetwork {
        try SD3ControlNet(self, weights)
    }
}

extension LatentModel {
    /// The patches of its transformer alone.
    fileprivate func patches(_ configuration: MMDiTConfiguration) throws -> PatchEmbedding {
        let all = try source.nativeWeights(MMDiT.self, networkComponent)
        let own = try all.names.filter { $0.hasPrefix("pos_embed.") }.map { ($0, try all.tensor(named: $0)) }
        let store = ParameterStore(
            .loaded(TensorDictionary(Dictionary(uniqueKeysWithValues: own))), elementType: elementType,
            on: device)
        return try source.explaining(networkComponent) {
            try store.build { PatchEmbedding(configuration, $0["pos_embed"]) }
        }
    }
}
