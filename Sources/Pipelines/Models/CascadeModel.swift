import Checkpoints
import Diffusers
import Diffusion
import Networks
import Tensors

/// The parts of a stage of a cascade that diffuses pixels under a text: its configurations are read and checked, its weights
/// are taken when a part is needed, and let go of after it.
package struct CascadeModel: Sendable {
    /// Where its parts are.
    package let source: ModelSource
    /// The process that the network was trained on, as it is sampled.
    package let process: Process
    /// The denoising network's configuration.
    package let network: NetworkConfiguration
    /// The process whose noise is laid on the picture that an upscaler enlarges; `nil` for a model that enlarges none.
    package let augmentation: SchedulerConfiguration?
    /// How it was opened.
    package let options: ModelOptions
    /// What an upscaler makes of the picture that an earlier stage began with.
    package var originals = OriginalUse.unread

    /// The part that denoises.
    static let networkComponent = ModelComponent.unet
    /// The part that encodes texts.
    static let textComponent = ModelComponent.textEncoder

    /// Reads a model's configurations.
    /// - Parameter enlarges: whether it is an upscaler.
    /// - Throws: an error that names the file and the key, one sentence.
    init(_ source: ModelSource, _ options: ModelOptions, enlarges: Bool) throws {
        guard !options.memory.tilesAutoencoder else {
            throw PipelineError(
                "\(.memory): \(source.name) diffuses pixels, which pass through no autoencoder: leave out its tiling"
            )
        }
        (self.source, self.options) = (source, options)
        process = try source.process().computed(in: options.elementType)
        network = try source.explaining(Self.networkComponent) {
            try NetworkConfiguration(source.configuration(of: Self.networkComponent))
        }
        augmentation =
            try enlarges
            ? Self.augmentation(of: source).computed(in: options.elementType) : nil
        try checkNetwork()
    }

    private static func augmentation(of source: ModelSource) throws -> SchedulerConfiguration {
        let component = ModelComponent.imageNoisingScheduler
        guard try source.has(component) else {
            throw PipelineError(
                "\(source.path): an upscaler noises the picture that it enlarges, and model_index.json has no \(component.rawValue)"
            )
        }
        let object = try source.configuration(of: component)
        guard case .scheduler(let scheduler) = try object.storedProcess(as: nil, predicting: nil) else {
            throw PipelineError("\(object.place): a class of diffusers is needed, such as DDPMScheduler")
        }
        return scheduler
    }

    private func checkNetwork() throws {
        let traits = network.traits
        let problems: [(Bool, String)] = [
            (
                traits.context == nil,
                "the network attends to no context, and this pipeline gives it a text: look at its block types"
            ),
            (
                traits.numbers != nil || traits.pooled != nil,
                "the network reads sizes or a text as a whole beside its tokens (addition_embed_type), which this pipeline does not give"
            ),
            (
                enlarges && traits.channels % 2 == 1,
                "the network takes \(traits.channels) channels, and that of an upscaler takes a picture's twice"
            ),
            (
                ![channels, 2 * channels].contains(traits.outputChannels),
                "the network gives \(traits.outputChannels) channels for pictures of \(channels): it needs as many, or twice as many for a learned variance"
            ),
            (
                !enlarges && traits.labels != nil,
                "the network takes labels (class_embed_type, num_class_embeds), which this pipeline does not give"
            ),
        ]
        if let problem = problems.first(where: \.0)?.1 {
            throw PipelineError("\(source.path): \(problem)")
        }
    }

    /// A short name for messages and receipts.
    package var name: String { source.name }
    /// Whether it is an upscaler.
    package var enlarges: Bool { augmentation != nil }
    /// Channels of its pictures; an upscaler is given those of the picture that it enlarges beside them.
    package var channels: Int { enlarges ? network.channels / 2 : network.channels }
    /// The element type of all arithmetic.
    package var elementType: ElementType { options.elementType }
    /// Where the parts run.
    package var device: Device { options.device }

    /// Whether it has a text encoder of its own.
    func hasTextEncoder() throws -> Bool { try source.has(Self.textComponent) }

    /// The network.
    func buildNetwork() throws -> any NoiseNetwork {
        try options.network(network.type, Self.networkComponent, of: source)
    }
}
