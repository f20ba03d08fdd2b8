import Storage

/// Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909) of words: a word begins as its
/// bytes, the last of which may be marked as the word's end, and neighbours are joined in the order of a list.
struct BytePairModel: Sendable {
    /// What two neighbours become, and how early.
    struct Merge: Sendable {
        var rank: Int32
        var id: Int32
    }

    /// Marks the last piece of a word.
    static let endOfWord = "</w>"

    /// What becomes of two neighbours, by `key(_:_:)` of their ids.
    typealias Merges = [UInt64: Merge]

    /// What a vocabulary and its merges come to.
    struct Tables: Sendable {
        var merges: Merges
        /// The id of each byte within a word, and at its end.
        var bytes: [Int32]
        var lastBytes: [Int32]
    }

    private let tables: Tables
    private let cache = WordCache()

    /// Makes a model of tables.
    init(_ tables: Tables) { self.tables = tables }

    /// Makes a model.
    /// - Parameters:
    ///   - merges: pairs of tokens, the first to be joined first.
    ///   - unknown: the id of bytes that the vocabulary does not have.
    ///   - marksEnds: whether the last byte of a word is marked as its end.
    ///   - place: the file of the merges, for messages.
    /// - Throws: `TokenizerError` where a token or what a pair becomes is not in the vocabulary.
    init(
        _ vocabulary: Vocabulary, merges pairs: [(String, String)], unknown: Int, marksEnds: Bool = true,
        place: String
    ) throws {
        func id(_ token: String) throws -> Int32 {
            guard let id = vocabulary.id(of: token) else {
                throw TokenizerError(
                    place, "a merge names the token \(quoted(token)), which is not in the vocabulary")
            }
            return Int32(id)
        }
        var merges: Merges = [:]
        merges.reserveCapacity(pairs.count)
        for (rank, (left, right)) in pairs.enumerated() {
            let key = try Self.key(id(left), id(right))
            merges[key] = Merge(rank: Int32(rank), id: try id(left + right))
        }
        let symbols = ByteAlphabet.characters.map(String.init)
        let end = marksEnds ? Self.endOfWord : ""
        tables = Tables(
            merges: merges, bytes: symbols.map { Int32(vocabulary.id(of: $0) ?? unknown) },
            lastBytes: symbols.map { Int32(vocabulary.id(of: $0 + end) ?? unknown) })
    }

    /// Appends the tokens of a word.
    func append(_ word: ArraySlice<UInt8>, to tokens: inout [Int]) {
        guard word.count > 1 else {
            tokens += word.map { Int(tables.lastBytes[Int($0)]) }
            return
        }
        let ids = cache.value(of: Array(word)) { merged(word) }
        tokens += ids.lazy.map(Int.init)
    }

    private func merged(_ word: ArraySlice<UInt8>) -> [Int32] {
        var symbols =
            word.dropLast().map { tables.bytes[Int($0)] }
            + word.suffix(1).map { tables.lastBytes[Int($0)] }
        var row = MergeRow(symbols.count)
        func consider(_ left: Int) {
            let right = row.next[left]
            guard right < symbols.count, let merge = tables.merges[Self.key(symbols[left], symbols[right])]
            else {
                return
            }
            row.push(rank: merge.rank, left)
        }
        for left in 0..<symbols.count - 1 { consider(left) }
        while let (rank, left) = row.pop() {
            // What was put on the heap may have been joined otherwise since.
            let right = row.next[left]
            guard symbols[left] >= 0, right < symbols.count,
                let merge = tables.merges[Self.key(symbols[left], symbols[right])], merge.rank == rank
            else { continue }
            symbols[left] = merge.id
            symbols[right] = -1
            row.remove(right)
            consider(left)
            if let before = row.before(left) { consider(before) }
        }
        return symbols.filter { $0 >= 0 }
    }

    /// The ids of two neighbours as one number.
    static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
