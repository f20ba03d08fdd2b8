import Checkpoints
import Foundation
import Storage
import TestSupport
import Testing
import Tokenizers

/// Wrong files, each refused in one sentence that names the file; C1 to C7 are rows of the reliability plan.
@Suite struct FolderTests {
    /// A copy of a fixture with one file changed; nil removes it.
    func folder(_ fixture: String, _ name: String, _ change: (String) -> String?) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for file in try folderNames(fixturePath(fixture)) where file != name && file != "expected.safetensors"
        {
            try folder.write(file, contents(of: fixturePath("\(fixture)/\(file)")))
        }
        let old = (try? contents(of: fixturePath("\(fixture)/\(name)"))) ?? []
        if let new = change(String(decoding: old, as: UTF8.self)) { try folder.write(name, new) }
        return folder
    }

    func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch let error as TokenizerError {
            return error.description
        } catch {
            return (error as? FileError)?.description ?? "a stray error: \(error)"
        }
    }

    static let clip: [(fixture: String, file: String, from: String, to: String?, part: String)] = [
        ("clip-sd1", "vocab.json", "", nil, "needs tokenizer.json, or vocab.json and merges.txt"),
        ("clip-sd1", "merges.txt", "", nil, "needs tokenizer.json, or vocab.json and merges.txt"),
        ("clip-sd1", "vocab.json", "{*", "", "it is empty"),
        ("clip-sd1", "vocab.json", "{*", "[]", "must hold a JSON object"),
        ("clip-sd1", "vocab.json", "{*", "{", "line 1"),
        ("clip-sd1", "vocab.json", #""!":0"#, #""!":1"#, "have the same id 1"),  // C1 the same id twice
        ("clip-sd1", "vocab.json", #""!":0"#, #""!":2147483648"#, "must be an integer below"),  // C1 2³¹
        ("clip-sd1", "vocab.json", #""!":0"#, #""!":300000"#, "must be an integer below"),  // C1 a gap
        ("clip-sd1", "vocab.json", #""!":0"#, #""\ud800":0"#, "line 1"),  // C5 half of a pair of surrogates
        ("clip-sd1", "vocab.json", #""!":0"#, #""!":-1"#, "must be an integer below"),
        ("clip-sd1", "vocab.json", #""!":0"#, #""!":0.0"#, "must be an integer below"),
        ("clip-sd1", "vocab.json", #""!":0"#, #""!":0,"!":0"#, "stands twice"),
        (
            "clip-sd1", "vocab.json", "<|startoftext|>", "<|start|>",
            "\"bos_token\" \"<|startoftext|>\" is not in the vocabulary"  // C4
        ),
        (
            "clip-sd1", "vocab.json", "<|endoftext|>", "<|end|>",
            "\"eos_token\" \"<|endoftext|>\" is not in the vocabulary"  // C4
        ),
        ("clip-sd1", "merges.txt", "#version: 0.2\n*", "", "it is empty"),  // C2 empty
        // C2
        ("clip-sd1", "merges.txt", "#version: 0.2\n", "#version: 0.2\na\n", "entry 2 must be two tokens"),
        // C2
        ("clip-sd1", "merges.txt", "#version: 0.2\n", "#version: 0.2\na b c\n", "entry 2 must be two tokens"),
        (
            "clip-sd1", "merges.txt", "#version: 0.2\n", "#version: 0.2\na 日本\n",
            "\"日本\", which is not in the vocabulary"  // C3
        ),
        (
            "clip-sd1", "merges.txt", "#version: 0.2\n", "#version: 0.2\n! #\n",
            "\"!#\", which is not in the vocabulary"  // C3
        ),
        ("clip-sd1", "tokenizer_config.json", "}*", "", "line 1"),
        (
            "clip-sd1", "tokenizer_config.json", "\"model_max_length\":77", "\"model_max_length\":1.5",
            "above 1"
        ),
        (
            "clip-sd1", "tokenizer_config.json", "\"model_max_length\":77", "\"model_max_length\":\"77\"",
            "must be a number"
        ),
        (
            "clip-sd1", "tokenizer_config.json", "\"model_max_length\":77", "\"padding_side\":\"left\"",
            "\"padding_side\" is \"left\""
        ),
        (
            "clip-sd1", "tokenizer_config.json", "\"model_max_length\":77", "\"truncation_side\":\"left\"",
            "\"truncation_side\""
        ),
        (
            "clip-sd1", "tokenizer_config.json", "\"model_max_length\":77", "\"split_special_tokens\":true",
            "only false"
        ),
        (
            "clip-sd1", "special_tokens_map.json", "\"pad_token\":\"<|endoftext|>\"", "\"pad_token\":null",
            "no \"pad_token\""  // C4
        ),
        (
            "clip-sd1", "special_tokens_map.json", "\"pad_token\":\"<|endoftext|>\"",
            "\"pad_token\":\"[PAD]\"", "\"[PAD]\" is not in"
        ),
        (
            "clip-sd1", "special_tokens_map.json", "\"pad_token\":\"<|endoftext|>\"", "\"pad_token\":\"\"",
            "is empty"
        ),
        (
            "clip-sd1", "special_tokens_map.json", "\"pad_token\":\"<|endoftext|>\"", "\"pad_token\":7",
            "must be a string or an object"
        ),
        ("clip-added", "added_tokens.json", "{*", #"{"x y":7}"#, "listed with the id 7"),
        ("clip-added", "added_tokens.json", "{*", #"{"x y":"7"}"#, "must be an integer"),
        ("clip-json", "tokenizer.json", #""BPE""#, #""Cyclic""#, "its model is \"Cyclic\""),  // C7
        ("clip-json", "tokenizer.json", #""RobertaProcessing""#, #""BertProcessing""#, "\"post_processor\""),
        ("clip-json", "tokenizer.json", #""merges""#, #""merge""#, "\"merges\" is missing"),
        (
            "clip-json", "tokenizer_config.json", #""<|endoftext|>""#, #""nothing""#,
            "is not in the vocabulary"
        ),
    ]

    static let t5: [(fixture: String, file: String, from: String, to: String?, part: String)] = [
        ("t5-json", "tokenizer.json", "", nil, "needs tokenizer.json or spiece.model"),
        ("t5-json", "tokenizer.json", #""Unigram""#, #""BPE""#, "its model is \"BPE\""),  // C7
        ("t5-json", "tokenizer.json", #""unk_id": 2"#, #""unk_id": 0"#, "has the id 0"),
        ("t5-json", "tokenizer.json", #""byte_fallback": false"#, #""byte_fallback": true"#, "as bytes"),
        (
            "t5-json", "tokenizer.json", #""precompiled_charsmap": ""#, #""precompiled_charsmap": "*"#,
            "base 64"
        ),
        (
            "t5-json", "tokenizer.json", #""precompiled_charsmap": ""#, #""precompiled_charsmap": "////"#,
            "cut off"
        ),
        ("t5-json", "tokenizer.json", #""ids": ["#, #""ids": [5, "#, "\"post_processor\""),
        ("t5-json", "tokenizer.json", "        \"<pad>\",\n", "5,", "must be a text and a number"),
        (
            "t5-json", "tokenizer.json", #""content": "<pad>","#, #""content": 5,"#,
            "\"content\" must be a string"
        ),
        (
            "t5-json", "tokenizer_config.json", #""extra_ids": 100"#, #""extra_ids": -1"#,
            "\"extra_ids\" is -1"
        ),
        ("t5-spiece", "spiece.model", "*", "", "it is empty"),
        (
            "t5-spiece", "spiece.model", "*", "version https://git-lfs.github.com/spec/v1\n",
            "pointer of Git LFS"
        ),
        ("t5-spiece", "spiece.model", "*", "version of something else", "no SentencePiece model"),
        ("t5-spiece", "spiece.model", "*", "\u{12}\u{2}\u{18}\u{2}", "its type is 2"),
        ("t5-spiece", "spiece.model", "*", "\u{12}\u{0}", "holds no pieces"),
    ]

    /// A text with a part replaced: "a*" stands for everything from the first a on, "" for nothing.
    func replaced(_ text: String, _ from: String, _ to: String?) -> String? {
        guard let to else { return nil }
        guard from.hasSuffix("*") else {
            let changed = text.replacingOccurrences(of: from, with: to)
            #expect(changed != text, "nothing to replace: \(from)")
            return changed
        }
        return from == "*"
            ? to : text[..<(text.range(of: from.dropLast())?.lowerBound ?? text.startIndex)] + to
    }

    @Test(arguments: clip.indices) func refusesWrongFilesOfCLIP(_ index: Int) throws {
        let row = Self.clip[index]
        let folder = try folder("tokenizers/\(row.fixture)", row.file) { replaced($0, row.from, row.to) }
        let message = message { _ = try CLIPTokenizer(folder: folder.path) }
        #expect(message.contains(row.part) && message.hasPrefix(folder.path), "\(message)")
    }

    @Test(arguments: t5.indices) func refusesWrongFilesOfT5(_ index: Int) throws {
        let row = Self.t5[index]
        let folder = try folder("tokenizers/\(row.fixture)", row.file) { replaced($0, row.from, row.to) }
        let message = message { _ = try T5Tokenizer(folder: folder.path) }
        #expect(message.contains(row.part) && message.hasPrefix(folder.path), "\(message)")
    }

    /// C2: ten million lines, and more merges than tokens, are refused before they are made.
    @Test func refusesEndlessMerges() throws {
        let folder = try folder("tokenizers/clip-sd1", "merges.txt") { _ in
            String(repeating: "! !\n", count: 10_000)
        }
        var message = message { _ = try CLIPTokenizer(folder: folder.path) }
        #expect(message.contains("more merges than the vocabulary has tokens"), "\(message)")
        #expect(truncate(folder("merges.txt"), 40_000_000) == 0)
        message = self.message { _ = try CLIPTokenizer(folder: folder.path) }
        #expect(message.contains("where 33554432 is the most") && message.hasPrefix(folder.path))
    }

    @Test func refusesFoldersThatAreNone() throws {
        #expect(
            message { _ = try CLIPTokenizer(folder: "/nowhere") }
                == "/nowhere: there is no such folder; give the model's tokenizer folder")
        #expect(message { _ = try T5Tokenizer(folder: #filePath) }.hasPrefix(#filePath))
    }

    /// However a SentencePiece file is damaged, it is read or refused, and what was read can be used.
    @Test func damagedModelsNeverTrap() throws {
        let good = try contents(of: fixturePath("tokenizers/t5-spiece/spiece.model"))
        var random = SplitMix(seed: 3)
        var (read, refused) = (0, 0)
        for round in 0..<150 {
            let folder = try TemporaryFolder()
            var bytes = good
            if round.isMultiple(of: 3) {
                bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
            } else {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            try folder.write("spiece.model", bytes)
            do {
                let tokenizer = try T5Tokenizer(folder: folder.path)
                _ = tokenizer.encode("ﬁne Ａ\u{301} 日本語 \u{0} e\u{301}\r\n photo")
                read += 1
            } catch is TokenizerError {
                refused += 1
            }
        }
        #expect(read > 10 && refused > 10, "\(read) read, \(refused) refused")
    }
}
