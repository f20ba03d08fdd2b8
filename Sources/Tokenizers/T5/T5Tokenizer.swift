import Foundation
import Storage

/// T5's tokenizer: text through a map of characters, cut at white space, to the pieces of a unigram model,
/// and a token for the end (Raffel et al. 2019, arXiv:1910.10683), equal to `T5Tokenizer` of transformers 5.
public struct T5Tokenizer: TextTokenizer {
    /// `model_max_length` of the folder, or 512.
    public let length: Int
    /// None: prompts begin with their first word.
    public let startToken: Int? = nil
    /// The token that ends every prompt.
    public let endToken: Int
    /// The token that fills a prompt up.
    public let paddingToken: Int
    private let vocabulary: Vocabulary
    private let finders: AddedTokenFinders
    private let model: UnigramModel
    private let map: CharacterMap?

    /// What stands for a space in pieces.
    private static let spaceMark: Unicode.Scalar = "\u{2581}"
    /// The id that T5's class gives to what is unknown, whatever the files say.
    private static let unknown = 2

    /// Reads a folder with `tokenizer.json` or `spiece.model`. Of the former only the model, the map of
    /// characters, the added tokens and what stands at the end count, as in transformers 5.
    /// - Throws: one sentence about what is wrong with a file.
    public init(folder path: String) throws {
        let folder = try TokenizerFolder(path)
        let json = try folder.object("tokenizer.json")
        let special = try SpecialTokens(
            folder, usual: ["eos": "</s>", "unk": "<unk>", "pad": "<pad>"], model: json)
        let extraCount = try read { try folder.configuration.optional("extra_ids") ?? 100 }
        guard (0...10_000).contains(extraCount) else {
            throw TokenizerError(folder.configuration.place, "\"extra_ids\" is \(extraCount); T5 has 100")
        }
        let extra = (0..<extraCount).map { "<extra_id_\($0)>" }
        let source = try json.map { try Source($0) } ?? Source(folder, extra: extra)
        guard source.unknown == Self.unknown else {
            throw TokenizerError(
                source.place,
                "its unknown piece has the id \(source.unknown); T5's tokenizer needs \(Self.unknown)")
        }
        let map = try source.characterMap.map { try CharacterMap($0, place: source.place) }
        var vocabulary = Vocabulary(tokens: source.pieces.map(\.text))
        finders = try special.finders(
            adding: special.further == nil ? (source.symbols + extra).map { AddedToken($0) } : [],
            to: &vocabulary, required: ["eos", "unk", "pad"], place: path, clean: { map?($0) ?? $0 })
        endToken = try special.id("eos", in: vocabulary, place: path)
        paddingToken = try special.id("pad", in: vocabulary, place: path)
        try json?.checkEnds(start: nil, end: endToken)
        length = try folder.length() ?? 512
        model = UnigramModel(source.pieces, unknown: Self.unknown)
        self.map = map
        self.vocabulary = vocabulary
    }

    /// The tokens of a text alone, with nothing around them and nothing cut off.
    public func tokens(of text: String) -> [Int] {
        finders.tokens(of: text, clean: { map?($0) ?? $0 }) { text, tokens in
            for word in text.unicodeScalars.split(whereSeparator: \.properties.isWhitespace) {
                Self.forEachMarked(word) { model.append($0, to: &tokens) }
            }
        }
    }

    /// Calls `body` with a word as pieces have it: a mark before it, and a new word at every further mark.
    private static func forEachMarked(
        _ word: Substring.UnicodeScalarView, _ body: (ArraySlice<UInt8>) -> Void
    ) {
        let mark = Array(String(spaceMark).utf8)
        var marked: [UInt8] = []
        for scalar in word {
            if scalar == spaceMark, !marked.isEmpty {
                body(marked[...])
                marked = []
            }
            if marked.isEmpty { marked = mark }
            if scalar != spaceMark { marked += UTF8.encode(scalar)! }
        }
        body(marked[...])
    }

    /// The text that tokens stand for: in which unknown characters are `<unk>`.
    public func text(of tokens: some Sequence<Int>) -> String {
        let text = tokens.map { vocabulary.tokens[$0] }.joined()
        let spaced = String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0 == Self.spaceMark ? " " : $0 }))
        return spaced.first == " " ? String(spaced.dropFirst()) : spaced
    }
}

/// What either file says about the model.
private struct Source {
    var place: String
    var pieces: [(text: String, score: Double)]
    var unknown: Int
    /// Pieces that are looked for in the text itself.
    var symbols: [String] = []
    var characterMap: [UInt8]?

    /// Reads `spiece.model`, whose pieces the extra tokens follow, the last one first.
    init(_ folder: TokenizerFolder, extra: [String]) throws {
        guard let bytes = try folder.bytes("spiece.model") else {
            throw TokenizerError(folder.path, "it needs tokenizer.json or spiece.model; fetch one of them")
        }
        place = folder.place("spiece.model")
        let model = try SentencePieceModel(bytes, place: place)
        pieces = model.pieces + extra.reversed().map { ($0, 0) }
        unknown = model.unknown
        symbols = model.symbols
        characterMap = model.characterMap.isEmpty ? nil : Array(model.characterMap)
    }

    /// Reads `tokenizer.json`.
    init(_ json: JSONObject) throws {
        place = json.place
        let model: JSONObject = try read { try json.required("model") }
        let type: String = try read { try model.optional("type") ?? "Unigram" }
        guard type == "Unigram" else {
            throw TokenizerError(place, "its model is \(quoted(type)); T5's tokenizer needs \"Unigram\"")
        }
        guard try read({ try model.optional("byte_fallback") ?? false }) == false else {
            throw TokenizerError(
                place, "it writes unknown characters as bytes, which T5's tokenizer does not")
        }
        unknown = try read { try model.required("unk_id") }
        let rows: [JSONValue] = try read { try model.required("vocab") }
        pieces = []
        pieces.reserveCapacity(rows.count)
        for (index, row) in rows.enumerated() {
            guard case .array(let pair) = row, pair.count == 2, case .string(let text) = pair[0],
                let score = Double(json: pair[1])
            else {
                throw TokenizerError(place, "piece \(index) of its vocabulary must be a text and a number")
            }
            pieces.append((text, score))
        }
        characterMap = try Self.characterMap(of: json)
    }

    /// The first map of characters among what is done to a text at first.
    private static func characterMap(of json: JSONObject) throws -> [UInt8]? {
        let text: String? = try read {
            guard let normalizer: JSONObject = try json.optional("normalizer") else { return nil }
            let steps: [JSONObject] = try normalizer.optional("normalizers") ?? [normalizer]
            let step = try steps.first { try $0.optional("type") == "Precompiled" }
            return try step?.optional("precompiled_charsmap")
        }
        return try text.map { text in
            guard let data = Data(base64Encoded: text) else {
                throw TokenizerError(json.place, "its \"precompiled_charsmap\" is not in base 64")
            }
            return Array(data)
        }
    }
}
