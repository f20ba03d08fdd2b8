import Storage

/// CLIP's tokenizer: cleaned text to byte pairs, between a token for the start and one for the end
/// (Radford et al. 2021, arXiv:2103.00020), equal to `CLIPTokenizer` of transformers 5.
///
/// Added tokens are looked for in the text itself. So where a folder pads with "!", as that of Stable
/// Diffusion 2 and the second of SDXL do, every "!" of a prompt is the padding token, as it is there.
public struct CLIPTokenizer: TextTokenizer {
    /// `model_max_length` of the folder, or 77.
    public private(set) var length: Int
    /// The token that begins every prompt.
    public let startToken: Int?
    /// The token that ends every prompt.
    public let endToken: Int
    /// The token that fills a prompt up.
    public let paddingToken: Int
    /// The tokens, each at its id.
    private var names: [String]
    private var finders: AddedTokenFinders
    /// How many tokens follow from the first one of a word that was added.
    private var vectorCounts: [Int: Int] = [:]
    private let model: BytePairModel

    /// Reads a folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`. Of the former only the
    /// model, the added tokens and what stands at start and end count, as in transformers 5.
    /// - Throws: one sentence about what is wrong with a file.
    public init(folder path: String) throws { try self.init(TokenizerFolder(path)) }

    /// The tokenizer of the files of such a folder, by name.
    /// - Parameter place: where they are from, for messages.
    /// - Throws: one sentence about what is wrong with a file.
    package init(files: [String: [UInt8]], place: String) throws {
        try self.init(TokenizerFolder(files: files, place: place))
    }

    private init(_ folder: TokenizerFolder) throws {
        let json = try folder.object("tokenizer.json")
        let special = try SpecialTokens(
            folder,
            usual: [
                "bos": CLIPWords.startMarker, "eos": CLIPWords.endMarker, "unk": CLIPWords.endMarker,
                "pad": CLIPWords.endMarker,
            ], model: json)
        var (vocabulary, merges, place) =
            try json.map { try Self.model(of: $0) } ?? Self.model(in: folder)
        finders = try special.finders(
            to: &vocabulary, required: ["bos", "eos", "unk", "pad"], place: folder.path,
            clean: CLIPWords.cleaned)
        let (start, end) = (
            try special.id("bos", in: vocabulary, place: folder.path),
            try special.id("eos", in: vocabulary, place: folder.path)
        )
        try json?.checkEnds(start: start, end: end)
        model = try BytePairModel(
            vocabulary, merges: merges, unknown: special.id("unk", in: vocabulary, place: folder.path),
            place: place)
        paddingToken = try special.id("pad", in: vocabulary, place: folder.path)
        (startToken, endToken) = (start, end)
        length = try folder.length() ?? 77
        names = vocabulary.tokens
    }

    /// The tokenizer of a published model, for checkpoints that come without one.
    public static func published(padding: Padding = .end) -> CLIPTokenizer {
        CLIPTokenizer(PublishedVocabulary.shared, padding)
    }

    /// The tokenizer of a vocabulary that was learnt from texts, equal to that of the folder which the vocabulary writes.
    /// - Parameter length: how many tokens a prompt has.
    public init(_ learnt: BytePairVocabulary, length: Int = 77) throws {
        names = learnt.tokens + [CLIPWords.startMarker, CLIPWords.endMarker]
        let (start, end) = (names.count - 2, names.count - 1)
        var finders = AddedTokenFinders()
        for (marker, id) in [(CLIPWords.startMarker, start), (CLIPWords.endMarker, end)] {
            finders.cleaned.insert(AddedToken(marker), id: id, pattern: marker)
        }
        self.finders = finders
        model = try BytePairModel(
            Vocabulary(tokens: names), merges: learnt.merges, unknown: end, place: "the learnt merges")
        (startToken, endToken, paddingToken) = (start, end, end)
        self.length = length
    }

    /// The same tokenizer for prompts of another number of tokens.
    public func limited(to length: Int) -> CLIPTokenizer {
        var limited = self
        limited.length = length
        return limited
    }

    /// How many tokens there are; those that are added have the ids that follow.
    public var count: Int { names.count }

    /// The same tokenizer with words that stand for vectors of their own (textual inversion), each vector a token. Words are
    /// found as all text is, in capitals too, and then stand for all of their vectors.
    /// - Parameter words: each with the number of its vectors; their tokens follow in this order.
    /// - Throws: `TokenizerError` where a word is a token already.
    public func adding(_ words: [(word: String, vectors: Int)]) throws -> CLIPTokenizer {
        var wider = self
        for (word, vectors) in words {
            let (cleaned, id) = (CLIPWords.cleaned(word), wider.names.count)
            guard !cleaned.isEmpty else {
                throw TokenizerError(
                    quoted(word), "no text holds a word without letters: give it another one")
            }
            guard !wider.names.contains(word), !wider.names.contains(cleaned) else {
                throw TokenizerError(
                    quoted(word), "the tokenizer has this word already: give the vectors another one")
            }
            wider.finders.cleaned.insert(AddedToken(word), id: id, pattern: cleaned)
            // The further vectors have no name that a text could hold.
            wider.names += [word] + [String](repeating: "", count: max(vectors, 1) - 1)
            wider.vectorCounts[id] = max(vectors, 1)
        }
        return wider
    }

    private init(_ published: PublishedVocabulary, _ padding: Padding) {
        names = published.tokens
        let markers = [(CLIPWords.startMarker, names.count - 2), (CLIPWords.endMarker, names.count - 1)]
        (startToken, endToken) = (markers[0].1, markers[1].1)
        paddingToken = padding == .end ? endToken : 0
        // The token that pads is looked for as it is written; the others, in lower case.
        var finders = AddedTokenFinders()
        for (marker, id) in markers where marker != padding.rawValue {
            finders.cleaned.insert(AddedToken(marker), id: id, pattern: marker)
        }
        finders.raw.insert(AddedToken(padding.rawValue), id: paddingToken, pattern: padding.rawValue)
        self.finders = finders
        model = BytePairModel(published.model)
        length = 77
    }

    /// The tokens of a text alone, with nothing around them and nothing cut off.
    public func tokens(of text: String) -> [Int] {
        let tokens = finders.tokens(of: text, clean: CLIPWords.cleaned) { text, tokens in
            CLIPWords.forEachWord(of: text) { model.append($0, to: &tokens) }
        }
        guard !vectorCounts.isEmpty else { return tokens }
        return tokens.flatMap { Array($0..<$0 + vectorCounts[$0, default: 1]) }
    }

    /// A prompt in which the words that stand for several vectors are followed by those of the other vectors, as
    /// diffusers' pipelines that read textual inversions write it.
    ///
    /// It is the text that is changed, wherever it has such a word, so that a word in capitals, which is found as a
    /// token all the same, stays as it is.
    public func widened(_ prompt: String) -> String {
        guard !finders.widened.isEmpty else { return prompt }
        var bytes = Array(prompt.utf8)
        var seen = Set<Int>()
        for id in tokens(of: prompt) where seen.insert(id).inserted {
            guard let (token, replacement) = finders.widened[id] else { continue }
            bytes = bytes.replacing(Array(token.utf8), with: Array(replacement.utf8))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text that tokens stand for: in lower case, with a space after every word.
    public func text(of tokens: some Sequence<Int>) -> String {
        let bytes = tokens.flatMap { token -> [UInt8] in
            let name = names[token]
            guard name.hasSuffix(BytePairModel.endOfWord) else { return Self.bytes(of: name) }
            return Self.bytes(of: name.dropLast(BytePairModel.endOfWord.count)) + [UInt8(ascii: " ")]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.last == " " ? String(text.dropLast()) : text
    }

    private static func bytes(of token: some StringProtocol) -> [UInt8] {
        token.unicodeScalars.flatMap { scalar in
            ByteAlphabet.bytes[scalar].map { [$0] } ?? Array(String(scalar).utf8)
        }
    }
}

extension CLIPTokenizer {
    private typealias Model = (vocabulary: Vocabulary, merges: [(String, String)], place: String)

    private static func model(in folder: TokenizerFolder) throws -> Model {
        guard let names = try folder.object("vocab.json"), let text = try folder.bytes("merges.txt") else {
            throw TokenizerError(
                folder.path, "it needs tokenizer.json, or vocab.json and merges.txt; fetch the missing file")
        }
        let place = folder.place("merges.txt")
        let merges = try MergesFile(text, place: place, atMost: names.keys.count).pairs
        return (try Vocabulary(names, place: names.place), merges, place)
    }

    private static func model(of json: JSONObject) throws -> Model {
        let place = json.place
        let model: JSONObject = try read { try json.required("model") }
        let type: String = try read { try model.optional("type") ?? "BPE" }
        guard type == "BPE" else {
            throw TokenizerError(place, "its model is \(quoted(type)); CLIP's tokenizer needs \"BPE\"")
        }
        let (names, pairs): (JSONObject, [JSONValue]) = try read {
            (try model.required("vocab"), try model.required("merges"))
        }
        try MergesFile.check(pairs.count, atMost: names.keys.count, place)
        let merges = try pairs.enumerated().map { index, value in
            let tokens: [String]? =
                switch value {
                case .string(let text):
                    text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(
                        String.init)
                case let value: [String](json: value)
                }
            guard let tokens, tokens.count == 2 else {
                throw TokenizerError(place, "merge \(index + 1) must hold two tokens")
            }
            return (tokens[0], tokens[1])
        }
        return (try Vocabulary(names, place: place), merges, place)
    }
}
