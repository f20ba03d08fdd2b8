import Foundation
import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a checkpoint holds: `manifest.json`, written last, without which a folder is no checkpoint.
struct CheckpointManifest: Codable, Hashable {
    /// The file's name in a checkpoint.
    static let name = "manifest.json"

    /// One file of a checkpoint.
    struct File: Codable, Hashable {
        /// Path within the checkpoint.
        var name: String
        /// Length in bytes.
        var bytes: Int
        /// Digest in lower-case hexadecimal digits.
        var sha256: String
    }

    /// Version of this format.
    var format = 1
    /// The step after which the checkpoint was saved.
    var step: Int
    /// The files, without the manifest.
    var files: [File]

    init(step: Int, files: [File]) {
        self.step = step
        self.files = files
    }

    /// Reads the manifest of the checkpoint of `step`. Throws `RunError` with what is wrong with it.
    init(folder: String, step: Int) throws {
        let bytes: [UInt8]
        do {
            bytes = try Files.read("\(folder)/\(Self.name)", atMost: 1 << 26)
        } catch {
            throw RunError(
                "The checkpoint \(folder) is damaged: \(Self.name) cannot be read: \(error.reason).")
        }
        guard let manifest = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else {
            throw RunError("The checkpoint \(folder) is damaged: \(Self.name) is not what was written there.")
        }
        guard manifest.format == 1 else {
            throw RunError(
                "The checkpoint \(folder) has format \(manifest.format), this program reads 1: use a newer program."
            )
        }
        let isSound = manifest.files.allSatisfy { Self.isSafe($0.name) && $0.sha256.utf8.count == 64 }
        guard manifest.step == step, isSound else {
            throw RunError(
                "The checkpoint \(folder) is damaged: \(Self.name) does not belong to step \(step).")
        }
        self = manifest
    }

    func encoded() throws -> Data {
        try sortedJSON(self, isIndented: true)
    }

    /// Whether a name stays within the checkpoint's folder and is not the manifest's.
    static func isSafe(_ name: String) -> Bool {
        name != Self.name && !name.utf8.contains(0)
            && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != "." && $0 != ".."
            }
    }

    /// The folders within the checkpoint that a file lies in.
    static func folders(of name: String) -> [String] {
        let parts = name.split(separator: "/").dropLast()
        return parts.indices.map { parts[...$0].joined(separator: "/") }
    }
}

extension CheckpointManifest.File {
    /// Reads a file for its length and digest, and synchronizes it with the disk where wanted.
    init(_ name: String, at path: String, synchronizing: Bool) throws(FileError) {
        let file = try Files.open(path, O_RDONLY | O_NONBLOCK, "reading")
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(action: "reading", path: path, reason: "it is not a file")
        }
        if synchronizing { try Files.synchronize(file, path) }
        let digest = SHA256()
        var count = 0
        try Files.forEachBlock(of: file, path) {
            digest.update($0)
            count += $0.count
        }
        self.init(name: name, bytes: count, sha256: digest.hexadecimal())
    }
}
