import Foundation
import Storage

/// One file of a checkpoint: its name, and how it is written.
public struct CheckpointPart: Sendable {
    /// The file's name in the checkpoint; `/` leads into folders.
    public let name: String
    /// Writes the file at the path it is given.
    public let write: @Sendable (_ path: String) throws -> Void

    /// A part that `write` writes at the path it is given.
    public init(_ name: String, write: @escaping @Sendable (_ path: String) throws -> Void) {
        self.name = name
        self.write = write
    }

    /// A part of known bytes.
    public init(_ name: String, bytes: [UInt8]) {
        self.init(name) { path throws in try Files.write(bytes, to: path) }
    }
}

/// A checkpoint on disk whose every file has been compared with its manifest.
public struct Checkpoint: Hashable, Sendable {
    /// The step after which it was saved.
    public let step: Int
    /// Its folder.
    public let path: String
    /// The names of its files.
    public let files: [String]

    /// Where the file `name` is. Throws `RunError` where the checkpoint has no such file.
    public func path(of name: String) throws -> String {
        guard files.contains(name) else {
            throw RunError("The checkpoint \(path) has no file \(name): it was saved by another kind of run.")
        }
        return "\(path)/\(name)"
    }
}

/// The folder of a run's checkpoints: each one whole or absent, whenever the process or the machine stops.
///
/// A checkpoint is written aside as `step-N.tmp-…`, every file brought to the disk, the manifest with the
/// sha256 of each file last, and then renamed to `step-N`. What was there under that name before waits as
/// `step-N.old-…` until the new one stands.
public struct CheckpointFolder: Sendable {
    /// The folder.
    public let path: String
    /// How many checkpoints stay.
    public let keep: Int

    /// Called before every operation on the disk; a test that throws here stops the save at that point.
    let willDo: @Sendable (_ operation: String) throws -> Void

    /// The checkpoints in the folder at `path`, of which the newest `keep` (at least one) stay.
    public init(_ path: String, keep: Int) {
        self.init(path, keep: keep, willDo: { _ in })
    }

    package init(
        _ path: String, keep: Int, willDo: @escaping @Sendable (_ operation: String) throws -> Void
    ) {
        self.path = path
        self.keep = max(1, keep)
        self.willDo = willDo
    }

    /// The steps that have a checkpoint, in order; whether they are whole is not looked at.
    public func steps() throws -> [Int] {
        do {
            return try Files.names(in: path).compactMap { name -> Int? in
                guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)) else { return nil }
                return name == "step-\(step)" && step >= 0 ? step : nil
            }.sorted()
        } catch {
            throw RunError("The checkpoints cannot be listed", error)
        }
    }

    /// Deletes what saves that were cut short left behind. Only the process that has the run may call it.
    public func sweep() throws {
        do {
            try Files.sweep(path)
        } catch {
            throw RunError("Unfinished checkpoints cannot be cleared away", error)
        }
    }

    /// Saves a checkpoint, then deletes those older than the newest `keep`.
    ///
    /// - Parameters:
    ///   - step: the step after which it is; a checkpoint of that step that is there is replaced.
    ///   - parts: the files; each is written, then read once for its sha256.
    /// - Throws: `RunError`, with what was there before left as it was; what the closures of the parts throw
    ///   comes through as it is, except for `FileError`, which becomes a `RunError`, too.
    public func save(step: Int, parts: [CheckpointPart]) throws {
        let target = "\(path)/step-\(step)"
        let aside = "\(target).tmp-\(Files.uniqueName())"
        do {
            try doing("create \(aside)") { try Files.createFolder(aside) }
            try write(parts, step: step, into: aside)
            try replace(target, with: aside)
        } catch {
            // Left aside if that fails, too: it has not the name of a checkpoint.
            try? remove(aside)
            guard let failure = error as? FileError else { throw error }
            throw RunError("The checkpoint of step \(step) was not saved", failure)
        }
        try prune(newest: step)
    }

    private func write(_ parts: [CheckpointPart], step: Int, into folder: String) throws {
        var entries: [CheckpointManifest.File] = []
        var folders: Set<String> = [folder]
        for part in parts {
            guard CheckpointManifest.isSafe(part.name), !entries.contains(where: { $0.name == part.name })
            else {
                throw RunError("A checkpoint cannot hold a file named \(part.name): give it another name.")
            }
            let file = "\(folder)/\(part.name)"
            try doing("create the folder of \(file)") { try Files.createFolder(Files.parent(of: file)) }
            folders.formUnion(CheckpointManifest.folders(of: part.name).map { "\(folder)/\($0)" })
            try doing("write \(file)") { try part.write(file) }
            try doing("synchronize \(file)") {
                entries.append(try CheckpointManifest.File(part.name, at: file, synchronizing: true))
            }
        }
        let manifest = CheckpointManifest(step: step, files: entries)
        let file = "\(folder)/\(CheckpointManifest.name)"
        try doing("write \(file)") { try Files.write(manifest.encoded(), to: file) }
        for inner in folders.sorted(by: >) {
            try doing("synchronize \(inner)") { try Files.synchronize(folder: inner) }
        }
    }

    private func replace(_ target: String, with aside: String) throws {
        guard Files.exists(target) else {
            try doing("rename \(aside)") { try Files.rename(aside, to: target) }
            try doing("synchronize \(path)") { try Files.synchronize(folder: path) }
            return
        }
        let old = "\(target).old-\(Files.uniqueName())"
        try doing("rename \(target)") { try Files.rename(target, to: old) }
        do {
            try doing("rename \(aside)") { try Files.rename(aside, to: target) }
        } catch {
            try? Files.rename(old, to: target)
            throw error
        }
        try doing("synchronize \(path)") { try Files.synchronize(folder: path) }
        try remove(old)
    }

    /// Steps after the one just saved are of a course that was given up (damaged ones that a resume passed
    /// over): they neither count nor go, until a save of their step replaces them.
    private func prune(newest: Int) throws {
        for step in try steps().filter({ $0 <= newest }).dropLast(keep) {
            let old = "\(path)/step-\(step)"
            let aside = "\(old).tmp-\(Files.uniqueName())"
            do {
                // Renamed first, so that a stop half-way leaves no checkpoint with files missing.
                try doing("rename \(old)") { try Files.rename(old, to: aside) }
                try remove(aside)
            } catch let failure as FileError {
                throw RunError("The checkpoint of step \(step), no longer needed, was not deleted", failure)
            }
        }
    }

    /// The newest checkpoint that is whole; nil where there is none at all.
    ///
    /// - Parameter warn: gets a sentence about every newer one that is damaged.
    /// - Throws: `RunError` where there are checkpoints and all of them are damaged.
    public func newest(warn: (String) -> Void) throws -> Checkpoint? {
        let steps = try steps()
        var damage: [String] = []
        for step in steps.reversed() {
            do {
                let checkpoint = try checkpoint(step: step)
                for sentence in damage { warn("\(sentence) The checkpoint of step \(step) is used instead.") }
                return checkpoint
            } catch let error as RunError {
                damage.append(error.description)
            }
        }
        if damage.isEmpty { return nil }
        throw RunError(
            """
            No checkpoint in \(path) is whole: \(damage.joined(separator: " ")) \
            Put a whole one there, or start the run anew in another folder.
            """)
    }

    /// The checkpoint of one step, compared with its manifest.
    ///
    /// Throws `RunError` that names what is damaged.
    public func checkpoint(step: Int) throws -> Checkpoint {
        let folder = "\(path)/step-\(step)"
        let manifest = try CheckpointManifest(folder: folder, step: step)
        for entry in manifest.files {
            let file = "\(folder)/\(entry.name)"
            let found: CheckpointManifest.File
            do {
                found = try CheckpointManifest.File(entry.name, at: file, synchronizing: false)
            } catch {
                throw RunError(
                    "The checkpoint \(folder) is damaged: \(printable(entry.name)) cannot be read: \(error.reason)."
                )
            }
            guard found.bytes == entry.bytes else {
                throw RunError(
                    "The checkpoint \(folder) is damaged: \(printable(entry.name)) has \(found.bytes) bytes, not \(entry.bytes)."
                )
            }
            guard found.sha256 == entry.sha256 else {
                throw RunError(
                    "The checkpoint \(folder) is damaged: the sha256 of \(printable(entry.name)) is not the one it was saved with."
                )
            }
        }
        return Checkpoint(step: step, path: folder, files: manifest.files.map(\.name))
    }

    private func remove(_ folder: String) throws {
        try doing("delete \(folder)") { try Files.remove(folder) }
    }

    private func doing(_ operation: String, _ body: () throws -> Void) throws {
        try willDo(operation)
        try body()
    }
}
