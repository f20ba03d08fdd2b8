import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// A network that controls a U-Net, a ControlNet or a T2I-Adapter: its configuration is read and checked, its weights are taken when
/// they are needed.
public struct ControlModel: Sendable {
    /// A short name for messages and receipts.
    public let name: String
    let network: any ControllingNetwork.Type
    private let configuration: any ControllingConfiguration
    private let folder: ModelFolder
    private let options: ModelOptions

    /// Every kind of network that controls.
    private static let kinds: [any ControllingNetwork.Type] = [ControlNet.self, T2IAdapter.self]

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

    private func weights() throws -> any TensorSource {
        try network.native(folder.anyWeights(variant: options.variant))
    }

    /// Throws where the network controls another U-Net than a model's.
    func check(for model: LatentModel) throws {
        guard let unet = model.network.settings as? UNet2DConditionConfiguration else {
            throw PipelineError(
                "\(.controls): \(name) controls a U-Net, and \(model.source.name) has a \(model.network.className): leave it out"
            )
        }
        if let problem = configuration.problem(of: unet, in: model) {
            throw PipelineError(
                "\(.controls): \(name) was made for another model than \(model.source.name): \(problem)")
        }
        guard [1, 3].contains(pictureChannels) else {
            throw PipelineError(
                "\(.controls): \(name) reads pictures of \(pictureChannels) channels, which are not given here: use another"
            )
        }
    }

    /// Checks the names and shapes of the weights. None of them is read.
    /// - Throws: what `build` throws.
    func checkWeights() throws {
        let store = ParameterStore(.compared(try weights()))
        try explaining(folder) { _ = try store.build { try configuration.build($0, options.memory) } }
    }

    /// The network with its weights.
    /// - Throws: an error about its files.
    func build() throws -> any ControllingNetwork {
        let (type, memory) = (options.elementType, options.memory)
        let name = [
            folder.path, type.name, "\(options.device)", options.variant ?? "", "\(memory.network)",
            "\(memory.attentionSlicing)",
        ].joined(separator: "\u{0}")
        return try options.parts.part(name, byteCount: weights().byteCount(as: type)) {
            let store = ParameterStore(
                .loaded(try weights()), elementType: type, on: options.device, matrices: memory.network)
            return try explaining(folder) { try store.build { try configuration.build($0, memory) } }
        }
    }

    /// Its files of weights for a receipt.
    func files() throws -> ModelDigests.Part {
        .init(model: name, part: isAdapter ? "adapter" : "controlnet", files: try weights().files)
    }
}
