import Foundation

/// A file that could not be written: where, why, and what to do.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The path that the caller gave.
    public let path: String
    /// One sentence: the path, what went wrong and what to do.
    public let description: String

    package init(path: String, _ what: String) {
        self.path = path
        description = "\(path): \(what)"
    }

    /// The error of a system call that has just failed.
    fileprivate init(path: String, doing action: String, code: Int32 = errno) {
        let advice =
            switch code {
            case ENOSPC, EDQUOT: "free some space or write elsewhere"
            case ENOENT: "create its folder first"
            case ENOTDIR: "a part of the path is a file, not a folder"
            case EISDIR: "give the name of a file, not of a folder"
            case EACCES, EPERM, EROFS: "choose a place that may be written"
            case ENAMETOOLONG: "choose a shorter name"
            default: "check the path and the disk"
            }
        self.init(path: path, "could not \(action) (\(String(cString: strerror(code)))); \(advice)")
    }
}

/// Writes `data` to `url` so that the name holds either what it held before or all of `data`.
///
/// - Throws: ``FileError``; nothing stays behind then.
package func writeAtomically(_ data: Data, to url: URL) throws {
    try writeAtomically(to: url) { write in try data.withUnsafeBytes(write) }
}

/// Writes a file piece by piece so that its name holds either what it held before or the whole new file.
///
/// The bytes go to a temporary file in the same folder, are synced to the disk, and the file is renamed;
/// then the folder is synced, so that the rename outlives a power cut. A symbolic link is followed. What is
/// neither a file nor a folder (a pipe, `/dev/stdout`) is written directly, since nothing may take its place.
///
/// - Parameters:
///   - url: Where the file shall be.
///   - body: Receives a function that appends bytes; what it throws is passed on after tidying up.
/// - Throws: ``FileError``, or the error of `body`; nothing stays behind then.
package func writeAtomically(
    to url: URL, _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
) throws {
    let path = url.path
    let resolved = url.resolvingSymlinksInPath()
    var status = stat()
    if stat(resolved.path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw FileError(path: path, doing: "be written", code: EISDIR)
        }
        try writeDirectly(to: resolved.path, path, body)
        return
    }
    let folder = resolved.deletingLastPathComponent().path
    let name = ".langevin-\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
    let temporary = folder + "/" + name
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "be created") }
    do {
        defer { close(descriptor) }
        try body { try append($0, to: descriptor, path) }
        guard fsync(descriptor) == 0 else { throw FileError(path: path, doing: "be written to the disk") }
    } catch {
        unlink(temporary)
        throw error
    }
    guard rename(temporary, resolved.path) == 0 else {
        let error = FileError(path: path, doing: "be put in place")
        unlink(temporary)
        throw error
    }
    syncFolder(folder)
}

/// Writes to a device or a pipe, which cannot be replaced by a rename.
private func writeDirectly(
    to destination: String, _ path: String,
    _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
) throws {
    let descriptor = open(destination, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "be opened") }
    defer { close(descriptor) }
    try body { try append($0, to: descriptor, path) }
}

/// Appends all of `bytes`, going on after short writes and interruptions.
private func append(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
        // Some systems refuse to write 2 GiB or more at once.
        let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
        let written = write(descriptor, piece.baseAddress, piece.count)
        if written < 0 {
            if errno == EINTR { continue }
            throw FileError(path: path, doing: "be written")
        }
        rest = rest.dropFirst(written)
    }
}

/// Makes a rename last. A folder that cannot be synced (some network disks) is no reason to fail.
private func syncFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
