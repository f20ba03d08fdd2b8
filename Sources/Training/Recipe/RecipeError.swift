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
    public static var synonyms: [String: Self] { [:] }

    /// Reads one of the words. Throws `DecodingError` that lists them where the word is another.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let word = try container.decode(String.self)
        guard let choice = Self(rawValue: word) ?? Self.synonyms[word] else {
            let words = Self.allCases.map(\.rawValue) + Self.synonyms.keys.sorted()
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "one of " + words.joined(separator: ", "))
        }
        self = choice
    }
}

/// The word in `candidates` that is nearest to `word`, if any is near enough to be what was meant.
///
/// Distance: Levenshtein's, at most two fifths of the length of the word.
package func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
    let limit = max(2, word.unicodeScalars.count * 2 / 5)
    let best = candidates.map { ($0, editDistance(word, $0)) }.min { $0.1 < $1.1 }
    guard let best, best.1 <= limit else { return nil }
    return best.0
}

/// How many insertions, deletions and replacements of one character turn `a` into `b` (Levenshtein).
package func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.unicodeScalars.prefix(256))
    let b = Array(b.unicodeScalars.prefix(256))
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
