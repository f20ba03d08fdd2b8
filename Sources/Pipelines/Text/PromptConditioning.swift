import Networks
import Tensors
import Tokenizers

/// From prompts to what a network is conditioned on.
public protocol PromptConditioning: Sendable {
    /// Tokens of a prompt, the padding included.
    var length: Int { get }

    /// A prompt cut or filled up to as many tokens.
    func tokenized(_ prompt: String) -> TokenizedPrompt

    /// What a network is conditioned on, a row for each prompt.
    func conditions(of prompts: [String], on device: Device) -> Conditions
}

extension PromptConditioning {
    /// The tokens of prompts, `[prompts, length]` as `int64`.
    func tokens(of prompts: [String]) -> Tensor {
        Tensor(
            prompts.flatMap { tokenized($0).ids.map(Int64.init) }, shape: [prompts.count, length])
    }
}
