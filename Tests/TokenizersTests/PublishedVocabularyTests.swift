import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing
import Tokenizers

/// The vocabulary that comes with the program: ids equal to those of transformers 5, for texts that
/// `Tools/oracle/vocabulary.py` wrote: the committed ones, and those of the folder that `LANGEVIN_VOCABULARY` names.
@Suite struct PublishedVocabularyTests {
    static let folders = [
        fixturePath("vocabulary"), ProcessInfo.processInfo.environment["LANGEVIN_VOCABULARY"],
    ].compactMap(\.self)

    @Test func knownPromptsHaveTheirKnownTokens() {
        let cat = [49406, 320, 1125, 539, 320, 2368, 49407]
        let prompt = CLIPTokenizer.published().encode("a photo of a cat")
        #expect(prompt.ids == cat + [Int](repeating: 49407, count: 70))
        let padded = CLIPTokenizer.published(padding: .exclamationMark).encode("A photo of a CAT")
        #expect(padded.ids == cat + [Int](repeating: 0, count: 70))
        #expect(padded.tokenCount == cat.count)
        // Where "!" fills prompts up, it is the same token in a prompt.
        #expect(CLIPTokenizer.published().tokens(of: "wow!") == [2144, 256])
        #expect(CLIPTokenizer.published(padding: .exclamationMark).tokens(of: "wow!") == [2144, 0])
        #expect(CLIPTokenizer.published().text(of: [320, 1125, 539, 320, 2368]) == "a photo of a cat")
    }

    @Test(arguments: folders, CLIPTokenizer.Padding.allCases)
    func equalsTransformers(_ folder: String, _ padding: CLIPTokenizer.Padding) throws {
        let fixture = try Fixture("\(padding)", path: "\(folder)/\(padding).safetensors")
        try expectReference(fixture, CLIPTokenizer.published(padding: padding))
    }

    /// What is written for other programs is the same tokenizer.
    @Test(arguments: CLIPTokenizer.Padding.allCases)
    func aWrittenFolderIsTheSame(_ padding: CLIPTokenizer.Padding) throws {
        let folder = try TemporaryFolder()
        try CLIPTokenizer.writePublished(padding: padding, to: folder("tokenizer"))
        let fixture = try Fixture("vocabulary/\(padding)")
        try expectReference(fixture, CLIPTokenizer(folder: folder("tokenizer")))
    }
}

/// Compares a tokenizer with the ids that transformers gave for the texts of a file.
func expectReference(_ fixture: Fixture, _ tokenizer: some TextTokenizer) throws {
    let texts = try rows(fixture, "text", "text_ends", of: UInt8.self).map {
        String(decoding: $0, as: UTF8.self)
    }
    let ids = try rows(fixture, "ids", "id_ends", of: Int32.self)
    let start = tokenizer.startToken.map { [$0] } ?? []
    var different = 0
    for (text, expected) in zip(texts, ids) {
        let actual = start + tokenizer.tokens(of: text) + [tokenizer.endToken]
        guard actual != expected.map(Int.init) else { continue }
        different += 1
        if different <= 10 {
            let scalars = text.unicodeScalars.prefix(60).map { String($0.value, radix: 16) }
            Issue.record("\(text.debugDescription) \(scalars): \(actual), expected \(Array(expected))")
        }
    }
    #expect(different == 0 && texts.count == ids.count, "of \(texts.count) texts")
    let length: Int = try fixture.case.required("length")
    let padded: [Int32] = try fixture.array("padded")
    for (index, count) in try fixture.array("mask", of: Int32.self).enumerated() {
        let prompt = tokenizer.encode(texts[index], length: length)
        #expect(prompt.ids == padded[(index * length)..<((index + 1) * length)].map(Int.init))
        #expect(prompt.tokenCount == Int(count))
    }
}

/// Rows of numbers that stand one after the other.
private func rows<Scalar: TensorScalar & Sendable>(
    _ fixture: Fixture, _ name: String, _ ends: String, of: Scalar.Type
) throws -> [ArraySlice<Scalar>] {
    let values: [Scalar] = try fixture.array(name)
    var start = 0
    return try fixture.array(ends, of: Int32.self).map { end in
        defer { start = Int(end) }
        return values[start..<Int(end)]
    }
}
