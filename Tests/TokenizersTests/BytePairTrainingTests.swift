import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenizers

/// Vocabularies of byte pairs that are learnt from texts.
@Suite struct BytePairTrainingTests {
    private func training(_ count: Int) -> BytePairTraining {
        var training = BytePairTraining()
        training.mergeCount = count
        return training
    }

    @Test func theCommonestPairComesFirst() {
        // ab 5 times, cd</w> 3, then what they become; of equal pairs the one whose tokens come first.
        let learnt = training(10).vocabulary(of: ["abx abx abx", "abx Abx", "cd cd  cd"])
        #expect(learnt.merges.map { "\($0) \($1)" } == ["a b", "ab x</w>", "c d</w>"])
        #expect(learnt.count == 512 + 3 + 2)
        #expect(training(1).vocabulary(of: ["ba ba ab ab"]).merges.map(\.0) == ["a"])
        #expect(training(5).vocabulary(of: [""]).merges.isEmpty)
    }

    @Test func repeatedBytesJoinFromTheLeft() {
        let learnt = training(3).vocabulary(of: ["aaaaa", "aaaaa"])
        #expect(learnt.merges.map { "\($0) \($1)" } == ["a a", "aa a</w>", "aa aaa</w>"])
    }

    /// Two pairs that become the same text are one token.
    @Test func oneTextIsOneToken() throws {
        let learnt = training(100).vocabulary(of: ["abc abc abc abcx abcx bcx bcx bcx bcx abx abx abx"])
        let tokenizer = try CLIPTokenizer(learnt, length: 12)
        for text in ["abc", "abcx", "bcx abx", "q"] {
            #expect(tokenizer.text(of: tokenizer.tokens(of: text)) == text)
        }
    }

    @Test func theFolderReadsBackEqual() throws {
        let texts = [
            "a photo of a cat", "a photo of a dog's tail", "Zürich, 1999! 你好 🫠", "the cat and the dog",
        ]
        let learnt = training(60).vocabulary(of: texts)
        let folder = try TemporaryFolder()
        try learnt.write(to: folder.path, length: 20)
        let (made, read) = (try CLIPTokenizer(learnt, length: 20), try CLIPTokenizer(folder: folder.path))
        for text in texts + ["", "<|endoftext|> <|STARTOFTEXT|>", "something else"] {
            #expect(made.encode(text) == read.encode(text))
        }
        #expect(made.length == 20 && read.length == 20 && made.paddingToken == made.endToken)
        #expect(made.endToken == learnt.count - 1)
    }

    /// The merges that an independent implementation learns from the same texts, and the ids that transformers gives
    /// (Tools/oracle/byte_pairs.py).
    @Test func mergesAndTokensAreThoseOfTheReference() throws {
        for fixture in try Fixture.all(in: "byte_pairs") {
            let texts: [String] = try fixture.case.required("texts")
            let merges: [String] = try fixture.case.required("merges")
            let learnt = training(merges.count).vocabulary(of: texts)
            #expect(learnt.merges.map { "\($0) \($1)" } == merges, "\(fixture.name)")
            let tokenizer = try CLIPTokenizer(learnt, length: 16)
            let prompts: [String] = try fixture.case.required("prompts")
            let ids = try fixture.tensor("ids").array(of: Int.self)
            #expect(prompts.flatMap { tokenizer.encode($0).ids } == ids, "\(fixture.name)")
        }
    }
}
