import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import Tokenizers

/// A CLIP with its tokenizer, and how it takes pictures: texts and pictures to vectors of one space.
///
/// On disk it is a folder in the layout of transformers: `config.json`, `model.safetensors`, the tokenizer's files and
/// `preprocessor_config.json`.
public struct ContrastiveModel: Sendable {
    /// A short name for messages.
    public let name: String
    /// The two encoders.
    public let network: CLIP
    private let tokenizer: CLIPTokenizer
    private let statistics: ChannelStatistics
    private let elementType: ElementType
    private let device: Device

    /// Opens a folder, strictly.
    /// - Throws: `CheckpointError`, `PipelineError` or an error of the tokenizer, each one sentence that names a file.
    public init(
        _ folder: ModelFolder, elementType: ElementType = .float32, on device: Device = .cpu
    ) throws {
        name = ModelLayout(folder.path).name
        (self.elementType, self.device) = (elementType, device)
        tokenizer = try CLIPTokenizer(folder: folder.path)
        let configuration = try CLIP.configuration(of: folder)
        statistics = try Self.statistics(of: folder, channels: configuration.visionConfig.numChannels)
        let store = ParameterStore(
            .loaded(try CLIP.weights(of: folder)), elementType: elementType, on: device)
        network = try explaining(folder) { try store.build { try CLIP(configuration, $0) } }
    }

    /// The shape of the pictures that it takes, `[channels, height, width]`.
    public var pictureShape: Shape {
        let vision = network.configuration.visionConfig
        return [vision.numChannels, vision.imageSize, vision.imageSize]
    }

    /// The vectors of texts, `[texts, features]`, each of length 1. What does not fit is cut off.
    public func embeddings(ofTexts texts: [String]) -> Tensor {
        inference { Self.embeddings(of: texts, network, tokenizer, length: length, on: device) }
    }

    /// The vectors of pictures `[pictures, channels, height, width]` in −1 … 1: `[pictures, features]`, each of length 1.
    /// Pictures of another size are brought to the encoder's.
    public func embeddings(ofPictures pictures: Tensor) -> Tensor {
        let (height, width) = (pictureShape[1], pictureShape[2])
        let isSize = pictures.shape[2] == height && pictures.shape[3] == width
        let sized = isSize ? pictures : pictures.resizedBilinear(height: height, width: width)
        return inference {
            network.pictureEmbeddings(
                statistics.normalized(signed: sized).to(elementType).sent(to: device))
        }
    }

    /// The number of texts whose end is cut off.
    public func cutCount(_ texts: [String]) -> Int {
        texts.filter { tokenizer.encode($0, length: length).fullCount > length }.count
    }

    private var length: Int {
        min(tokenizer.length, network.configuration.textConfig.maxPositionEmbeddings)
    }

    /// The vectors of texts by a network that may be learning.
    /// - Parameter length: tokens of a text, start and end included.
    public static func embeddings(
        of texts: [String], _ network: CLIP, _ tokenizer: CLIPTokenizer, length: Int, on device: Device
    ) -> Tensor {
        let ids = texts.flatMap { tokenizer.encode($0, length: length).ids.map(Int64.init) }
        return network.textEmbeddings(Tensor(ids, shape: [texts.count, length]).sent(to: device))
    }
}

// MARK: - The folder

extension ContrastiveModel {
    package static let preprocessor = "preprocessor_config.json"

    /// The statistics that a folder states; those of the published models where it does not.
    package static func statistics(of folder: ModelFolder, channels: Int) throws -> ChannelStatistics {
        guard Files.exists("\(folder.path)/\(preprocessor)") else { return .clip }
        let object = try folder.configuration(preprocessor)
        let mean: [Double] = try object.optional("image_mean") ?? ChannelStatistics.clip.mean
        let deviation: [Double] = try object.optional("image_std") ?? ChannelStatistics.clip.deviation
        guard mean.count == channels, deviation.count == channels, deviation.allSatisfy({ $0 > 0 }) else {
            throw PipelineError(
                "\(object.place): image_mean and image_std must hold a number for each of \(channels) channels, deviations above 0"
            )
        }
        return ChannelStatistics(mean: mean, deviation: deviation)
    }

    /// Writes a folder that transformers opens with `CLIPModel` and `CLIPProcessor`.
    /// - Parameters:
    ///   - parameters: by name, in the order in which the file is to list them.
    ///   - vocabulary: what the tokenizer was learnt as.
    ///   - statistics: what pictures were normalized with.
    /// - Throws: errors that name a file.
    public static func write(
        _ configuration: CLIPConfiguration, _ parameters: [(String, Tensor)], vocabulary: BytePairVocabulary,
        statistics: ChannelStatistics, to path: String
    ) throws {
        let folder = ModelFolder(path)
        try Files.createFolder(path)
        try vocabulary.write(to: path, length: configuration.textConfig.maxPositionEmbeddings)
        let size = JSONValue.integer(configuration.visionConfig.imageSize)
        try folder.write(
            [
                "image_processor_type": "CLIPImageProcessor",
                "image_mean": .array(statistics.mean.map(JSONValue.number)),
                "image_std": .array(statistics.deviation.map(JSONValue.number)),
                "do_convert_rgb": .bool(configuration.visionConfig.numChannels == 3),
                "do_rescale": true, "rescale_factor": .number(1 / 255),
                "do_normalize": true, "do_resize": true, "resample": 3,
                "size": ["shortest_edge": size],
                "do_center_crop": true, "crop_size": ["height": size, "width": size],
            ], to: preprocessor)
        var object = try CLIP.json(configuration)
        if var text: JSONObject = try object.optional("text_config") {
            // What transformers assumes of these is beyond a vocabulary that was learnt: start and end are its last tokens.
            text["bos_token_id"] = .integer(vocabulary.count - 2)
            text["pad_token_id"] = .integer(vocabulary.count - 1)
            object["text_config"] = .object(text)
        }
        try CLIP.write(object, parameters.map { try DeferredTensor($0, $1) }, to: folder)
    }
}
