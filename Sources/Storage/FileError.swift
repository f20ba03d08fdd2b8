#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file operation that failed: what was tried, where, why, and what to do.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file or folder, as the caller gave it.
    public let path: String
    /// What was tried, such as "writing".
    package let action: String
    /// Why it failed and what to do, as part of a sentence.
    package let reason: String
    /// Whether something of the machine had run out (room on the disk, open files) or failed, so that nothing is wrong
    /// with the path that was given.
    public let isOfMachine: Bool

    /// - Parameters:
    ///   - code: the system's `errno`.
    ///   - reason: why it failed, where `code` alone does not say it.
    package init(action: String, path: String, code: Int32 = errno, reason: String? = nil) {
        self.path = path
        self.action = action
        self.reason = reason ?? Self.reason(code)
        isOfMachine = [ENOSPC, EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOMEM].contains(code) && reason == nil
    }

    /// One sentence: the path, what went wrong and what to do.
    public var description: String {
        "\(path.isEmpty ? quoted(path) : printable(path)): \(action) failed: \(reason)"
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case ENOENT: "there is no such file or folder; check the path"
        case EACCES, EPERM: "this is not permitted; change its permissions or take another place"
        case ENOSPC, EDQUOT: "the disk is full; make room or take another place"
        case EROFS: "the file system is read-only; take another place"
        case ENOTDIR: "a part of the path is a file, not a folder; take another place"
        case EISDIR: "it is a folder; give a file"
        case ENAMETOOLONG: "the name is too long; give a shorter one"
        case EFBIG: "files may not become so large here; raise the limit or take another place"
        case EPIPE: "whoever read it is gone"
        case EBADF: "it is closed"
        case ELOOP: "its links lead in a circle; take another place"
        default: "the system says: \(String(cString: strerror(code)))"
        }
    }
}
