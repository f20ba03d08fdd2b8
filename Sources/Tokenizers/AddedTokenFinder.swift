/// Finds added tokens in texts, as Hugging Face's tokenizers does: from left to right, the longest first.
struct AddedTokenFinder: Sendable {
    /// A piece of a text: a token, or what is to be made into tokens.
    enum Part: Equatable {
        case text(String)
        case token(Int)
    }

    private var trie = ByteTrie()
    private var tokens: [Int: AddedToken] = [:]

    /// Makes one that finds nothing.
    init() {}

    /// Adds a token.
    /// - Parameter pattern: how the text that is searched spells it.
    mutating func insert(_ token: AddedToken, id: Int, pattern: String) {
        guard !pattern.isEmpty else { return }
        trie.insert(pattern.utf8, id)
        tokens[id] = token
    }

    /// The text cut at the tokens in it. No text among the parts is empty.
    func parts(of text: String) -> [Part] {
        guard !trie.isEmpty else { return text.isEmpty ? [] : [.text(text)] }
        let bytes = Array(text.utf8)
        var parts: [Part] = []
        var (done, position) = (0, 0)
        func endText(at end: Int) {
            if done < end { parts.append(.text(String(decoding: bytes[done..<end], as: UTF8.self))) }
        }
        while position < bytes.count {
            var match: (end: Int, id: Int)?
            trie.forEachMatch(in: bytes[...], at: position) { match = ($0, $1) }
            guard var end = match?.end, let id = match?.id, let token = tokens[id] else {
                position += 1
                continue
            }
            var start = position
            position = end
            if token.isWord, Self.isLetter(before: start, bytes) || Self.isLetter(after: end, bytes) {
                continue
            }
            if token.takesSpaceBefore { start = max(done, Self.startOfSpace(before: start, bytes)) }
            if token.takesSpaceAfter { end = Self.endOfSpace(after: end, bytes) }
            endText(at: start)
            parts.append(.token(id))
            (done, position) = (end, max(position, end))
        }
        endText(at: bytes.count)
        return parts
    }

    private static func isLetter(before index: Int, _ bytes: [UInt8]) -> Bool {
        bytes.scalar(before: index)?.isWordCharacter ?? false
    }

    private static func isLetter(after index: Int, _ bytes: [UInt8]) -> Bool {
        index < bytes.count && bytes[...].scalar(at: index).isWordCharacter
    }

    private static func startOfSpace(before index: Int, _ bytes: [UInt8]) -> Int {
        var start = index
        while let scalar = bytes.scalar(before: start), scalar.properties.isWhitespace {
            start -= UTF8.width(scalar)
        }
        return start
    }

    private static func endOfSpace(after index: Int, _ bytes: [UInt8]) -> Int {
        var end = index
        while end < bytes.count, case let scalar = bytes[...].scalar(at: end), scalar.properties.isWhitespace
        {
            end += UTF8.width(scalar)
        }
        return end
    }
}

extension Unicode.Scalar {
    /// Whether it is a word character of regular expressions (Unicode Technical Standard 18, annex C).
    fileprivate var isWordCharacter: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: properties.isAlphabetic || properties.isJoinControl
        }
    }
}
