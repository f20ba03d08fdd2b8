import Foundation
import TestSupport
import Testing

/// A card that speaks of classes that the network does not have.
@Suite struct ModelCardTests {
    @Test(arguments: [
        (#"{"null_class": 99}"#, "null_class"), (#"{"class_names": ["a", "b"]}"#, "class_names"),
    ])
    func classesOfAnotherNetworkAreRefused(card: String, key: String) throws {
        let tiny = try TinyModel(classes: key == "null_class")
        try Data(card.utf8).write(to: URL(fileURLWithPath: tiny.run + "/model/langevin.json"))
        let outcome = try Program.run("sample", tiny.run, "--steps", "2", "-o", tiny.folder("x.png"))
        #expect(outcome.code == 2 && outcome.messages.contains(key), "\(outcome.messages)")
        #expect(!FileManager.default.fileExists(atPath: tiny.folder("x.png")))
    }
}
