import Storage

/// A tag in a prompt that names an adapter, `<lora:name:0.8>`, in the manner of AUTOMATIC1111's web interface.
public struct PromptTag: Sendable, Equatable {
    /// The stem of the adapter's file.
    public var name: String
    /// What its changes are multiplied with.
    public var weight: Double
    /// How much of that each block has, as it is written; `nil` where all have the same.
    public var blocks: String?

    /// A prompt without its tags, and these in their order.
    /// - Throws: `TokenizerError` where a tag has no name, or a weight that is no number; where it is of a kind that is not read.
    public static func split(_ prompt: String) throws -> (text: String, tags: [PromptTag]) {
        var (text, tags, rest) = ("", [PromptTag](), prompt[...])
        while let start = rest.firstIndex(of: "<") {
            text += rest[..<start]
            rest = rest[start...]
            guard let kind = kinds.first(where: { rest.hasPrefix("<\($0):") }),
                let end = rest.firstIndex(of: ">")
            else {
                text.append(rest.removeFirst())
                continue
            }
            let whole = String(rest[...end])
            guard kind != "hypernet" else {
                throw TokenizerError(
                    "the prompt", "\(quoted(whole)) is a hypernetwork, which is not read here: leave it out")
            }
            tags.append(try PromptTag(whole, arguments: whole.dropFirst(kind.count + 2).dropLast()))
            rest = rest[end...].dropFirst()
        }
        return (text + rest, tags)
    }

    private static let kinds = ["lora", "lyco", "hypernet"]

    private init(_ whole: String, arguments: Substring) throws {
        let parts = arguments.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3, !parts[0].isEmpty else {
            throw TokenizerError(
                "the prompt", "\(quoted(whole)) is not of the form <lora:name:0.8> or <lora:name:0.8:blocks>")
        }
        guard let weight = parts.count == 1 ? 1 : Double(parts[1]), weight.isFinite else {
            throw TokenizerError(
                "the prompt", "the weight in \(quoted(whole)) is no number: write <lora:name:0.8>")
        }
        (name, self.weight) = (parts[0], weight)
        blocks = parts.count < 3 ? nil : parts[2].hasPrefix("lbw=") ? String(parts[2].dropFirst(4)) : parts[2]
    }
}
