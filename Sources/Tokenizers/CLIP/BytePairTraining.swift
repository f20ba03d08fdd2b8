import Storage

/// Learns a vocabulary of byte pairs from texts, as CLIP's tokenizer reads it.
///
/// Words begin as their bytes, the last marked as the word's end; again and again the pair of neighbours that occurs
/// most often becomes one token. Of pairs that occur equally often the one whose tokens were learnt first is taken, so
/// that the same texts give the same vocabulary everywhere.
/// Source: Sennrich, Haddow and Birch 2016 (arXiv:1508.07909), algorithm 1.
public struct BytePairTraining: Sendable {
    /// The most merges that are learnt.
    public var mergeCount = 1000
    /// How often a pair must occur to become a token.
    public var leastCount = 2

    /// Training with every default.
    public init() {}

    /// The vocabulary of texts, cleaned and cut into words as CLIP's tokenizer does it.
    public func vocabulary(of texts: some Sequence<String>) -> BytePairVocabulary {
        var counts: [[UInt8]: Int] = [:]
        for text in texts {
            CLIPWords.forEachWord(of: CLIPWords.cleaned(text)) { counts[Array($0), default: 0] += 1 }
        }
        var corpus = PairCorpus(counts)
        var merges: [(Int32, Int32)] = []
        while merges.count < mergeCount, let pair = corpus.commonest(atLeast: leastCount) {
            corpus.join(pair)
            merges.append(pair)
        }
        let tokens = corpus.tokens
        return BytePairVocabulary(
            tokens: tokens, merges: merges.map { (tokens[Int($0.0)], tokens[Int($0.1)]) })
    }
}

/// Tokens and merges that were learnt, in the order of CLIP's own vocabulary: the bytes, the bytes that end a word,
/// what the merges make; the markers of start and end come last.
public struct BytePairVocabulary: Sendable {
    /// The tokens without the markers, each at its id.
    let tokens: [String]
    /// Pairs of tokens, the first to be joined first.
    public let merges: [(String, String)]

    /// How many tokens there are, the two markers included.
    public var count: Int { tokens.count + 2 }

    /// Writes the folder of a CLIP tokenizer: `vocab.json`, `merges.txt`, `tokenizer_config.json` and
    /// `special_tokens_map.json`.
    ///
    /// - Parameters:
    ///   - path: The folder, which is made where it is not there.
    ///   - length: How many tokens a prompt has.
    /// - Throws: a sentence about the file that cannot be written.
    public func write(to path: String, length: Int) throws {
        try Files.createFolder(path)
        for (name, bytes) in files(length: length) { try Files.write(bytes, to: "\(path)/\(name)") }
    }

    /// The files of the folder.
    func files(length: Int) -> [(name: String, bytes: [UInt8])] {
        let all = tokens + [CLIPWords.startMarker, CLIPWords.endMarker]
        let ids = all.enumerated().map { ($1, JSONValue.integer($0)) }
        let marker: (String) -> JSONObject = {
            [
                "content": .string($0), "lstrip": false, "normalized": true, "rstrip": false,
                "single_word": false,
            ]
        }
        let names = [
            ("bos_token", CLIPWords.startMarker), ("eos_token", CLIPWords.endMarker),
            ("unk_token", CLIPWords.endMarker),
        ]
        var (configuration, map) = (JSONObject(), JSONObject())
        for (name, content) in names {
            var object = marker(content)
            map[name] = .object(object)
            object["__type"] = "AddedToken"
            configuration[name] = .object(object)
        }
        map["pad_token"] = .string(CLIPWords.endMarker)
        configuration["pad_token"] = .string(CLIPWords.endMarker)
        configuration["add_prefix_space"] = false
        configuration["do_lower_case"] = true
        configuration["model_max_length"] = .integer(length)
        configuration["tokenizer_class"] = "CLIPTokenizer"
        let lines = merges.map { "\($0) \($1)\n" }.joined()
        return [
            ("vocab.json", Array(JSONValue.object(JSONObject(ids)).text.utf8)),
            ("merges.txt", Array(("#version: 0.2\n" + lines).utf8)),
            ("tokenizer_config.json", Array(JSONValue.object(configuration).text.utf8)),
            ("special_tokens_map.json", Array(JSONValue.object(map).text.utf8)),
        ]
    }
}

/// The distinct words of a corpus as rows of tokens, and how often every pair of neighbours occurs.
private struct PairCorpus {
    /// The tokens, each at its id.
    private(set) var tokens: [String]
    private var ids: [String: Int32]
    private var rows: [[Int32]] = []
    private var wordCounts: [Int] = []
    private var pairCounts: [UInt64: Int] = [:]
    /// The words in which a pair occurs or has occurred.
    private var places: [UInt64: Set<Int>] = [:]

    init(_ counts: [[UInt8]: Int]) {
        let bytes = ByteAlphabet.characters.sorted().map(String.init)
        tokens = bytes + bytes.map { $0 + BytePairModel.endOfWord }
        let known = Dictionary(uniqueKeysWithValues: zip(tokens, Int32(0)...))
        ids = known
        let symbols = ByteAlphabet.characters.map { known[String($0)]! }
        // In an order of their own, so that nothing depends on that of a dictionary.
        for (word, count) in counts.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            var row = word.map { symbols[Int($0)] }
            row[row.count - 1] += Int32(bytes.count)
            rows.append(row)
            wordCounts.append(count)
            add(rows.count - 1, count)
        }
    }

    /// The pair that occurs most often; of several the one whose ids come first.
    func commonest(atLeast least: Int) -> (Int32, Int32)? {
        var best: (key: UInt64, count: Int)?
        for (key, count) in pairCounts where count >= least {
            if let found = best, (found.count, key) > (count, found.key) { continue }
            best = (key, count)
        }
        return best.map { (Int32($0.key >> 32), Int32(truncatingIfNeeded: $0.key)) }
    }

    /// Makes a pair one token wherever it occurs, from the left.
    mutating func join(_ pair: (Int32, Int32)) {
        let id = id(of: tokens[Int(pair.0)] + tokens[Int(pair.1)])
        for word in places.removeValue(forKey: BytePairModel.key(pair.0, pair.1)) ?? [] {
            add(word, -wordCounts[word])
            let old = rows[word]
            var row: [Int32] = []
            var index = 0
            while index < old.count {
                let isPair = index + 1 < old.count && old[index] == pair.0 && old[index + 1] == pair.1
                row.append(isPair ? id : old[index])
                index += isPair ? 2 : 1
            }
            rows[word] = row
            add(word, wordCounts[word])
        }
    }

    /// The id of a token, which is new where no other pair has made it.
    private mutating func id(of token: String) -> Int32 {
        if let id = ids[token] { return id }
        ids[token] = Int32(tokens.count)
        tokens.append(token)
        return Int32(tokens.count - 1)
    }

    /// Adds to the counts of a word's pairs.
    private mutating func add(_ word: Int, _ count: Int) {
        for (left, right) in zip(rows[word], rows[word].dropFirst()) {
            let key = BytePairModel.key(left, right)
            let total = pairCounts[key, default: 0] + count
            pairCounts[key] = total == 0 ? nil : total
            places[key, default: []].insert(word)
        }
    }
}
