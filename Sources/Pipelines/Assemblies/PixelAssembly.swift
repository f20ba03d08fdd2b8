import Checkpoints
import Diffusion
import Layers
import Networks
import Tensors

/// Models that diffuse pixels or points: a network, the process it was trained on, a card, and a text encoder where it is
/// conditioned on texts.
///
/// On disk it is a folder in the diffusers layout: `model_index.json`, `unet/`, `scheduler/`, and for texts
/// `text_encoder/` and `tokenizer/`; the card is `langevin.json`.
package struct PixelAssembly: StoredAssembly {
    package static let classNames = [
        "DDPMPipeline", "DDIMPipeline", "ConsistencyModelPipeline", "ScoreSdeVePipeline",
    ]
    package static let family = "ddpm"

    /// Where it was opened, for messages.
    package let name: String
    /// The network's configuration.
    package let configuration: NetworkConfiguration
    /// The process that the network was trained on.
    package let process: Process
    /// What else is known of its use.
    package let card: ModelCard
    /// The network.
    package let network: any NoiseNetwork
    /// What encodes its prompts; `nil` where it is given none.
    package var text: (any PromptConditioning)?
    /// Where the elements of its pictures lie, from black to white.
    package let dataRange: ClosedRange<Double>
    /// The element type of the network's arithmetic.
    package let elementType: ElementType
    /// Where the network runs.
    package let device: Device
    /// Where its parts are; `nil` for a model in memory.
    let source: ModelSource?

    /// A model of given parts.
    package init(
        name: String, configuration: NetworkConfiguration, process: Process, card: ModelCard,
        network: any NoiseNetwork, dataRange: ClosedRange<Double> = -1...1,
        elementType: ElementType = .float32, device: Device = .cpu
    ) {
        (self.name, self.configuration, self.process, self.card) = (name, configuration, process, card)
        (self.network, self.dataRange) = (network, dataRange)
        (self.elementType, self.device, source) = (elementType, device, nil)
    }

    /// Opens a model, strictly: every tensor must have its place in the network, and the other way round.
    /// - Throws: `CheckpointError`, `LoadError`, `PipelineError`, `NetworkError`, each one sentence.
    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        guard options.memory == MemoryOptions() else {
            throw PipelineError(
                "\(.memory) keeps models of latents small, and \(source.name) diffuses pixels: leave it out")
        }
        guard options.variant == nil else {
            throw PipelineError(
                "\(.variant) names weights of models of latents, and \(source.name) diffuses pixels: leave it out"
            )
        }
        (name, self.source) = (source.name, source)
        (elementType, device) = (options.elementType, options.device)
        configuration = try source.pixelConfiguration()
        (process, card, dataRange) = try (source.pixelProcess(), source.card(), source.pixelRange())
        try card.check(classes: configuration.classCount, of: source.path)
        network = try Self.network(configuration, source, options)
        text = try source.promptConditioning(for: configuration.traits, in: elementType, on: device)
    }

    /// Opens a model folder.
    package init(_ folder: ModelLayout, _ options: ModelOptions = ModelOptions()) throws {
        try self.init(ModelSource(folder.path, options), options)
    }

    private static func network(
        _ configuration: NetworkConfiguration, _ source: ModelSource, _ options: ModelOptions
    ) throws -> any NoiseNetwork {
        func built<Network: DenoisingNetwork>(_ type: Network.Type) throws -> any NoiseNetwork {
            try source.build(
                type, networkComponent, elementType: options.elementType, on: options.device)
        }
        let (type, device) = (options.elementType, options.device)
        return try options.parts.part(
            "\(source.path) \(type.name) \(device)",
            byteCount: source.weights(of: networkComponent).byteCount(as: type)
        ) { try built(configuration.type).replayed(on: device) }
    }

    package func stages(_ request: Request) throws -> [any Stage] { [try PixelStage(self, request)] }

    package func stage(after earlier: StageSettings, _ request: Request) throws -> any Stage {
        guard configuration.traits.enlargement != nil else {
            throw PipelineError(
                "\(.following): \(name) enlarges no pictures, it draws its own: give a model that was made to enlarge"
            )
        }
        guard let shape = earlier.pictureShape else {
            throw PipelineError(
                "\(.following): \(earlier.model) makes points, and \(name) enlarges pictures: leave it out")
        }
        return try PixelStage(self, request, after: shape)
    }

    package var takesPrompt: Bool { text != nil }
    package var enlarges: Bool { configuration.traits.enlargement != nil }
    package var inpaints: Bool { configuration.traits.inpaints }

    package func bare() throws -> BareModel {
        try PixelStage.checkConditions(self)
        guard configuration.traits.enlargement == nil else {
            throw PipelineError(
                "\(name) enlarges pictures, and this is for models that need none: use another model")
        }
        guard !process.isOfBits else {
            throw PipelineError(
                "\(name) flips bits, and this is for models on Gaussian noise: use another model")
        }
        let isPoint = configuration.sample == .point
        let size = isPoint ? nil : try pictureSize()
        let (parameterization, nullClass) = (process.parameterization, card.nullClass)
        var bare = BareModel(
            name: name, process: process,
            sampleShape: Shape([configuration.channels] + (size.map { [$0.height, $0.width] } ?? [])),
            elementType: elementType == .float64 ? .float64 : .float32, device: device
        ) { [network, classCount, text, device, elementType] condition, count in
            let classes: [Int]? = if case .classes(let classes) = condition { classes } else { nil }
            let prompts: [String]? = if case .prompts(let prompts) = condition { prompts } else { nil }
            var conditions = Conditions()
            if let text {
                let encoded = text.conditions(
                    of: prompts ?? Array(repeating: "", count: count), on: device)
                conditions = encoded.to(elementType)
            }
            if classCount != nil {
                let labels = classes ?? Array(repeating: nullClass ?? 0, count: count)
                conditions[.labels] = Tensor(labels.map(Int64.init)).to(device)
            }
            return Denoiser(parameterization) { [conditions] x, time in
                network(x.to(elementType), time: time, conditions, dropout: nil).to(x.elementType)
            }
        }
        (bare.dataRange, bare.sizeMultiple) = (dataRange, configuration.sizeMultiple)
        bare.largestSide = configuration.traits.largestSide
        (bare.classCount, bare.takesPrompt) = (classCount, text != nil)
        bare.hasUnconditional = classCount == nil || nullClass != nil
        bare.learnsVariance = configuration.traits.learnsVariance
        return bare
    }

    /// The number of classes that stand for something; `nil` where the model knows none.
    package var classCount: Int? {
        guard card.classNames != [], let count = configuration.classCount else { return nil }
        return card.nullClass == count - 1 ? count - 1 : count
    }

    /// Height and width of its pictures.
    package func pictureSize() throws -> (height: Int, width: Int) {
        if let size = configuration.pictureSize { return size }
        if let height = card.height, let width = card.width { return (height, width) }
        throw PipelineError(
            "\(name) does not say how large its pictures are: set 'sample_size' in its config.json, or give \(.width) and \(.height)"
        )
    }
}

extension TensorSource {
    /// The bytes of all its tensors as another element type.
    func byteCount(as type: ElementType) -> Int {
        names.reduce(0) { $0 + (shape(of: $1)?.elementCount ?? 0) * type.byteCount }
    }
}
