import Foundation
import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The hub's cache on this machine, in the layout of Python's `huggingface_hub`, which uses the same one:
/// `models--org--name` with `blobs/<tag>`, `refs/<revision>`, and `snapshots/<commit>/…`, whose files are links to blobs.
public struct HubCache: Sendable {
    /// The folder.
    public let path: String

    static let prefix = "models--"

    /// A cache in a folder, which need not be there yet.
    public init(_ path: String) { self.path = path }

    /// The folder of a model.
    func folder(_ name: String) -> String {
        "\(path)/\(Self.prefix)\(name.replacingOccurrences(of: "/", with: "--"))"
    }

    /// The folder of a model's locks.
    func locks(_ name: String) -> String { "\(path)/.locks/\(Files.name(of: folder(name)))" }

    func blob(_ tag: String, _ name: String) -> String { "\(folder(name))/blobs/\(tag)" }

    func snapshot(_ commit: String, _ name: String) -> String { "\(folder(name))/snapshots/\(commit)" }

    /// The model whose snapshot a folder is, as `org/name`; `nil` where it is none.
    public static func model(ofSnapshot path: String) -> String? {
        let parts = path.split(separator: "/")
        guard parts.count > 2, parts[parts.count - 2] == "snapshots" else { return nil }
        return model(ofFolder: String(parts[parts.count - 3]))
    }

    /// `org/name` of `models--org--name`; `nil` for other names.
    static func model(ofFolder name: String) -> String? {
        guard name.hasPrefix(prefix) else { return nil }
        let model = name.dropFirst(prefix.count).replacingOccurrences(of: "--", with: "/")
        return model.isEmpty ? nil : model
    }

    // MARK: Revisions

    /// The commit that a revision was when it was last looked up; `nil` where it never was.
    func commit(of model: HubReference) -> String? {
        if model.isCommit { return model.revision }
        let bytes = try? Files.read("\(folder(model.name))/refs/\(model.revision)", atMost: 256)
        let text = bytes.map { String(decoding: $0, as: UTF8.self) }?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        return text.flatMap { HubReference.isCommit($0) ? $0 : nil }
    }

    /// Notes which commit a revision is.
    func setCommit(_ commit: String, of model: HubReference) throws(FileError) {
        guard !model.isCommit, self.commit(of: model) != commit else { return }
        let path = "\(folder(model.name))/refs/\(model.revision)"
        try Files.createFolder(Files.parent(of: path))
        try Files.replace(path, with: commit.utf8)
    }

    // MARK: Files

    /// Whether a snapshot has a file, whole: its link leads to a file in the cache.
    func has(_ file: String, _ commit: String, _ name: String) -> Bool {
        let link = "\(snapshot(commit, name))/\(file)"
        var status = stat()
        guard stat(link, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        // What leads elsewhere was put there by somebody else. Systems without links have the files themselves, and a
        // model's folder may itself be a link to another disk.
        let place = Files.canonical(link)
        return [path, folder(name)].contains { place.hasPrefix(Files.canonical($0) + "/") }
    }

    /// Whether a blob is there, and has its size where that is given.
    func hasBlob(_ tag: String, _ name: String, byteCount: Int?) -> Bool {
        var status = stat()
        guard stat(blob(tag, name), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        return byteCount == nil || byteCount == Int(status.st_size)
    }

    /// Gives a blob its name in a snapshot.
    func link(_ file: String, to tag: String, _ commit: String, _ name: String) throws(FileError) {
        let link = "\(snapshot(commit, name))/\(file)"
        try Files.createFolder(Files.parent(of: link))
        let depth = file.utf8.count { $0 == UInt8(ascii: "/") } + 2
        let target = String(repeating: "../", count: depth) + "blobs/\(tag)"
        if symlink(target, link) == 0 || has(file, commit, name) { return }
        // A link that leads nowhere, or elsewhere, makes room.
        unlink(link)
        guard symlink(target, link) == 0 || has(file, commit, name) else {
            throw FileError(action: "linking", path: link)
        }
    }

    /// Remembers that a commit has no such file, as Python's library does.
    func setMissing(_ file: String, _ commit: String, _ name: String) {
        let path = "\(folder(name))/.no_exist/\(commit)/\(file)"
        // A cache that takes no files remembers nothing.
        try? Files.createFolder(Files.parent(of: path))
        if !Files.exists(path) { try? Files.write([], to: path) }
    }

    /// The files of a commit that are here, as paths within the snapshot.
    func files(_ commit: String, _ name: String) -> [String] {
        let root = snapshot(commit, name)
        func files(below folder: String) -> [String] {
            let names = (try? Files.names(in: folder.isEmpty ? root : "\(root)/\(folder)")) ?? []
            return names.flatMap { name in
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                return Files.isFolder("\(root)/\(path)", following: false) ? files(below: path) : [path]
            }
        }
        return files(below: "").filter { has($0, commit, name) }
    }

    /// All files of a commit, where Python's library has noted them; `nil` where it has not.
    func listedFiles(_ commit: String, _ name: String) throws -> [String]? {
        let path = "\(folder(name))/trees/\(commit).json"
        guard Files.exists(path), let object = JSONObject(json: try JSONValue(file: path)) else { return nil }
        return try object.required("files", as: JSONObject.self).keys
    }

    /// Bytes that the disk of the cache has room for; `nil` where the system does not say.
    func freeByteCount(_ name: String) -> Int? {
        var status = statvfs()
        guard statvfs("\(folder(name))/blobs", &status) == 0 else { return nil }
        return Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    }
}
