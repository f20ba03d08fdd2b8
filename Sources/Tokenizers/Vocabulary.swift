import Storage

/// The tokens of a model by their ids, and back. Tokens are the same only where their bytes are.
struct Vocabulary: Sendable {
    private var table = NameTable<Int>()

    /// Tokens in the order of their ids. Of tokens that stand there twice, the last id counts.
    init(tokens: [String]) {
        self.tokens = tokens
        for (id, token) in tokens.enumerated() { table.set(token, id) }
    }

    /// Reads tokens and their ids, which must be 0, 1, 2 …
    /// - Throws: `TokenizerError` where an id is missing, repeated or out of range.
    init(_ object: JSONObject, place: String) throws {
        var tokens = [String?](repeating: nil, count: object.keys.count)
        for (token, value) in object.members {
            guard let id = Int(json: value), tokens.indices.contains(id) else {
                throw TokenizerError(
                    place,
                    "the id of \(quoted(token)) must be an integer below \(tokens.count), the number of tokens"
                )
            }
            if let other = tokens[id] {
                throw TokenizerError(place, "\(quoted(other)) and \(quoted(token)) have the same id \(id)")
            }
            tokens[id] = token
        }
        self.init(tokens: tokens.compactMap(\.self))
    }

    /// The tokens, each at its id.
    private(set) var tokens: [String]

    /// How many tokens there are.
    var count: Int { tokens.count }

    /// The id of a token, nil where it is none of the vocabulary.
    func id(of token: String) -> Int? { table[token] }

    /// The id of a token, which is appended where it is not there yet.
    mutating func idAppending(_ token: String) -> Int {
        if let id = table[token] { return id }
        table.append(token, count)
        tokens.append(token)
        return count - 1
    }
}
