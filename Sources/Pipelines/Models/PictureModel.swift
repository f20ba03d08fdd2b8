import Checkpoints
import Diffusion
import Layers
import Networks
import Tensors

/// A diffusion model on pixels or points: a network, the process it was trained on, a card, and a text encoder where
/// it is given texts.
///
/// On disk it is a folder in the diffusers layout: `model_index.json`, `unet/`, `scheduler/`, and for texts
/// `text_encoder/` and `tokenizer/`; the card is `langevin.json`.
public struct PictureModel {
    /// Where it was opened, for messages.
    public let name: String
    /// The network's configuration.
    public let configuration: NetworkConfiguration
    /// The process that the network was trained on.
    public let process: Process
    /// What else is known of its use.
    public let card: ModelCard
    /// The network.
    public let network: any NoiseNetwork
    /// What encodes its prompts; `nil` where it is given none.
    public var text: PromptEncoder?
    /// Where the elements of its pictures lie, from black to white.
    public let dataRange: ClosedRange<Double>
    /// The element type of the network's arithmetic.
    public let elementType: ElementType
    /// Where the network runs.
    public let device: Device

    /// A model of given parts.
    public init(
        name: String, configuration: NetworkConfiguration, process: Process, card: ModelCard,
        network: any NoiseNetwork, dataRange: ClosedRange<Double> = -1...1,
        elementType: ElementType = .float32,
        device: Device = .cpu
    ) {
        self.name = name
        self.configuration = configuration
        self.process = process
        self.dataRange = dataRange
        self.card = card
        self.network = network
        self.elementType = elementType
        self.device = device
    }

    /// Opens a model folder, strictly: every tensor of the file must have its place in the network, and
    /// the other way round.
    /// - Parameter prediction: what the network predicts, whatever the folder says.
    /// - Throws: `CheckpointError`, `LoadError`, `PipelineError`, `NetworkError`, each one sentence.
    public init(
        folder: ModelLayout, elementType: ElementType = .float32, on device: Device = .cpu,
        prediction: Prediction? = nil
    ) throws {
        let configuration = try folder.networkConfiguration()
        let store = ParameterStore(
            .loaded(try configuration.weights(of: folder.network)), elementType: elementType, on: device)
        self.init(
            name: folder.name, configuration: configuration,
            process: try folder.process(prediction: prediction),
            card: try folder.card(),
            network: try explaining(folder.network) { try store.build(configuration.network) }
                .replayed(on: device),
            dataRange: try folder.dataRange(), elementType: elementType, device: device)
        text = try folder.promptEncoder(for: configuration.traits, in: elementType, on: device)
    }

    /// The number of classes that stand for something; `nil` where the model knows none.
    public var classCount: Int? {
        guard card.classNames != [], let count = configuration.classCount else { return nil }
        return card.nullClass == count - 1 ? count - 1 : count
    }

    /// Height and width of its pictures.
    public func pictureSize() throws -> (height: Int, width: Int) {
        if let size = configuration.pictureSize { return size }
        if let height = card.height, let width = card.width { return (height, width) }
        throw PipelineError(
            "\(name) does not say how large its pictures are: set 'sample_size' in its config.json, or give 'sample' --width and --height"
        )
    }
}
