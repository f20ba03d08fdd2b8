import Foundation

/// The sha256 of files, remembered from one run of the program to the next.
///
/// A file is known by its device, its inode, its size and the time of its last change in nanoseconds: where all of them
/// are what they were, so are its bytes. Each file has an entry of its own, which takes its name when it is whole, so
/// that processes do not disturb each other. An entry that is damaged counts as none, and a cache that cannot be
/// written remembers nothing.
package struct DigestCache: Sendable {
    /// The folder of the entries; `nil` where nothing is remembered.
    private let folder: String?
    /// More entries than this are of files that are long gone: all of them go then.
    private let limit: Int

    /// A cache in a folder, which is made with the first entry; `nil` remembers nothing.
    package init(folder: String?, limit: Int = 10_000) {
        (self.folder, self.limit) = (folder, limit)
    }

    /// The user's cache: `langevin/sha256` in `XDG_CACHE_HOME`, or else in `~/.cache`.
    package static func user(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> DigestCache {
        let own = environment["HOME"].map { $0 + "/.cache" }
        let places = [environment["XDG_CACHE_HOME"], own].compactMap(\.self)
        // Paths that begin elsewhere than at the root are to be passed over (XDG's base directories).
        return DigestCache(folder: places.first { $0.hasPrefix("/") }.map { $0 + "/langevin/sha256" })
    }

    /// The sha256 of a regular file, from the cache where it is known there.
    package func sha256(ofFile path: String) throws(FileError) -> String {
        try sha256(of: OpenedFile(path))
    }

    /// The sha256 of a file that was opened before, whatever has its name by now.
    package func sha256(of file: OpenedFile) throws(FileError) -> String {
        let identity = try file.identity()
        if let known = entry(identity) { return known }
        let digest = SHA256()
        try file.forEachBlock { digest.update($0) }
        let found = digest.hexadecimal()
        // Bytes that changed while they were read are those of no identity.
        if try file.identity() == identity { remember(found, identity) }
        return found
    }

    // MARK: Entries

    private func entry(_ identity: String) -> String? {
        guard let folder, let bytes = try? Files.read("\(folder)/\(identity)", atMost: 256) else {
            return nil
        }
        let digest = String(decoding: bytes.prefix(64), as: UTF8.self)
        return bytes == Array(Self.text(digest, identity).utf8) ? digest : nil
    }

    private func remember(_ digest: String, _ identity: String) {
        guard let folder, (try? Files.createFolder(folder)) != nil else { return }
        let names = (try? Files.names(in: folder)) ?? []
        if names.count >= limit {
            for name in names { try? Files.remove("\(folder)/\(name)") }
        }
        try? Files.replace("\(folder)/\(identity)", with: Self.text(digest, identity).utf8)
    }

    /// An entry: the digest, and a checksum of it with the identity that it belongs to.
    private static func text(_ digest: String, _ identity: String) -> String {
        let check = Array("\(digest) \(identity)".utf8).withUnsafeBytes { crc32($0) }
        return "\(digest) \(check)\n"
    }
}

/// A regular file that is open for reading: the same one even where its name is given to another file.
package final class OpenedFile: Sendable {
    private let path: String
    private let file: Int32

    /// Opens a file. What is no regular file is an error and not waited for.
    package init(_ path: String) throws(FileError) {
        self.path = path
        file = try Files.open(path, O_RDONLY | O_NONBLOCK, "reading")
    }

    deinit { close(file) }

    /// Device, inode, size and the time of the last change.
    fileprivate func identity() throws(FileError) -> String {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileError(action: "reading", path: path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(action: "reading", path: path, reason: "it is not a file; give a file")
        }
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        return "\(status.st_dev)-\(status.st_ino)-\(status.st_size)-\(time.tv_sec).\(time.tv_nsec)"
    }

    fileprivate func forEachBlock(_ body: (UnsafeRawBufferPointer) -> Void) throws(FileError) {
        lseek(file, 0, SEEK_SET)
        try Files.forEachBlock(of: file, path, body)
    }
}
