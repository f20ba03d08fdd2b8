import Foundation
import Storage

/// The model that comes with the project, from texts to emoji of 64×64 pixels: `models/emoji.safetensors`.
///
/// docs/EmojiModel.md says what it was trained on, by which recipe, and how good it is.
public enum ShippedModel {
    private static let name = "emoji.safetensors"

    /// Where it is: beside the program, in the sources that the program lies in, or in those that it was built from.
    /// - Throws: `PipelineError` where it is in none of these places.
    public static func path() throws -> String {
        guard let found = places.first(where: Files.exists) else {
            throw PipelineError(
                "the model that comes with Langevin is not there: put its \(name) beside the program, or give another model"
            )
        }
        return found
    }

    private static var places: [String] {
        let program = Bundle.main.executableURL?.resolvingSymlinksInPath()
        let above = folders(above: program).map { "\($0)/models/\(name)" }
        let sources = folders(above: URL(file: #filePath)).dropFirst(3).first
        return [folders(above: program).first.map { "\($0)/\(name)" }].compactMap(\.self) + above
            + (sources.map { ["\($0)/models/\(name)"] } ?? [])
    }

    /// The folders that a file lies in, the innermost first.
    private static func folders(above file: URL?) -> [String] {
        guard var folder = file else { return [] }
        var folders: [String] = []
        while folder.path != "/", folders.count < 64 {
            folder.deleteLastPathComponent()
            folders.append(folder.path)
        }
        return folders
    }
}
