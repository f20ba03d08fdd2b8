import Foundation
import Pictures
import Storage

/// What the files of a data set have shown that a person should know of.
public struct DatasetFindings: Sendable, Equatable {
    /// The folder of the data; empty where there is nothing to tell.
    public var folder = ""
    /// How many pictures were looked for.
    public var total = 0
    /// How many pictures belong to another part of the data.
    public var heldBack = 0
    /// What is wrong with each picture that is left out, by file.
    public var damaged: [PictureError] = []
    /// How many pictures so far have transparent parts, the colours stored under which count.
    public var transparentCount = 0
    /// Files below the folder that tell more of its pictures and are not read.
    public var unreadFiles: [String] = []
    /// The file in the folder whose rows are read, or would be.
    public var metadata = "metadata.jsonl"
    /// Whether that file has texts, which are not read.
    public var hasUnreadTexts = false
    /// How many pictures have no caption where captions are read.
    public var withoutCaption = 0
    /// Whether labels of rows count where folders would else be classes.
    public var labelsReplaceFolders = false
    /// Pictures that are left out because no row gives their label.
    public var withoutLabel: [String] = []

    /// Nothing.
    public init() {}
}

/// What is found in a folder by all threads that read it.
///
/// The lock guards the findings, which makes the class safe to share.
final class FindingsLog: @unchecked Sendable {
    private let lock = NSLock()
    private let known: DatasetFindings
    private var damaged: [String: PictureError] = [:]
    private var transparent: Set<String> = []

    /// - Parameter known: what is found already.
    init(_ known: DatasetFindings) { self.known = known }

    /// Everything so far, the errors by file.
    var findings: DatasetFindings {
        lock.withLock {
            var all = known
            all.damaged = damaged.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
            all.transparentCount = transparent.count
            return all
        }
    }

    /// Notes a picture as unreadable.
    ///
    /// - Throws: ``DatasetError`` where it is one too many: more than one in twenty.
    func add(_ error: PictureError) throws {
        let count = lock.withLock {
            damaged[error.file ?? error.what] = error
            return damaged.count
        }
        guard count * 20 > known.total else { return }
        let found = findings.damaged
        let files = listed(found) { "\(printable($0.file ?? "")) (\($0.what))" }
        throw DatasetError(
            known.folder, "\(found.count) or more of \(known.total) pictures cannot be read: \(files)",
            remedy: "repair or remove them")
    }

    /// Notes a picture whose transparent parts are dropped.
    func addTransparent(_ file: String) { lock.withLock { _ = transparent.insert(file) } }
}
