/// The unigram language model of SentencePiece (Kudo 2018, arXiv:1804.10959): a text becomes the pieces
/// whose scores have the largest sum.
struct UnigramModel: Sendable {
    /// How much less than the least likely piece an unknown character counts.
    private static let unknownPenalty = 10.0

    private let trie: ByteTrie
    private let scores: [Double]
    private let unknown: Int
    private let unknownScore: Double

    /// - Parameters:
    ///   - pieces: texts and the logarithms of their probabilities, at their ids. Of pieces that stand there
    ///     twice, the last counts.
    ///   - unknown: the id of what is no piece.
    init(_ pieces: [(text: String, score: Double)], unknown: Int) {
        var trie = ByteTrie(capacity: pieces.count * 3)
        for (id, piece) in pieces.enumerated() { trie.insert(piece.text.utf8, id) }
        self.trie = trie
        scores = pieces.map(\.score)
        self.unknown = unknown
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
    }

    /// The best way to reach a place in a text.
    private struct Step {
        var start = -1
        var id = 0
        var score = 0.0
    }

    /// Appends the pieces of a text. Unknown characters beside each other are one token.
    func append(_ text: ArraySlice<UInt8>, to tokens: inout [Int]) {
        let base = text.startIndex
        var steps = [Step](repeating: Step(), count: text.count + 1)
        func offer(_ step: Step, at place: Int) {
            if steps[place].start < 0 || step.score > steps[place].score { steps[place] = step }
        }
        var start = 0
        while start < text.count {
            let score = steps[start].score
            let next = start + UTF8.width(text.scalar(at: base + start))
            var isKnown = false
            trie.forEachMatch(in: text, at: base + start) { end, id in
                offer(Step(start: start, id: id, score: scores[id] + score), at: end - base)
                if end - base == next { isKnown = true }
            }
            if !isKnown { offer(Step(start: start, id: unknown, score: unknownScore + score), at: next) }
            start = next
        }
        var found: [Int] = []
        var place = text.count
        while place > 0 {
            let step = steps[place]
            if step.id != unknown || found.last != unknown { found.append(step.id) }
            place = step.start
        }
        tokens += found.reversed()
    }
}
