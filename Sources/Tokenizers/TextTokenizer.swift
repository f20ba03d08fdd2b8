/// Text to token ids, as the tokenizer classes of transformers 5 do it.
public protocol TextTokenizer: Sendable {
    /// How many tokens a prompt has where no other number is given (`model_max_length`).
    var length: Int { get }
    /// The token that begins every prompt, nil where prompts begin with their first word.
    var startToken: Int? { get }
    /// The token that ends every prompt, where one does.
    var endToken: Int { get }
    /// Whether a token ends every prompt.
    var endsPrompts: Bool { get }
    /// The token that fills a prompt up.
    var paddingToken: Int { get }

    /// The tokens of a text alone: none at its start and end, nothing cut off.
    func tokens(of text: String) -> [Int]
    /// The text that tokens stand for, in the form that cleaning gave it.
    func text(of tokens: some Sequence<Int>) -> String
}

/// A prompt as a text encoder takes it.
public struct TokenizedPrompt: Sendable, Equatable {
    /// Token ids: start, text, end, padding.
    public var ids: [Int]
    /// The weight of every token; 1 for start, end and padding.
    public var weights: [Double]
    /// How many of the ids come before the padding (where an attention mask is 1).
    public var tokenCount: Int
    /// How many tokens the prompt would have needed.
    public var fullCount: Int
    /// The end of the prompt that found no room, as text; empty where all of it did.
    public var cut: String

    /// What to tell the person who wrote the prompt, nil where all of it found room.
    public var warning: String? {
        guard fullCount > ids.count else { return nil }
        let shown = cut.count > 200 ? cut.prefix(200) + "…" : cut[...]
        return "the prompt has \(fullCount) tokens, of which \(ids.count) fit; this was cut off: \(shown)"
    }
}

extension TextTokenizer {
    /// One does.
    public var endsPrompts: Bool { true }

    /// A prompt as a text encoder takes it, cut or filled up to a length.
    /// - Parameter length: how many tokens it shall have, those at start and end included.
    public func encode(_ prompt: String, length: Int? = nil) -> TokenizedPrompt {
        encode([WeightedText(prompt)], length: length)
    }

    /// A prompt of parts with weights (`WeightedText.parts(of:)`). Every part is made into tokens by itself.
    public func encode(_ parts: [WeightedText], length: Int? = nil) -> TokenizedPrompt {
        let length = length ?? self.length
        let start = startToken.map { [$0] } ?? []
        let end = endsPrompts ? [endToken] : []
        precondition(
            length >= start.count + end.count, "a prompt of \(length) tokens has no room for its end")
        var ids: [Int] = []
        var weights: [Double] = []
        for part in parts {
            let tokens = tokens(of: part.text)
            ids += tokens
            weights += [Double](repeating: part.weight, count: tokens.count)
        }
        let kept = min(ids.count, length - start.count - end.count)
        let padding = length - start.count - kept - end.count
        return TokenizedPrompt(
            ids: start + ids[..<kept] + end + [Int](repeating: paddingToken, count: padding),
            weights: start.map { _ in 1 } + weights[..<kept]
                + [Double](repeating: 1, count: padding + end.count),
            tokenCount: length - padding,
            fullCount: start.count + ids.count + end.count,
            cut: kept < ids.count ? text(of: ids[kept...]) : "")
    }
}
