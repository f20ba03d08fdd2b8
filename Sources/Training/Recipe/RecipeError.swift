/// Why a recipe cannot be used: one sentence that says what is wrong, where, and what to do.
public struct RecipeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence, to be shown to a person as it stands.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// A setting that is one of a few words.
///
/// Decoding an unknown word fails with the list of the known ones.
public protocol RecipeChoice: RawRepresentable, CaseIterable, Codable, Hashable, Sendable
where RawValue == String {
    /// Other words that are read as one of the cases; they are never written.
    static var synonyms: [String: Self] { get }
}

extension RecipeChoice {
    /// No other words.
    public static var synonyms: [String: Self] { [:] }

    /// Reads one of the words. Throws `DecodingError` that lists them where the word is another.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        try self.init(word: container.decode(String.self), codingPath: container.codingPath)
    }

    fileprivate init(word: String, codingPath: [any CodingKey]) throws {
        guard let choice = Self(rawValue: word) ?? Self.synonyms[word] else {
            let words = Self.allCases.map(\.rawValue) + Self.synonyms.keys.sorted()
            let wanted = "one of " + words.joined(separator: ", ")
            throw DecodingError.dataCorrupted(.init(codingPath: codingPath, debugDescription: wanted))
        }
        self = choice
    }
}

extension KeyedDecodingContainer {
    /// Reads a choice whose type comes from another room: that room's own decoding knows no synonyms, and
    /// its error does not list the words.
    func choice<Choice: RecipeChoice>(_ key: Key) throws -> Choice {
        try Choice(word: decode(String.self, forKey: key), codingPath: codingPath + [key])
    }
}
