/// Words as the longest pieces that a vocabulary has, from the left.
/// Source: Wu et al. 2016 (arXiv:1609.08144), section 4.1.
struct WordPieceModel: Sendable {
    /// What a piece begins with that stands inside a word.
    static let mark = "##"
    /// Longer words, in characters, are unknown.
    private static let longestWord = 100

    private let vocabulary: Vocabulary
    private let unknown: Int

    /// A model of pieces.
    /// - Parameter unknown: the token of words that are not made of pieces.
    init(_ vocabulary: Vocabulary, unknown: Int) {
        (self.vocabulary, self.unknown) = (vocabulary, unknown)
    }

    /// Appends the pieces of a word, or the one token of an unknown word.
    func append(_ word: String, to tokens: inout [Int]) {
        let scalars = Array(word.unicodeScalars)
        guard scalars.count <= Self.longestWord else { return tokens.append(unknown) }
        var (pieces, start) = ([Int](), 0)
        while start < scalars.count {
            guard let (piece, end) = longestPiece(of: scalars, from: start) else {
                return tokens.append(unknown)
            }
            pieces.append(piece)
            start = end
        }
        tokens += pieces
    }

    private func longestPiece(of scalars: [Unicode.Scalar], from start: Int) -> (piece: Int, end: Int)? {
        for end in (start + 1...scalars.count).reversed() {
            let text = String(String.UnicodeScalarView(scalars[start..<end]))
            if let piece = vocabulary.id(of: start == 0 ? text : Self.mark + text) { return (piece, end) }
        }
        return nil
    }
}
