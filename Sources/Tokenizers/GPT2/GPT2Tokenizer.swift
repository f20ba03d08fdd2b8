import Storage

/// GPT-2's tokenizer as GLIDE has it: text in lower case to byte pairs, with nothing at its start or end, filled up by a token
/// that stands for none.
/// Source: Radford et al. 2019 (Language Models are Unsupervised Multitask Learners), section 2.2; Nichol et al. 2021
/// (arXiv:2112.10741), the published code.
public struct GPT2Tokenizer: TextTokenizer {
    /// The names that a file of merges can have.
    public static let mergesNames = ["merges.txt", "vocab.bpe"]
    /// The most tokens that a vocabulary is taken to have.
    private static let largestCount = 1 << 20
    /// The token that stands for the end of a document.
    static let endMarker = "<|endoftext|>"

    /// How many tokens a prompt has.
    public let length: Int
    /// None.
    public var startToken: Int? { nil }
    /// The last token of the vocabulary, which fills prompts up.
    public let endToken: Int
    /// No token ends a prompt.
    public var endsPrompts: Bool { false }
    /// The last token of the vocabulary.
    public var paddingToken: Int { endToken }
    private let names: [String]
    private let model: BytePairModel

    /// Reads a folder with the merges, `merges.txt` or `vocab.bpe`. The ids of tokens follow from them: the bytes, those that
    /// print in front, then what each merge makes.
    /// - Parameter length: how many tokens a prompt has.
    /// - Throws: one sentence about what is wrong with a file.
    public init(folder path: String, length: Int) throws {
        try self.init(TokenizerFolder(path), length: length)
    }

    /// The tokenizer of the files of such a folder, by name.
    /// - Parameter place: where they are from, for messages.
    /// - Throws: one sentence about what is wrong with a file.
    package init(files: [String: [UInt8]], place: String, length: Int) throws {
        try self.init(TokenizerFolder(files: files, place: place), length: length)
    }

    private init(_ folder: TokenizerFolder, length: Int) throws {
        let found = try Self.mergesNames.lazy.compactMap { name in
            try folder.bytes(name).map { (name, $0) }
        }.first
        guard let (name, text) = found else {
            throw TokenizerError(
                folder.path,
                "it needs GPT-2's merges, 'vocab.bpe' or 'merges.txt', which do not come with this program: put them there"
            )
        }
        let place = folder.place(name)
        let merges = try MergesFile(text, place: place, atMost: Self.largestCount).pairs
        // In the order of their characters: the bytes that print come first.
        names =
            ByteAlphabet.characters.sorted().map(String.init) + merges.map { $0 + $1 } + [Self.endMarker]
        endToken = names.count - 1
        model = try BytePairModel(
            Vocabulary(tokens: names), merges: merges, unknown: endToken, marksEnds: false, place: place)
        self.length = length
    }

    /// The tokens of a text alone.
    public func tokens(of text: String) -> [Int] {
        var tokens: [Int] = []
        GPT2Words.forEachWord(of: GPT2Words.lowercased(text)) { model.append($0, to: &tokens) }
        return tokens
    }

    /// The text that tokens stand for, in lower case.
    public func text(of tokens: some Sequence<Int>) -> String {
        let bytes = tokens.flatMap { token in
            names[token].unicodeScalars.flatMap { scalar in
                ByteAlphabet.bytes[scalar].map { [$0] } ?? Array(String(scalar).utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
