import Storage

/// A token that is looked for in the text itself, before anything else is done to it.
struct AddedToken: Sendable, Equatable {
    /// How the text spells it.
    var content: String
    /// Whether white space before it belongs to it.
    var takesSpaceBefore = false
    /// Whether white space after it belongs to it.
    var takesSpaceAfter = false
    /// Whether letters beside it mean that it is not meant.
    var isWord = false
    /// Whether it is looked for in the cleaned text, not in the raw one.
    var isNormalized = false

    init(_ content: String) { self.content = content }

    /// Whether it is spelled with the same bytes.
    func hasSameContent(_ other: String) -> Bool { content.utf8.elementsEqual(other.utf8) }

    /// Reads what transformers writes: the token's text, or an object with its flags.
    /// - Parameter isSpecial: whether its place makes it a special token, whatever it says itself.
    init(_ value: JSONValue, isSpecial: Bool = false, place: String) throws {
        switch value {
        case .string(let content): self.init(content)
        case .object(let object):
            self.init(try read { try object.required("content") })
            try read {
                takesSpaceBefore = try object.optional("lstrip") ?? false
                takesSpaceAfter = try object.optional("rstrip") ?? false
                isWord = try object.optional("single_word") ?? false
                let special = try isSpecial || object.optional("special") ?? false
                isNormalized = try object.optional("normalized") ?? !special
            }
        default:
            throw TokenizerError(place, "a special token must be a string or an object with its \"content\"")
        }
        guard !content.isEmpty else { throw TokenizerError(place, "a special token is empty; remove it") }
    }
}
