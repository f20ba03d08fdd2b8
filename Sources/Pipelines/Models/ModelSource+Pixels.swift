import Checkpoints
import Diffusion
import Networks
import Storage
import Tensors
import Tokenizers

// What models on pixels or points take from where their parts are.

extension ModelSource {
    /// The network's configuration.
    /// - Throws: `PipelineError` where the index names a pipeline that is not of this kind, or another network.
    func pixelConfiguration() throws -> NetworkConfiguration {
        try NetworkConfiguration(onPixels: pixelIndex) { try configuration(of: .unet) }
    }

    /// The process that the network was trained on; a folder's file and its index must agree on the class.
    func pixelProcess() throws -> Process {
        try configurations?.process(prediction: prediction) ?? process()
    }

    /// Where the elements of pictures lie: diffusers' pipeline of the variance-exploding equation has them in 0 … 1.
    func pixelRange() throws -> ClosedRange<Double> {
        try pixelIndex.required("_class_name", as: String.self) == ModelLayout.unitPipeline ? 0...1 : -1...1
    }

    /// What makes conditions of prompts for a network of given traits; `nil` where it is conditioned on no text.
    /// - Throws: errors that name the files.
    func promptConditioning(for traits: NetworkTraits, in type: ElementType, on device: Device) throws
        -> (any PromptConditioning)?
    {
        guard let tokens = traits.tokens else { return try promptEncoder(for: traits, in: type, on: device) }
        let tokenizer = try promptTokenizer(length: tokens.length)
        guard tokenizer.paddingToken == tokens.vocabulary - 1 else {
            throw PipelineError(
                "\(path): its tokenizer has \(tokenizer.paddingToken + 1) tokens, and its network \(tokens.vocabulary) (vocab_size): they are of different models"
            )
        }
        return PromptTokens(tokenizer, length: tokens.length)
    }

    /// The tokenizer of a network that encodes texts itself: CLIP's where its folder says so, else GPT-2's; of a file, from the
    /// folder that the file is in.
    private func promptTokenizer(length: Int) throws -> any TextTokenizer {
        if let own = try tokenizer() { return own }
        let folder = try promptTokenizerFolder()
        let name = "tokenizer_config.json"
        let className =
            try Files.exists("\(folder)/\(name)")
            ? ModelFolder(folder).configuration(name).optional("tokenizer_class", as: String.self) : nil
        return className == "CLIPTokenizer"
            ? try CLIPTokenizer(folder: folder) : try GPT2Tokenizer(folder: folder, length: length)
    }

    private func promptTokenizerFolder() throws -> String {
        let beside = file == nil ? [path] : [Files.parent(of: path)]
        let places = (configurations.map { [$0.path] } ?? []) + beside
        let folders = places.flatMap { ["\($0)/\(ModelContents.tokenizer)", $0] }
        let names = GPT2Tokenizer.mergesNames
        let found = folders.first { folder in names.contains { Files.exists("\(folder)/\($0)") } }
        guard let found else {
            throw PipelineError(
                "\(path): its texts need GPT-2's merges, which do not come with this program: put the file vocab.bpe (or merges.txt) into '\(folders[0])'"
            )
        }
        return found
    }

    /// The text encoder of a model whose network has given traits; `nil` where it has none.
    /// - Throws: errors that name the file.
    func promptEncoder(for traits: NetworkTraits, in type: ElementType, on device: Device) throws
        -> PromptEncoder?
    {
        guard try hasTextEncoder else { return nil }
        let network = try build(CLIPText.self, .textEncoder, elementType: type, on: device)
        let tokenizer = try self.tokenizer() ?? CLIPTokenizer(folder: "\(path)/\(ModelContents.tokenizer)")
        return PromptEncoder(
            tokenizer, network,
            length: min(tokenizer.length, network.configuration.maxPositionEmbeddings), for: traits)
    }

    /// The index; that of its family of a file that nothing describes.
    private var pixelIndex: JSONObject {
        get throws {
            guard let file, index["_class_name"] == nil else { return index }
            return try file.family.index(file.configurations())
        }
    }

    /// Whether there is a text encoder; the index of a run's folder does not list it.
    private var hasTextEncoder: Bool {
        get throws { try has(.textEncoder) || configurations?.hasTextEncoder ?? false }
    }
}

extension NetworkConfiguration {
    /// The configuration of a network on pixels.
    /// - Parameters:
    ///   - index: the model's index.
    ///   - object: reads the network's own configuration.
    /// - Throws: `PipelineError` where the index names a pipeline that is not of this kind, or another network.
    init(onPixels index: JSONObject, _ object: () throws -> JSONObject) throws {
        let pipeline = try index.required("_class_name", as: String.self)
        guard PixelAssembly.classNames.contains(pipeline) else {
            let names = PixelAssembly.classNames.joined(separator: " and ")
            throw PipelineError(
                "\(index.place): the pipeline \(quoted(pipeline)) is not one of a network on pixels: \(names) are"
            )
        }
        try self.init(object())
        if let named = try index.component("unet")?.className, named != className {
            throw PipelineError(
                "\(index.place): 'unet' is a \(quoted(named)), and unet/config.json describes a '\(className)': make them agree"
            )
        }
    }
}
