import Checkpoints
import Foundation
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

    @Test func everyTokenizerIsThere() {
        #expect(Self.folders.filter { $0.contains("Fixtures") }.count == 6)
    }

    @Test(arguments: folders) func equalsTransformers(_ folder: String) throws {
        let fixture = try Fixture(folder, path: "\(folder)/expected.safetensors")
        if try fixture.case.required("class") == "CLIPTokenizer" {
            try expectReference(fixture, CLIPTokenizer(folder: folder))
        } else {
            try expectReference(fixture, T5Tokenizer(folder: folder))
        }
    }
}
