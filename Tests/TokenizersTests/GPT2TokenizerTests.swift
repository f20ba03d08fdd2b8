import Storage
import TestSupport
import Testing
import Tokenizers

/// GPT-2's tokenizer as GLIDE has it, beside the original's over the same merges (`Tools/oracle/glide.py`).
@Suite struct GPT2TokenizerTests {
    private let folder: TemporaryFolder
    private let fixture: Fixture

    init() throws {
        folder = try TemporaryFolder()
        fixture = try Fixture("glide/tokens")
        try Files.write(Array(Self.merges(of: fixture).utf8), to: folder("vocab.bpe"))
    }

    private static func merges(of fixture: Fixture) throws -> String {
        let lines: [String] = try fixture.case.required("merges")
        return "#version: 0.2\n" + lines.map { $0 + "\n" }.joined()
    }

    @Test func tokensAreTheOriginals() throws {
        let length: Int = try fixture.case.required("length")
        let tokenizer = try GPT2Tokenizer(folder: folder.path, length: length)
        let texts: [String] = try fixture.case.required("texts")
        let full: [[Int]] = try fixture.case.required("full")
        let padded = try fixture.tensor("ids").array(of: Int64.self).map { Int($0) }
        for (index, text) in texts.enumerated() {
            #expect(tokenizer.tokens(of: text) == full[index], "\(text)")
            let ids = tokenizer.encode(text).ids
            #expect(ids == Array(padded[index * length..<(index + 1) * length]), "\(text)")
        }
        #expect(tokenizer.paddingToken == 256 + 14 && tokenizer.startToken == nil)
    }

    /// Of a text that is too long nothing is taken away for an end, and what is cut off is named.
    @Test func whatDoesNotFitIsCut() throws {
        let tokenizer = try GPT2Tokenizer(folder: folder.path, length: 3)
        let prompt = tokenizer.encode("a corgi painting xy")
        #expect(prompt.ids == Array(tokenizer.tokens(of: "a corgi painting xy")[..<3]))
        #expect(prompt.cut == "ting xy" && prompt.warning?.contains("of which 3 fit") == true)
        #expect(tokenizer.encode("a").ids.suffix(2) == [270, 270])
    }

    @Test func missingMergesAreSaid() throws {
        let empty = try TemporaryFolder()
        #expect {
            try GPT2Tokenizer(folder: empty.path, length: 4)
        } throws: {
            "\($0)".contains("it needs GPT-2's merges, 'vocab.bpe' or 'merges.txt'")
        }
    }
}
