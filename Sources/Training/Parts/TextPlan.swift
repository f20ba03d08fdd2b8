import Checkpoints
import Datasets
import Layers
import Networks
import Pipelines
import Storage
import Tensors
import Tokenizers

/// The text encoder of a recipe: trained along over byte pairs that are learnt from the captions, or one from a folder,
/// which stays as it is.
struct TextPlan {
    /// The name under which the parameters of an encoder that is trained along stand in checkpoints.
    static let scope = "text_encoder"

    let tokenizer: CLIPTokenizer
    let configuration: CLIPTextConfiguration
    /// Tokens of a text.
    let length: Int
    /// What the tokenizer was learnt as; `nil` of an encoder from a folder.
    let vocabulary: BytePairVocabulary?
    /// Where the weights of an encoder that stays as it is are.
    let folder: ModelFolder?
    /// Whether the network encodes texts itself, from their tokens: there is no encoder beside it.
    let isInNetwork: Bool
    private let tokenizerPath: String?

    /// Whether the encoder is trained along.
    var isTrained: Bool { folder == nil }
    /// Whether there is an encoder beside the network that is trained along.
    var isTrainedBeside: Bool { isTrained && !isInNetwork }

    /// The plan of a recipe whose defaults are filled in; `nil` where nothing is conditioned on text.
    /// - Throws: `RecipeError` or an error about a file of the folder.
    init?(_ model: Recipe.ModelSection, captions: [String]) throws {
        guard model.conditioning == .text, let encoder = model.textEncoder else { return nil }
        guard encoder == Recipe.ModelSection.trained else {
            guard model.network.configuration.traits.tokens == nil else {
                throw RecipeError(
                    "model.text_encoder is \(quoted(encoder)), and a network of model.kind \(model.kind.word) encodes texts itself: leave it out."
                )
            }
            try self.init(folder: encoder, tokens: model.textTokens)
            return
        }
        try self.init(learntFrom: captions, model)
    }

    /// An encoder that is trained along, over byte pairs of the captions.
    private init(learntFrom captions: [String], _ model: Recipe.ModelSection) throws {
        let learnt = try LearntTokenizer(learntFrom: captions, tokens: model.textTokens)
        let (vocabulary, length, width) = (learnt.vocabulary, learnt.length, model.textWidth ?? 64)
        var configuration = CLIPTextConfiguration()
        configuration.vocabSize = vocabulary.count
        (configuration.hiddenSize, configuration.projectionDim) = (width, width)
        configuration.intermediateSize = 4 * width
        configuration.numHiddenLayers = model.textLayers ?? 2
        configuration.numAttentionHeads = width % 32 == 0 ? width / 32 : 1
        configuration.maxPositionEmbeddings = length
        configuration.hiddenAct = .gelu
        configuration.eosTokenId = vocabulary.count - 1
        (self.configuration, self.length, self.vocabulary) = (configuration, length, vocabulary)
        (tokenizer, folder, tokenizerPath) = (learnt.tokenizer, nil, nil)
        isInNetwork = model.network.configuration.traits.tokens != nil
    }

    /// An encoder from a folder: a model's, whose `text_encoder/` and `tokenizer/` are read, or one with its tokenizer
    /// in it or beside it.
    init(folder given: String, tokens: Int?) throws {
        // A run's model is below it.
        let path =
            Files.exists(given + "/model") && !Files.exists(given + "/config.json") ? given + "/model" : given
        let isModel = Files.exists(path + "/text_encoder/config.json")
        let folder = ModelFolder(isModel ? path + "/text_encoder" : path)
        guard Files.exists(folder.path + "/config.json") else {
            throw RecipeError(
                "model.text_encoder is \(quoted(path)): there is no config.json of a text encoder; write trained, or give a folder with one."
            )
        }
        let places = isModel ? [path + "/tokenizer"] : [path, Files.parent(of: path) + "/tokenizer"]
        let found = places.first { Files.exists($0 + "/vocab.json") || Files.exists($0 + "/tokenizer.json") }
        guard let found else {
            throw RecipeError(
                "model.text_encoder is \(quoted(path)): there is no tokenizer in it or beside it (vocab.json and merges.txt, or tokenizer.json)."
            )
        }
        configuration = try CLIPText.configuration(of: folder)
        let tokenizer = try CLIPTokenizer(folder: found)
        let most = min(tokenizer.length, configuration.maxPositionEmbeddings)
        guard tokens ?? most <= most else {
            throw RecipeError(
                "model.text_tokens is \(tokens ?? 0): the encoder of model.text_encoder reads \(most) at most."
            )
        }
        (length, vocabulary, self.folder, tokenizerPath) = (tokens ?? most, nil, folder, found)
        isInNetwork = false
        self.tokenizer = tokenizer.limited(to: length)
    }

    /// What makes conditions of captions; `encoder` is the one beside the network.
    func prompts(_ encoder: CLIPText?, for traits: NetworkTraits) -> (any PromptConditioning)? {
        if isInNetwork { return PromptTokens(tokenizer, length: length) }
        return encoder.map { PromptEncoder(tokenizer, $0, length: length, for: traits) }
    }

    /// The encoder from its folder, on a device; nothing of it is trained.
    func frozen(on device: Device) throws -> CLIPText? {
        guard let folder else { return nil }
        let store = ParameterStore(.loaded(try CLIPText.weights(of: folder)), on: device)
        return try store.build { try CLIPText(configuration, $0) }
    }

    /// The weights of an encoder that stays as it is, under its own names.
    func weights() throws -> any TensorSource {
        guard let folder else { return TensorDictionary([:]) }
        return try CLIPText.weights(of: folder)
    }

    /// The sha256 of the weights of an encoder that stays as it is, by name and value; empty for one that is trained along.
    func digest() throws -> String { isTrained ? "" : try weights().valueDigest() }

    /// Writes the tokenizer's folder: as it was learnt, or a copy with the tokens of a text that this run has.
    func writeTokenizer(to path: String) throws {
        if let vocabulary { return try vocabulary.write(to: path, length: length) }
        guard let tokenizerPath else { return }
        try Self.copyTokenizer(from: tokenizerPath, to: path, length: length)
    }

    /// Writes a copy of a tokenizer's folder with so many tokens of a text.
    static func copyTokenizer(from source: String, to path: String, length: Int) throws {
        try Files.createFolder(path)
        for name in try Files.names(in: source) where files.contains(name) {
            try Files.write(Files.read("\(source)/\(name)"), to: "\(path)/\(name)")
        }
        guard try CLIPTokenizer(folder: path).length != length else { return }
        let (folder, name) = (ModelFolder(path), "tokenizer_config.json")
        var configuration = try Files.exists("\(path)/\(name)") ? folder.configuration(name) : JSONObject()
        configuration["model_max_length"] = .integer(length)
        try folder.write(configuration, to: name)
    }

    /// The files of a tokenizer.
    private static let files: Set = [
        "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json",
    ]
}

/// The caption of each example through a text encoder, some of them hidden behind the empty text.
/// Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
public struct TextConditioner: Conditioner {
    /// The encoder.
    public let encoder: any PromptConditioning
    /// Part of the examples whose text is hidden.
    public let dropout: Double
    /// Whether gradients reach the encoder.
    public let isTrained: Bool

    /// A conditioner.
    public init(_ encoder: any PromptConditioning, dropout: Double, isTrained: Bool) {
        (self.encoder, self.dropout, self.isTrained) = (encoder, dropout, isTrained)
    }

    /// The labels, where the data have any.
    public func classes(of batch: Batch) -> Tensor? { batch.labels }

    /// The encoded captions; an example without one counts as an empty text. Draws one number an example.
    /// - Throws: the error that a tensor carries.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        let captions =
            batch.captions?.map { $0.first ?? "" } ?? Array(repeating: "", count: batch.data.shape[0])
        let hidden = try generator.map {
            try $0.coin([captions.count], probability: dropout).array(of: Bool.self)
        }
        let shown = captions.indices.map { hidden?[$0] == true ? "" : captions[$0] }
        let conditions = encoder.conditions(of: shown, on: device)
        return isTrained ? conditions : conditions.map { $0.detached() }
    }
}
