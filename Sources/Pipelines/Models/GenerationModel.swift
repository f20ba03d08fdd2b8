import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Tensors

/// How a model is kept in memory. Pictures stay the same to rounding, except where said.
public struct MemoryOptions: Sendable, Equatable {
    /// How the matrices of text encoders are kept; 8 bits change the picture a little.
    public var textEncoders = MatrixFormat.full
    /// How those of the denoising network are kept; 8 bits change the picture a little, and make steps slower.
    /// `bfloat16x3` changes it by far less, and makes them faster.
    public var network = MatrixFormat.full
    /// How many heads of attention the U-Net computes at once.
    public var attentionSlicing = AttentionSlicing.whole
    /// Whether large pictures pass through the autoencoder piece by piece, which changes them a little.
    public var tilesAutoencoder = false

    /// Everything whole.
    public init() {}
}

/// A model that diffuses latents, opened: its configurations are read and checked, its weights are taken when a
/// part is asked for.
public struct GenerationModel: Sendable {
    /// Where its parts are.
    public let source: ModelSource
    /// The process that the network was trained on, as the folder says.
    public let process: Process
    /// The denoising network's configuration.
    public let network: NetworkConfiguration
    /// The autoencoder's configuration.
    public let autoencoder: AutoencoderConfiguration
    /// The table of classes, where a U-Net attends to one.
    public let classes: ClassEmbedderConfiguration?
    /// The element type of all arithmetic.
    public let elementType: ElementType
    /// Where the parts run.
    public let device: Device
    /// How it is kept small.
    public let memory: MemoryOptions

    /// Reads a model's configurations.
    /// - Throws: an error that names the file and the key, one sentence.
    public init(
        _ source: ModelSource, elementType: ElementType = .float32, on device: Device = .cpu,
        memory: MemoryOptions = MemoryOptions()
    ) throws {
        guard source.kind != .pixels else {
            throw PipelineError("\(source.path) is a model on pixels, without prompts: use 'langevin sample'")
        }
        self.source = source
        process = try source.process()
        network = try source.explaining(source.kind.networkComponent) {
            try NetworkConfiguration(source.configuration(of: source.kind.networkComponent))
        }
        autoencoder = try source.explaining(source.kind.autoencoderComponent) {
            try AutoencoderConfiguration(source.configuration(of: source.kind.autoencoderComponent))
        }
        classes =
            try source.kind == .latentDiffusion && source.has(.classEmbedder)
            ? ClassEmbedder.configuration(source.configuration(of: .classEmbedder)) : nil
        (self.elementType, self.device, self.memory) = (elementType, device, memory)
        try checkNetwork()
        try checkParts()
    }

    /// Throws where the denoising network is not one of this kind of pipeline.
    private func checkNetwork() throws {
        guard source.kind.network(readsClassTable: classes != nil) == network.type else {
            let table = source.kind == .latentDiffusion ? " and a table of classes or none" : ""
            throw PipelineError(
                "\(source.path): a \(network.className)\(table) is not what this pipeline samples: look at model_index.json"
            )
        }
    }

    /// Throws where parts of different models stand together, or the network wants what nobody here tells it.
    private func checkParts() throws {
        let latents = autoencoder.latentChannels
        var problems: [(Bool, String)] = [
            (
                !source.kind.takesPrompt && network.channels != latents,
                "the network takes \(network.channels) channels, and the autoencoder's latents have \(latents)"
            ),
            (
                network.outputChannels != latents && network.outputChannels != 2 * latents,
                "the network gives \(network.outputChannels) channels, and the autoencoder's latents have \(latents)"
            ),
        ]
        let (traits, isXL) = (network.traits, source.kind == .stableDiffusionXL)
        problems += [
            (traits.labels?.isRequired ?? false, Self.classes),
            (
                (traits.numbers != nil) != isXL,
                isXL
                    ? "the U-Net reads no sizes (addition_embed_type), which makes it none of SDXL's"
                    : "the U-Net reads sizes (addition_embed_type 'text_time'), as SDXL's does"
            ),
            (
                traits.context == nil && (source.kind.takesPrompt || classes != nil),
                "the U-Net attends to no context, and this pipeline gives it one: look at its block types"
            ),
        ]
        if let classes, let width = traits.context?.width {
            problems.append(
                (
                    classes.width != width,
                    "the table of classes has \(classes.width) features, and the U-Net attends to \(width)"
                ))
        }
        if let problem = problems.first(where: \.0)?.1 {
            throw PipelineError("\(source.path): \(problem)")
        }
    }

    private static let classes =
        "the U-Net has a table of classes of its own (num_class_embeds, class_embed_type), which this pipeline does not fill"

    /// Pixels along each side of the square that one latent stands for.
    var pixelsPerLatent: Int { autoencoder.pixelsPerLatent }

    /// The network, with its weights.
    func buildNetwork() throws -> any NoiseNetwork { try loadedNetwork().replayed(on: device) }

    private func loadedNetwork() throws -> any NoiseNetwork {
        func built<Network: DenoisingNetwork>(_ type: Network.Type) throws -> any NoiseNetwork {
            let network = try source.build(
                type, source.kind.networkComponent, elementType: elementType, on: device,
                matrices: memory.network)
            return network.slicingAttention(memory.attentionSlicing)
        }
        return try built(network.type)
    }

    /// The autoencoder, with its weights.
    func buildAutoencoder(_ elementType: ElementType? = nil) throws -> any PictureAutoencoder {
        try source.buildAutoencoder(
            autoencoder, source.kind.autoencoderComponent, elementType: elementType ?? self.elementType,
            on: device, isTiled: memory.tilesAutoencoder)
    }
}
