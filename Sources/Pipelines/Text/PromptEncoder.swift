import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import Tokenizers

/// A text encoder with its tokenizer: from prompts to what a network is conditioned on. It may be trained along with the
/// network.
public struct PromptEncoder: PromptConditioning {
    /// The tokenizer.
    public let tokenizer: CLIPTokenizer
    /// The encoder.
    public let network: CLIPText
    /// Tokens of a prompt, start, end and padding included.
    public let length: Int
    /// Whether the network it serves reads the text as a whole beside its tokens.
    public let givesPooled: Bool

    /// An encoder for a network with given traits.
    public init(_ tokenizer: CLIPTokenizer, _ network: CLIPText, length: Int, for traits: NetworkTraits) {
        self.init(
            tokenizer, network, length: length,
            givesPooled: traits.pooled != nil || traits.numbers != nil)
    }

    /// An encoder.
    public init(_ tokenizer: CLIPTokenizer, _ network: CLIPText, length: Int, givesPooled: Bool) {
        (self.tokenizer, self.network, self.length) = (tokenizer, network, length)
        self.givesPooled = givesPooled
    }

    /// A prompt cut or filled up.
    public func tokenized(_ prompt: String) -> TokenizedPrompt { tokenizer.encode(prompt, length: length) }

    /// The normed states of the last layer `[batch, length, width]` and, where it is read, the state at the end of each
    /// text `[batch, width]`.
    public func conditions(of prompts: [String], on device: Device) -> Conditions {
        let output = network(tokens(of: prompts).sent(to: device))
        return Conditions(context: output.states(), pooledText: givesPooled ? output.pooled : nil)
    }
}

extension ModelLayout {
    /// The folder of its tokenizer.
    package var tokenizerPath: String { path + "/tokenizer" }
    private var textEncoder: ModelFolder { ModelFolder(path + "/text_encoder") }

    /// Whether the model has a text encoder of its own.
    public var hasTextEncoder: Bool { Files.exists(path + "/text_encoder/config.json") }

    /// The text encoder of a model whose network has given traits; `nil` where it has none.
    /// - Throws: errors that name the file.
    public func promptEncoder(for traits: NetworkTraits, in type: ElementType, on device: Device) throws
        -> PromptEncoder?
    {
        try ModelSource(path).promptEncoder(for: traits, in: type, on: device)
    }

    /// Writes a text encoder beside the network: `text_encoder/` and `tokenizer/`.
    /// - Parameter writeTokenizer: writes the tokenizer's folder.
    public func write(
        textEncoder configuration: CLIPTextConfiguration, _ parameters: [(String, Tensor)],
        writeTokenizer: (_ path: String) throws -> Void
    ) throws {
        try CLIPText.write(configuration, parameters, to: textEncoder)
        try writeTokenizer(tokenizerPath)
    }
}
