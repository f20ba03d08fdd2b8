import Storage

/// BERT's tokenizer: cleaned words to word pieces, between a token for the start and one for the end (Devlin et al. 2018,
/// arXiv:1810.04805, section 3; Wu et al. 2016, arXiv:1609.08144, section 4.1), equal to `BertTokenizer` of transformers 5.
public struct BERTTokenizer: TextTokenizer {
    /// `model_max_length` of the folder, or 512.
    public let length: Int
    /// The token that begins every prompt.
    public let startToken: Int?
    /// The token that ends every prompt.
    public let endToken: Int
    /// The token that fills a prompt up.
    public let paddingToken: Int
    private let names: [String]
    private let finders: AddedTokenFinders
    private let words: BERTWords
    private let model: WordPieceModel

    /// Reads a folder with `tokenizer.json`, or with `vocab.txt`. Of the former only the pieces, the added tokens and what
    /// stands at start and end count; how texts are cleaned, `tokenizer_config.json` says, as in transformers 5.
    /// - Throws: one sentence about what is wrong with a file.
    public init(folder path: String) throws {
        let folder = try TokenizerFolder(path)
        let json = try folder.object("tokenizer.json")
        let special = try SpecialTokens(
            folder,
            usual: ["unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"],
            model: json)
        var vocabulary = try json.map(Self.pieces) ?? Self.pieces(in: folder)
        let words = try BERTWords(folder.configuration)
        // Pieces that are learnt alone are pieces; added tokens are none.
        let count = vocabulary.count
        finders = try special.finders(
            to: &vocabulary, required: ["unk", "sep", "pad", "cls"], place: path, clean: words.cleaned)
        func id(_ name: String) throws -> Int { try special.id(name, in: vocabulary, place: path) }
        let (start, end) = (try id("cls"), try id("sep"))
        try json?.checkEnds(start: start, end: end)
        model = WordPieceModel(
            Vocabulary(tokens: Array(vocabulary.tokens.prefix(count))), unknown: try id("unk"))
        (startToken, endToken, paddingToken) = (start, end, try id("pad"))
        (self.words, names, length) = (words, vocabulary.tokens, try folder.length() ?? 512)
    }

    /// The tokens of a text alone, with nothing around them and nothing cut off.
    public func tokens(of text: String) -> [Int] {
        finders.tokens(of: text, clean: words.cleaned) { text, tokens in
            for word in BERTWords.words(of: text) { model.append(word, to: &tokens) }
        }
    }

    /// The text that tokens stand for, a space between words.
    public func text(of tokens: some Sequence<Int>) -> String {
        var text = ""
        for token in tokens {
            let piece = names[token]
            if piece.hasPrefix(WordPieceModel.mark) {
                text += piece.dropFirst(WordPieceModel.mark.count)
            } else {
                text += (text.isEmpty ? "" : " ") + piece
            }
        }
        return text
    }

    /// The pieces in `tokenizer.json`.
    private static func pieces(_ json: JSONObject) throws -> Vocabulary {
        let model: JSONObject = try read { try json.required("model") }
        let type: String = try read { try model.optional("type") ?? "WordPiece" }
        guard type == "WordPiece" else {
            throw TokenizerError(
                json.place, "its model is \(quoted(type)); BERT's tokenizer needs \"WordPiece\"")
        }
        let prefix: String = try read {
            try model.optional("continuing_subword_prefix") ?? WordPieceModel.mark
        }
        guard prefix == WordPieceModel.mark else {
            throw TokenizerError(
                json.place, "pieces inside words begin with \(quoted(prefix)), and BERT's with \"##\"")
        }
        return try Vocabulary(read { try model.required("vocab") }, place: json.place)
    }

    /// The pieces in `vocab.txt`, one on each line.
    private static func pieces(in folder: TokenizerFolder) throws -> Vocabulary {
        let name = "vocab.txt"
        guard let bytes = try folder.bytes(name) else {
            throw TokenizerError(folder.path, "it needs tokenizer.json or vocab.txt; fetch one of them")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw TokenizerError(folder.place(name), "it is no UTF-8 text: fetch it again")
        }
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return Vocabulary(tokens: lines.map(String.init))
    }
}
