import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Storage
import Tensors

/// The parts of a model that diffuses latents: its configurations are read and checked, its weights are taken when a
/// part is needed.
package struct LatentModel: Sendable {
    /// Where its parts are.
    package let source: ModelSource
    /// The process that the network was trained on, as the folder has it.
    package let process: Process
    /// The denoising network's configuration.
    package let network: NetworkConfiguration
    /// The autoencoder's configuration.
    package let autoencoder: AutoencoderConfiguration
    /// The table of classes, where a U-Net attends to one.
    package let classes: ClassEmbedderConfiguration?
    /// What else is known of its use.
    package let card: ModelCard
    /// How it was opened.
    package let options: ModelOptions

    let networkComponent: ModelComponent
    private let autoencoderComponent: ModelComponent
    /// Whether the network's labels are those of classes.
    private let labelsAreClasses: Bool

    /// The element type of all arithmetic.
    package var elementType: ElementType { options.elementType }
    /// Where the parts run.
    package var device: Device { options.device }
    /// How it is kept small.
    package var memory: MemoryOptions { options.memory }

    /// Reads a model's configurations.
    /// - Throws: an error that names the file and the key, one sentence.
    init(_ source: ModelSource, _ options: ModelOptions, of family: any LatentAssembly.Type) throws {
        var source = source
        if let folder = options.autoencoder {
            source = try source.replacing(family.autoencoderComponent, by: folder, .autoencoder)
        }
        if let folder = try options.imageEncoder ?? Self.imageEncoder(beside: source, of: family) {
            source = try source.replacing(.imageEncoder, by: folder, .imageEncoder)
        }
        self.source = source
        (networkComponent, autoencoderComponent) = (family.networkComponent, family.autoencoderComponent)
        labelsAreClasses = family.labelsAreClasses
        (process, card) = try (source.process(), source.card())
        network = try source.explaining(family.networkComponent) {
            try NetworkConfiguration(source.configuration(of: family.networkComponent))
        }
        autoencoder = try source.explaining(family.autoencoderComponent) {
            try AutoencoderConfiguration(source.configuration(of: family.autoencoderComponent))
        }
        classes =
            try family.readsClassTable && source.has(.classEmbedder)
            ? ClassEmbedder.configuration(source.configuration(of: .classEmbedder)) : nil
        self.options = options
        try checkNetwork(of: family)
        try checkParts(of: family)
        try card.check(classes: classes?.classes ?? network.labels?.count, of: source.path)
    }

    /// The folder of an encoder of pictures that was put into the model's own, whose index does not name it.
    private static func imageEncoder(beside source: ModelSource, of family: any LatentAssembly.Type) throws
        -> String?
    {
        let folder = "\(source.path)/\(ModelComponent.imageEncoder.rawValue)"
        guard family.reads.contains(.imagePrompts), try !source.has(.imageEncoder) else { return nil }
        return Files.exists("\(folder)/config.json") ? folder : nil
    }

    /// Throws where the denoising network is not one of this family.
    private func checkNetwork(of family: any LatentAssembly.Type) throws {
        guard family.networks(readsClassTable: classes != nil).contains(where: { $0 == network.type }) else {
            let table = family.readsClassTable ? " and a table of classes or none" : ""
            throw PipelineError(
                "\(source.path): a \(network.className)\(table) is not what this pipeline samples: look at model_index.json"
            )
        }
    }

    /// Throws where parts of different models stand together, or the network needs a condition that nothing here gives.
    private func checkParts(of family: any LatentAssembly.Type) throws {
        let latents = autoencoder.latentChannels
        let (traits, takesSizes) = (network.traits, family.takesSizes)
        let problems: [(Bool, String)] = [
            (
                !family.takesPrompt && network.channels != latents + family.channelsBeside,
                "the network takes \(network.channels) channels, and the autoencoder's latents have \(latents)\(family.channelsBeside == 0 ? "" : ", beside which \(family.channelsBeside) are laid")"
            ),
            (
                network.outputChannels != latents && network.outputChannels != 2 * latents,
                "the network gives \(network.outputChannels) channels, and the autoencoder's latents have \(latents)"
            ),
            (
                (traits.labels?.isRequired ?? false) && labelsAreClasses
                    && (!family.fillsLabels || card.nullClass == nil),
                "the U-Net has a table of classes of its own (num_class_embeds, class_embed_type), which this pipeline does not fill"
            ),
            (
                (traits.numbers != nil) != takesSizes,
                takesSizes
                    ? "the U-Net reads no sizes (addition_embed_type), which makes it none of SDXL's"
                    : "the U-Net reads sizes (addition_embed_type 'text_time'), as SDXL's does"
            ),
            (
                traits.context == nil && (family.takesPrompt || classes != nil),
                "the U-Net attends to no context, and this pipeline gives it one: look at its block types"
            ),
            (
                traits.context != nil && !family.takesPrompt && classes == nil,
                "the U-Net attends to a context (\(traits.context?.key ?? "")), and this pipeline has no class_embedder that gives it one"
            ),
            (
                classes != nil && classes?.width != traits.context?.width ?? classes?.width,
                "the table of classes has \(classes?.width ?? 0) features, and the U-Net attends to \(traits.context?.width ?? 0)"
            ),
        ]
        if let problem = problems.first(where: \.0)?.1 {
            throw PipelineError("\(source.path): \(problem)")
        }
    }

    /// Pixels along each side of the square that one latent stands for.
    var pixelsPerLatent: Int { autoencoder.pixelsPerLatent }

    /// The number of classes that a request can name, `nil` where there are none.
    var labelCount: Int? {
        guard labelsAreClasses else { return nil }
        guard let names = card.classNames else { return classes?.classes ?? network.labels?.namedCount }
        return names.isEmpty ? nil : names.count
    }

    /// The class that stands for none.
    var nullLabel: Int? {
        guard labelsAreClasses else { return nil }
        if let null = card.nullClass { return null }
        if let classes { return classes.classes - 1 }
        // diffusers' pipeline knows only the 1,000 classes of ImageNet.
        return network.labels?.nullClass.map { min(1000, $0) }
    }

    /// What the autoencoder computes in.
    var autoencoderType: ElementType {
        elementType == .float16 && autoencoder.overflowsInHalf ? .float32 : elementType
    }

    // MARK: Parts with their weights

    /// The network.
    func buildNetwork() throws -> any NoiseNetwork {
        try options.network(network.type, networkComponent, of: source)
    }

    /// The autoencoder.
    func buildAutoencoder(_ elementType: ElementType? = nil) throws -> any PictureAutoencoder {
        let type = elementType ?? self.elementType
        return try options.parts.part(
            options.partName(autoencoderComponent, of: source, type, "\(memory.tilesAutoencoder)"),
            byteCount: source.weights(of: autoencoderComponent).byteCount(as: type)
        ) {
            try source.buildAutoencoder(
                autoencoder, autoencoderComponent, elementType: type, on: device,
                isTiled: memory.tilesAutoencoder)
        }
    }
}
