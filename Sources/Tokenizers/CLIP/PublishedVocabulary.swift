import CCLIPVocabulary
import Storage

/// The vocabulary that every published CLIP has, OpenAI's and OpenCLIP's: the bytes, the bytes that end a word,
/// what every merge makes, and the two markers; 49,408 tokens.
struct PublishedVocabulary: Sendable {
    /// Read from the program when it is first asked for.
    static let shared = PublishedVocabulary()

    /// The tokens, each at its id.
    let tokens: [String]
    /// What joins them.
    let model: BytePairModel.Tables

    private init() {
        // In the order of their characters: the bytes that print come first.
        let bytes = ByteAlphabet.characters.sorted().map(String.init)
        var tokens = bytes + bytes.map { $0 + BytePairModel.endOfWord }
        tokens.reserveCapacity(49_408)
        // Tokens are found by a hash of their bytes. They are known, and all hashes differ.
        var ids: [UInt64: Int32] = [:]
        ids.reserveCapacity(tokens.capacity)
        for (id, token) in tokens.enumerated() { ids[Self.hash(token.utf8)] = Int32(id) }
        var merges: BytePairModel.Merges = [:]
        merges.reserveCapacity(tokens.capacity)
        for line in Self.text.split(separator: UInt8(ascii: "\n")) {
            let space = line.firstIndex(of: UInt8(ascii: " "))!
            let (left, right) = (line[..<space], line[(space + 1)...])
            let (hash, id) = (Self.hash(left), Int32(tokens.count))
            // A pair joins tokens that stand before it.
            merges[BytePairModel.key(ids[hash]!, ids[Self.hash(right)]!)] = .init(
                rank: Int32(merges.count), id: id)
            ids[Self.hash(right, after: hash)] = id
            tokens.append(String(decoding: left + right, as: UTF8.self))
        }
        self.tokens = tokens + [CLIPWords.startMarker, CLIPWords.endMarker]
        let places = Dictionary(uniqueKeysWithValues: bytes.enumerated().map { ($1, Int32($0)) })
        let symbols = ByteAlphabet.characters.map { places[String($0)]! }
        model = .init(merges: merges, bytes: symbols, lastBytes: symbols.map { $0 + Int32(bytes.count) })
    }

    /// FNV-1a, which can go on where it ended.
    private static func hash(
        _ bytes: some Sequence<UInt8>, after start: UInt64 = 0xCBF2_9CE4_8422_2325
    ) -> UInt64 {
        bytes.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// The merges, one a line. The build put them into the program, so they unpack.
    static var text: [UInt8] {
        var count = 0
        let start = clip_merges(&count)
        let packed = [UInt8](UnsafeBufferPointer(start: start, count: count))
        guard let text = try? inflated(packed, .gzip, limit: 1 << 20) else {
            preconditionFailure("the merges of CLIP in this program are damaged")
        }
        return text
    }
}

extension CLIPTokenizer {
    /// The token that fills prompts up, which is where the published tokenizers differ.
    public enum Padding: String, Sendable, CaseIterable {
        /// Stable Diffusion 1, and the first tokenizer of XL and 3.
        case end = "<|endoftext|>"
        /// Those of OpenCLIP's encoders: Stable Diffusion 2, and the second tokenizer of XL and 3.
        case exclamationMark = "!"
    }

    /// Writes the folder of a published tokenizer, as transformers reads it.
    /// - Throws: `FileError` where a file cannot be written.
    public static func writePublished(padding: Padding, to path: String) throws {
        func write(_ object: JSONObject, _ name: String) throws {
            try Files.replace("\(path)/\(name)", with: JSONValue.object(object).text.utf8)
        }
        try Files.createFolder(path)
        var names = JSONObject()
        for (id, token) in PublishedVocabulary.shared.tokens.enumerated() {
            names[token] = .integer(id)
        }
        try write(names, "vocab.json")
        try Files.replace(
            path + "/merges.txt", with: Array("#version: 0.2\n".utf8) + PublishedVocabulary.text)
        func marker(_ text: String) -> JSONValue {
            [
                "content": .string(text), "lstrip": false, "normalized": true, "rstrip": false,
                "single_word": false,
            ]
        }
        let special: JSONObject = [
            "bos_token": marker(CLIPWords.startMarker), "eos_token": marker(CLIPWords.endMarker),
            "pad_token": .string(padding.rawValue), "unk_token": marker(CLIPWords.endMarker),
        ]
        try write(special, "special_tokens_map.json")
        var configuration = special
        configuration["add_prefix_space"] = false
        configuration["do_lower_case"] = true
        configuration["errors"] = "replace"
        configuration["model_max_length"] = 77
        configuration["tokenizer_class"] = "CLIPTokenizer"
        try write(configuration, "tokenizer_config.json")
    }
}
