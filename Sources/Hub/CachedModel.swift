import Foundation
import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A revision of a model that the cache holds, whole or in part.
public struct CachedModel: Sendable, Equatable {
    /// `org/name`.
    public let name: String
    /// The commit; `nil` for what was begun and belongs to none yet.
    public let commit: String?
    /// The branches and tags that were this commit when they were last looked up.
    public let references: [String]
    /// The snapshot's folder, or the model's where there is none.
    public let path: String
    /// The bytes of its files; files that several revisions share count for each of them.
    public let byteCount: Int
    /// When one of its files was read last, as far as the file system notes it.
    public let lastUsed: Date?
}

extension HubCache {
    /// What the cache holds, by name and commit.
    /// - Throws: `FileError` where it cannot be read.
    public func models() throws(FileError) -> [CachedModel] {
        var models: [CachedModel] = []
        for folder in try Files.names(in: path) {
            guard let name = Self.model(ofFolder: folder), Files.isFolder("\(path)/\(folder)") else {
                continue
            }
            let references = references(name)
            let commits = try Files.names(in: "\(path)/\(folder)/snapshots")
            for commit in commits {
                models.append(revision(commit, name, references.filter { $0.value == commit }.keys.sorted()))
            }
            let unfinished = try Files.names(in: "\(path)/\(folder)/blobs")
                .filter { $0.hasSuffix(UnfinishedBlob.ending) }.map { "\(path)/\(folder)/blobs/\($0)" }
            if commits.isEmpty || !unfinished.isEmpty {
                models.append(begun(name, unfinished))
            }
        }
        return models
    }

    /// The bytes on the disk of a model, each blob counted once.
    public func byteCount(_ name: String) -> Int {
        let blobs = "\(folder(name))/blobs"
        return ((try? Files.names(in: blobs)) ?? []).reduce(0) { $0 + Self.facts("\(blobs)/\($1)").byteCount }
    }

    private func revision(_ commit: String, _ name: String, _ references: [String]) -> CachedModel {
        let root = snapshot(commit, name)
        let files = files(commit, name).map { Self.facts("\(root)/\($0)") }
        return CachedModel(
            name: name, commit: commit, references: references, path: root,
            byteCount: files.reduce(0) { $0 + $1.byteCount }, lastUsed: files.compactMap(\.lastUsed).max())
    }

    private func begun(_ name: String, _ unfinished: [String]) -> CachedModel {
        let files = unfinished.map(Self.facts)
        return CachedModel(
            name: name, commit: nil, references: [], path: folder(name),
            byteCount: files.reduce(0) { $0 + $1.byteCount }, lastUsed: files.compactMap(\.lastUsed).max())
    }

    /// The commits of a model's branches and tags.
    private func references(_ name: String) -> [String: String] {
        let root = "\(folder(name))/refs"
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? []
        return names.reduce(into: [:]) { found, name in
            guard let bytes = try? Files.read("\(root)/\(name)", atMost: 256) else { return }
            found[name] = String(decoding: bytes, as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines)
        }
    }

    private static func facts(_ path: String) -> (byteCount: Int, lastUsed: Date?) {
        var status = stat()
        guard stat(path, &status) == 0 else { return (0, nil) }
        #if canImport(Darwin)
            let time = status.st_atimespec
        #else
            let time = status.st_atim
        #endif
        return (Int(status.st_size), Date(timeIntervalSince1970: Double(time.tv_sec)))
    }

    // MARK: Removal

    /// Throws where a name is that of no model in the cache.
    @discardableResult
    public func checkIsThere(_ name: String) throws -> HubReference {
        let model = try HubReference(name)
        let folder = folder(model.name)
        guard name == model.name else {
            throw HubError.input(
                "\(quoted(name)): a model is removed with all of its revisions: leave out the revision")
        }
        guard Files.isFolder(folder) else {
            throw HubError.input(
                "there is no \(model.name) in the cache \(printable(path)): 'langevin models' lists what is")
        }
        return model
    }

    /// Removes a model with all of its revisions.
    ///
    /// Names go before what they lead to, so that whenever this stops nothing leads nowhere.
    /// - Returns: the bytes that were freed.
    /// - Throws: `HubError` where the model is not there or is on its way; `FileError`.
    public func remove(_ name: String) throws -> Int {
        let model = try checkIsThere(name)
        let (folder, locks) = (folder(model.name), locks(model.name))
        var held: [FileLock] = []
        for lock in try Files.names(in: locks) {
            guard let lock = try FileLock.free("\(locks)/\(lock)") else {
                throw HubError.failure(
                    "\(model.name) is on its way by another process: remove it when that is done")
            }
            held.append(lock)
        }
        let byteCount = byteCount(model.name)
        for part in ["refs", "snapshots", "blobs"] where Files.exists("\(folder)/\(part)") {
            try Files.remove("\(folder)/\(part)")
        }
        try Files.remove(folder)
        try withExtendedLifetime(held) {
            if Files.exists(locks) { try Files.remove(locks) }
        }
        return byteCount
    }
}
