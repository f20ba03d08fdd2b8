import Storage

/// A file of merges: two tokens a line, those to be joined first in front.
struct MergesFile {
    /// The pairs.
    let pairs: [(String, String)]

    /// Reads a file.
    /// - Parameters:
    ///   - place: the file, for messages.
    ///   - most: how many there can be: a merge makes a token of its own.
    /// - Throws: `TokenizerError` that names the entry.
    init(_ text: [UInt8], place: String, atMost most: Int) throws {
        var pairs: [(String, String)] = []
        var (rest, index) = (text[...], 0)
        while !rest.isEmpty {
            let line = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest[line.endIndex...].dropFirst()
            if line.isEmpty { continue }
            index += 1
            if line.starts(with: "#version".utf8) { continue }
            let tokens = (line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
                .split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
            guard tokens.count == 2 else {
                throw TokenizerError(place, "entry \(index) must be two tokens with a space between")
            }
            pairs.append(
                (String(decoding: tokens[0], as: UTF8.self), String(decoding: tokens[1], as: UTF8.self)))
            try Self.check(pairs.count, atMost: most, place)
        }
        self.pairs = pairs
    }

    /// Throws where there are more merges than tokens.
    static func check(_ count: Int, atMost most: Int, _ place: String) throws {
        guard count <= most else {
            throw TokenizerError(
                place, "it has more merges than the vocabulary has tokens, \(most); fetch it again")
        }
    }
}
