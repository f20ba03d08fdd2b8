import ArgumentParser
import Foundation
import Hub
import Pipelines
import Storage

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the models of the hub that the cache holds, or remove some.",
        discussion: """
            The cache is the one of Python's huggingface_hub (HF_HUB_CACHE, or hub in HF_HOME), so that each model is there \
            once. 'langevin models' lists it; 'langevin models remove org/name' removes a model with all of its revisions.
            """)

    @Argument(
        help: "Nothing, to list what is there; or 'remove' and the models that are to go.")
    var words: [String] = []

    @Flag(help: "Print one JSON object.")
    var json = false

    private static let removal = "remove"

    /// What is there, as JSON.
    private struct Contents: Encodable {
        struct Entry: Encodable {
            let name: String
            let revision: String?
            let references: [String]
            let size: Int
            let lastUsed: String?
            let path: String

            enum CodingKeys: String, CodingKey {
                case name, revision, references, size, path
                case lastUsed = "last_used"
            }
        }

        let cache: String
        /// Bytes on the disk.
        let size: Int
        let models: [Entry]
    }

    /// What was removed, as JSON.
    private struct Removal: Encodable {
        let removed: [String]
        /// Bytes that were freed.
        let size: Int
    }

    func run() throws {
        let cache = HubCache(try HubSettings().cache)
        guard let first = words.first else { return try list(cache) }
        guard first == Self.removal else {
            throw PipelineError(
                "there is nothing to do called '\(first)': give no word, to list what is there, or remove and the models that are to go"
            )
        }
        let names = Array(words.dropFirst())
        guard !names.isEmpty else {
            throw PipelineError("remove needs the models that are to go: give them as org/name")
        }
        // All names are looked at before anything goes.
        for name in names { try cache.checkIsThere(name) }
        let freed = try names.reduce(0) { try $0 + cache.remove($1) }
        if json { return try printJSON(Removal(removed: names, size: freed)) }
        try printResult("removed \(names.joined(separator: ", ")), \(byteText(freed))")
    }

    private func list(_ cache: HubCache) throws {
        let models = try cache.models()
        let size = Set(models.map(\.name)).reduce(0) { $0 + cache.byteCount($1) }
        if json {
            let entries = models.map {
                Contents.Entry(
                    name: $0.name, revision: $0.commit, references: $0.references, size: $0.byteCount,
                    lastUsed: $0.lastUsed?.formatted(.iso8601), path: $0.path)
            }
            return try printJSON(Contents(cache: cache.path, size: size, models: entries))
        }
        guard !models.isEmpty else {
            return try printResult("the cache \(printable(cache.path)) holds no models of the hub")
        }
        let rows =
            [["model", "revision", "size", "last used"]]
            + models.map { model in
                let commit = model.commit.map { String($0.prefix(8)) }
                let references = model.references.joined(separator: ", ")
                return [
                    model.name,
                    commit.map { references.isEmpty ? $0 : "\($0) (\(references))" } ?? "unfinished",
                    byteText(model.byteCount),
                    model.lastUsed.map { $0.formatted(.iso8601.year().month().day()) } ?? "",
                ]
            }
        try printResult((Self.aligned(rows) + ["\(byteText(size)) in \(cache.path)"]).joined(separator: "\n"))
    }

    /// Rows whose columns begin below each other, two spaces apart.
    private static func aligned(_ rows: [[String]]) -> [String] {
        let rows = rows.map { $0.map { printable($0) } }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { text, width in
                text + String(repeating: " ", count: width - text.count)
            }
            return cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces)
        }
    }
}
