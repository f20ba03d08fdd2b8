import Checkpoints
import Foundation
import Pictures
import Storage
import TestSupport
import Testing

extension TemporaryFolder {
    /// The receipt of a call that makes one picture or a sheet.
    func receipt(_ arguments: [String]) throws -> JSONObject {
        try made(arguments + ["-o", self("made.png")])
        let texts = try Picture.texts(of: URL(fileURLWithPath: self("made.png")))
        let text = try #require(texts.first { $0.keyword == "langevin" }).text
        #expect(!text.contains(path), "a path is in the receipt: \(text)")
        return try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "the receipt")))
    }

    @discardableResult
    func made(_ arguments: [String]) throws -> Program.Outcome {
        let outcome = try Program.run(arguments)
        try #require(outcome.code == 0, "\(arguments.joined(separator: " ")): \(outcome.messages)")
        return outcome
    }
}

/// The sha256 of a file.
func fileDigest(_ path: String) -> String {
    (try? DigestCache(folder: nil).sha256(ofFile: path)) ?? "\(path) cannot be read"
}
