import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// A network that controls a denoising network, a ControlNet or a T2I-Adapter: its configuration is read and checked, its weights are
/// taken when they are needed.
public struct ControlModel: Sendable {
    /// A short name for messages and receipts.
    public let name: String
    let network: any ControllingNetwork.Type
    private let place: Place
    /// What it is whatever model it controls.
    private let configuration: any ControllingConfiguration
    private let options: ModelOptions

    /// Where the network lies.
    private enum Place {
        case folder(ModelFolder)
        /// A file, which leaves to the model what network it is.
        case file(ControlFile)

        var path: String {
            switch self {
            case .folder(let folder): folder.path
            case .file(let file): file.path
            }
        }
    }

    /// Every kind of network that controls.
    private static let kinds: [any ControllingNetwork.Type] = [
        ControlNet.self, SD3ControlNet.self, T2IAdapter.self,
    ]

    /// Opens a control network.
    /// - Parameters:
    ///   - model: a folder in the layout of diffusers with its `config.json`, a `.safetensors` file of a ControlNet for a U-Net, or
    ///     `org/name` on the hub.
    ///   - options: those of the model that it controls.
    /// - Throws: an error that names the file and the key, one sentence.
    public init(_ model: String, _ options: ModelOptions = ModelOptions()) throws {
        let path = try options.locator.path(of: model, variant: options.variant)
        (self.options, name) = (options, ModelLayout(path).name)
        if Files.exists(path), !Files.isFolder(path) {
            let file = try ControlFile(path)
            (network, place) = (ControlNet.self, .file(file))
            configuration = try file.configuration(of: UNet2DConditionConfiguration())
            return
        }
        guard let folder = ModelLayout.networkFolder(of: path) else {
            throw PipelineError(
                "\(.controls): '\(model)' is no folder of a control network with its config.json, and no file of one: give one"
            )
        }
        place = .folder(folder)
        let className = try KnownNetworks.name(in: folder.configuration())
        guard let network = Self.kinds.first(where: { $0.className == className }) else {
            throw PipelineError(
                "\(.controls): '\(model)' is a \(printable(className)), and a \(Self.kinds.map { $0.className }.joined(separator: " or a ")) is needed"
            )
        }
        self.network = network
        configuration = try explaining(folder) { try network.controlling(folder) }
    }

    /// Whether it is a T2I-Adapter.
    public var isAdapter: Bool { network == T2IAdapter.self }
    /// Channels of the picture.
    var pictureChannels: Int { configuration.pictureChannels }
    /// What sides of the picture are multiples of.
    var sizeMultiple: Int { configuration.sizeMultiple }
    /// Whether it acts in guess mode in every run.
    var alwaysGuesses: Bool { configuration.alwaysGuesses }
    /// How it reads pictures as the autoencoder's latents; `nil` where it reads pixels.
    var latents: ControlLatents? { configuration.latents }
    /// Pixels along the largest side that it knows; `nil` where it knows any.
    func largestSide(in model: LatentModel) -> Int? { configuration.largestSide(in: model) }

    private func weights() throws -> any TensorSource {
        switch place {
        case .folder(let folder): try network.native(folder.anyWeights(variant: options.variant))
        case .file(let file): try network.native(file.weights)
        }
    }

    /// What it is where it controls a model.
    private func configuration(for model: LatentModel) throws -> any ControllingConfiguration {
        guard case .file(let file) = place, let unet = model.network.settings as? UNet2DConditionConfiguration
        else { return configuration }
        return try file.configuration(of: unet)
    }

    /// Builds the network in a store.
    private func built(in store: ParameterStore, for model: LatentModel) throws -> any ControllingNetwork {
        let configuration = try configuration(for: model)
        return try explaining(weights: place.path, configuration: place.path) {
            try store.build { try configuration.build($0, options.memory) }
        }
    }

    /// Throws where the network controls another one than a model's.
    func check(for model: LatentModel) throws {
        let fitted = try configuration(for: model)
        try fitted.check(for: model, named: name)
        if case .file(let file) = place, let own = fitted as? ControlNetConfiguration,
            file.controlChannels != own.controlChannels
        {
            throw PipelineError(
                "\(.controls): \(name) was made for another model than \(model.source.name): it adds to features of \(file.controlChannels) channels, and the model's U-Net has \(own.controlChannels)"
            )
        }
        guard [1, 3].contains(pictureChannels) else {
            throw PipelineError(
                "\(.controls): \(name) reads pictures of \(pictureChannels) channels, which are not given here: use another"
            )
        }
    }

    /// Checks the names and shapes of the weights. None of them is read.
    /// - Throws: what `build` throws.
    func checkWeights(for model: LatentModel) throws {
        _ = try built(in: ParameterStore(.compared(weights())), for: model)
    }

    /// The network with its weights.
    /// - Throws: an error about its files.
    func build(for model: LatentModel) throws -> any ControllingNetwork {
        let (type, memory) = (options.elementType, options.memory)
        // What a file is, the model decides.
        let described = if case .file = place { model.source.path } else { "" }
        let name = [
            place.path, described, type.name, "\(options.device)", options.variant ?? "", "\(memory.network)",
            "\(memory.attentionSlicing)",
        ].joined(separator: "\u{0}")
        return try options.parts.part(name, byteCount: weights().byteCount(as: type)) {
            let store = ParameterStore(
                .loaded(try weights()), elementType: type, on: options.device, matrices: memory.network)
            return try built(in: store, for: model)
        }
    }

    /// Its files of weights for a receipt.
    func files() throws -> ModelDigests.Part {
        .init(model: name, part: isAdapter ? "adapter" : "controlnet", files: try weights().files)
    }
}
