import Checkpoints
import Layers
import Networks
import Tensors

/// A control network: its configuration is read and checked, its weights are taken when they are needed.
public struct ControlModel: Sendable {
    /// A short name for messages and receipts.
    public let name: String
    let configuration: ControlNetConfiguration
    private let folder: ModelFolder
    private let options: ModelOptions

    /// Opens a control network.
    /// - Parameters:
    ///   - model: a folder in the layout of diffusers with its `config.json`, or `org/name` on the hub.
    ///   - options: those of the model that it controls.
    /// - Throws: an error that names the file and the key, one sentence.
    public init(_ model: String, _ options: ModelOptions = ModelOptions()) throws {
        let path = try options.locator.path(of: model, variant: options.variant)
        guard let folder = ModelLayout.networkFolder(of: path) else {
            throw PipelineError(
                "\(.controls): '\(model)' is no folder of a control network with its config.json: give one")
        }
        (self.folder, self.options, name) = (folder, options, ModelLayout(path).name)
        configuration = try explaining(folder) { try ControlNet.configuration(of: folder) }
    }

    private func weights() throws -> any TensorSource {
        try ControlNet.native(folder.anyWeights(variant: options.variant))
    }

    // MARK: The model that it was made for

    /// Throws where the network controls another U-Net than a model's.
    func check(for model: LatentModel) throws {
        guard let unet = model.network.settings as? UNet2DConditionConfiguration else {
            throw PipelineError(
                "\(.controls): \(name) controls a U-Net, and \(model.source.name) has a \(model.network.className): leave it out"
            )
        }
        let (own, other) = (UNet2DCondition.traits(configuration.wayDown), model.network.traits)
        var same = configuration
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
                configuration.controlChannels != same.controlChannels,
                "it adds to features of \(configuration.controlChannels) channels (block_out_channels, layers_per_block), and the model's U-Net has \(same.controlChannels)"
            ),
            (
                configuration.shrinking != model.pixelsPerLatent,
                "it makes a picture \(configuration.shrinking) times smaller (conditioning_embedding_out_channels), and the model's autoencoder \(model.pixelsPerLatent) times"
            ),
        ]
        if let problem = problems.first(where: \.0)?.1 {
            throw PipelineError(
                "\(.controls): \(name) was made for another model than \(model.source.name): \(problem)")
        }
        guard [1, 3].contains(configuration.conditioningChannels), !configuration.unet.isConditional else {
            throw PipelineError(
                "\(.controls): \(name) reads \(configuration.unet.isConditional ? "classes" : "pictures of \(configuration.conditioningChannels) channels"), which are not given here: use another"
            )
        }
    }

    /// Checks the names and shapes of the weights. None of them is read.
    /// - Throws: what `build` throws.
    func checkWeights() throws {
        let store = ParameterStore(.compared(try weights()))
        try explaining(folder) { _ = try store.build { try ControlNet(configuration, $0) } }
    }

    /// The network with its weights.
    /// - Throws: an error about its files.
    func build() throws -> ControlNet {
        let (type, memory) = (options.elementType, options.memory)
        let name = [
            folder.path, type.name, "\(options.device)", options.variant ?? "", "\(memory.network)",
            "\(memory.attentionSlicing)",
        ].joined(separator: "\u{0}")
        return try options.parts.part(name, byteCount: weights().byteCount(as: type)) {
            let store = ParameterStore(
                .loaded(try weights()), elementType: type, on: options.device, matrices: memory.network)
            var network = try explaining(folder) { try store.build { try ControlNet(configuration, $0) } }
            network.attentionSlicing = memory.attentionSlicing
            return network
        }
    }

    /// Its files of weights for a receipt.
    func files() throws -> ModelDigests.Part {
        .init(model: name, part: "controlnet", files: try weights().files)
    }
}
