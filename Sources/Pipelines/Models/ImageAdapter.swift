import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// An IP-Adapter, which lets pictures be prompts: the names and shapes in its file are checked, its weights are taken when they are
/// needed.
public struct ImageAdapter: Sendable {
    /// The file, `.safetensors`.
    public let path: String
    /// A short name for messages.
    public var name: String { Files.name(of: path) }
    /// The file as receipts have it.
    let record: InputFile
    private let file: SafetensorsFile
    /// The network without its numbers.
    private let shapes: IPAdapter

    /// Opens an adapter.
    /// - Throws: an error that names the tensor that will not do, one sentence.
    public init(_ path: String) throws {
        guard Files.exists(path), !Files.isFolder(path) else {
            throw PipelineError("\(.imagePrompts): there is no file '\(path)': give a .safetensors file")
        }
        guard try !CheckpointFormat(of: path).isPickled else {
            throw PipelineError(
                "\(path) is a pickle, which can run any code where it is read: convert it first, on a machine where that does no harm ('langevin convert \(path) OUT.safetensors')"
            )
        }
        self.path = path
        file = try SafetensorsFile(path: path)
        shapes = try Self.network(file, ParameterStore(.compared(file)))
        record = try InputFile(path)
    }

    private static func network(_ file: SafetensorsFile, _ store: ParameterStore) throws -> IPAdapter {
        do {
            return try locating(file.path) { try store.build { try IPAdapter(file, $0) } }
        } catch let error as LoadError {
            throw PipelineError("\(file.path): \(error)")
        }
    }

    /// What it reads of CLIP's encoder of pictures.
    var features: ImageFeatures { type(of: shapes.projection).features }

    /// Throws where it was made for another U-Net or another encoder than a model's.
    /// - Parameter encoder: that of the model.
    func check(for model: LatentModel, _ encoder: CLIPVisionConfiguration) throws {
        guard let unet = model.network.settings as? UNet2DConditionConfiguration else {
            throw PipelineError(
                "\(.imagePrompts): \(name) is made for a U-Net, and \(model.source.name) has a \(model.network.className): leave it out"
            )
        }
        let (own, needed) = (shapes.layers.map(\.shape), try unet.textLayers().map(\.shape))
        if let problem = Self.problem(own, needed) {
            throw PipelineError(
                "\(.imagePrompts): \(name) was made for another model than \(model.source.name): \(problem)")
        }
        let given = features == .embedding ? encoder.projectionDim : encoder.hiddenSize
        guard shapes.projection.imageWidth == given else {
            let what: Sentence = features == .embedding ? "embeddings" : "states"
            throw PipelineError(
                "\(.imagePrompts): \(name) reads \(what) of pictures with \(shapes.projection.imageWidth) numbers, and those of the image encoder have \(given): give the encoder that it was made for by \(.imageEncoder)"
            )
        }
    }

    private static func problem(_ own: [Shape], _ needed: [Shape]) -> String? {
        guard own != needed else { return nil }
        guard own.count == needed.count else {
            return "it has \(own.count) layers, and \(needed.count) of the U-Net attend to a text"
        }
        let (number, (one, other)) = zip(own, needed).enumerated().first { $1.0 != $1.1 }!
        let widths = one[1] == other[1] ? (one[0], other[0], "keys") : (one[1], other[1], "tokens")
        return
            "layer \(2 * number + 1) has \(widths.2) of \(widths.0) features, and that of the U-Net \(widths.1)"
    }

    /// The network with its weights.
    /// - Throws: an error about its file.
    func build(_ options: ModelOptions) throws -> IPAdapter {
        let store = ParameterStore(
            .loaded(file), elementType: options.elementType, on: options.device, prepares: false)
        return try Self.network(file, store)
    }
}
