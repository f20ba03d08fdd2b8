import CCLIPVocabulary
import Checkpoints
import Storage

/// The vocabulary that every published CLIP has, OpenAI's and OpenCLIP's: the bytes, the bytes that end a word,
/// what every merge makes, and the two markers; 49,408 tokens.
struct PublishedVocabulary: Sendable {
    /// Read from the program when it is first asked for.
    static let shared = PublishedVocabulary()

    /// The tokens.
    let vocabulary: Vocabulary
    /// What becomes of the ids of two neighbours.
    let merges: BytePairModel.Merges

    private init() {
        // In the order of their characters: the bytes that print come first.
        let bytes = ByteAlphabet.characters.sorted().map(String.init)
        var tokens = bytes + bytes.map { $0 + BytePairModel.endOfWord }
        let first = tokens.count
        let pairs = Self.text.split(separator: UInt8(ascii: "\n")).map { line in
            let space = line.firstIndex(of: UInt8(ascii: " "))!
            return (
                String(decoding: line[..<space], as: UTF8.self),
                String(decoding: line[(space + 1)...], as: UTF8.self)
            )
        }
        tokens += pairs.map { $0 + $1 }
        let vocabulary = Vocabulary(tokens: tokens + [CLIPText.startMarker, CLIPText.endMarker])
        var merges: BytePairModel.Merges = [:]
        merges.reserveCapacity(pairs.count)
        for (rank, pair) in pairs.enumerated() {
            // A pair joins tokens that stand before it.
            let key = BytePairModel.key(
                Int32(vocabulary.id(of: pair.0)!), Int32(vocabulary.id(of: pair.1)!))
            merges[key] = .init(rank: Int32(rank), id: Int32(first + rank))
        }
        (self.vocabulary, self.merges) = (vocabulary, merges)
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
    /// - Throws: `FileError` or `CheckpointError` where a file cannot be written.
    public static func writePublished(padding: Padding, to path: String) throws {
        let folder = ModelFolder(path)
        var names = JSONObject()
        for (id, token) in PublishedVocabulary.shared.vocabulary.tokens.enumerated() {
            names[token] = .integer(id)
        }
        try folder.write(names, to: "vocab.json")
        try Files.replace(
            path + "/merges.txt", with: Array("#version: 0.2\n".utf8) + PublishedVocabulary.text)
        func marker(_ text: String) -> JSONValue {
            [
                "content": .string(text), "lstrip": false, "normalized": true, "rstrip": false,
                "single_word": false,
            ]
        }
        let special: JSONObject = [
            "bos_token": marker(CLIPText.startMarker), "eos_token": marker(CLIPText.endMarker),
            "pad_token": .string(padding.rawValue), "unk_token": marker(CLIPText.endMarker),
        ]
        try folder.write(special, to: "special_tokens_map.json")
        var configuration = special
        configuration["add_prefix_space"] = false
        configuration["do_lower_case"] = true
        configuration["errors"] = "replace"
        configuration["model_max_length"] = 77
        configuration["tokenizer_class"] = "CLIPTokenizer"
        try folder.write(configuration, to: "tokenizer_config.json")
    }
}
