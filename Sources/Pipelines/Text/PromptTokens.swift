import Networks
import Tensors
import Tokenizers

/// The tokens of prompts, for a network that encodes them itself.
public struct PromptTokens: PromptConditioning {
    /// The tokenizer.
    public let tokenizer: any TextTokenizer
    /// Tokens of a prompt, the padding included.
    public let length: Int

    /// Tokens of a tokenizer.
    public init(_ tokenizer: any TextTokenizer, length: Int) {
        (self.tokenizer, self.length) = (tokenizer, length)
    }

    /// A prompt cut or filled up.
    public func tokenized(_ prompt: String) -> TokenizedPrompt { tokenizer.encode(prompt, length: length) }

    /// The tokens.
    public func conditions(of prompts: [String], on device: Device) -> Conditions {
        var conditions = Conditions()
        conditions[.tokens] = tokens(of: prompts).sent(to: device)
        return conditions
    }
}
