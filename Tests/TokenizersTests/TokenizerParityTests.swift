import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing
import Tokenizers

/// Token ids equal to those of transformers 5, for texts that `Tools/oracle/tokenizers_oracle.py` wrote: the
/// committed ones, and those of the folder that `LANGEVIN_TOKENIZERS` names.
@Suite struct TokenizerParityTests {
    static let folders: [String] = {
        let places = [fixturePath("tokenizers"), ProcessInfo.processInfo.environment["LANGEVIN_TOKENIZERS"]]
        return places.compactMap(\.self).flatMap { place in
            ((try? folderNames(place)) ?? []).map { "\(place)/\($0)" }
        }
    }()

    /// Rows of numbers that stand one after the other.
    func rows<Scalar: TensorScalar & Sendable>(
        _ fixture: Fixture, _ name: String, _ ends: String, of: Scalar.Type
    )
        throws -> [ArraySlice<Scalar>]
    {
        let values: [Scalar] = try fixture.array(name)
        var start = 0
        return try fixture.array(ends, of: Int32.self).map { end in
            defer { start = Int(end) }
            return values[start..<Int(end)]
        }
    }

    @Test func everyTokenizerIsThere() {
        #expect(Self.folders.filter { $0.contains("Fixtures") }.count == 6)
    }

    @Test(arguments: folders) func equalsTransformers(_ folder: String) throws {
        let fixture = try Fixture(folder, path: "\(folder)/expected.safetensors")
        let tokenizer: any TextTokenizer =
            try fixture.case.required("class") == "CLIPTokenizer"
            ? CLIPTokenizer(folder: folder) : T5Tokenizer(folder: folder)
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
}
