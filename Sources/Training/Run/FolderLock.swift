import Foundation
import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The right to write in a run folder, which one process at a time has.
///
/// The right is the system's lock on a file, which ends with the process however that ends; the file's
/// text names the holder for the message that another process gets. Where the file system has no locks,
/// the text decides: a holder on this machine that is alive, or one on another machine, is respected.
final class FolderLock: Sendable {
    private let file: Int32
    private let path: String

    /// Takes the lock, over from a dead holder where there is one.
    ///
    /// Throws `RunError` that names the holder where another process has it.
    init(folder: String) throws {
        path = "\(folder)/.lock"
        do {
            file = try Self.acquire(path, folder: folder)
        } catch let failure as FileError {
            throw RunError("The run folder \(folder) cannot be locked", failure)
        }
    }

    deinit {
        // The name goes first: whoever opens it from now on makes a new file.
        unlink(path)
        close(file)
    }

    private static func acquire(_ path: String, folder: String) throws -> Int32 {
        while true {
            let file = try Files.open(path, O_RDWR | O_CREAT, "locking")
            let code = flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : errno
            let holder = Holder(text(of: file))
            if code == EWOULDBLOCK || (code != 0 && holder?.mayBeAlive == true) {
                close(file)
                throw RunError(
                    """
                    The run folder \(folder) is in use by \(holder?.description ?? "another process"): \
                    wait for it, stop it, or take another folder\(code == EWOULDBLOCK ? "" : "; if it is gone, delete \(path)").
                    """)
            }
            // The holder before may have deleted the file between our opening and our locking it.
            guard isSameFile(file, path) else {
                close(file)
                continue
            }
            do {
                guard ftruncate(file, 0) == 0, lseek(file, 0, SEEK_SET) == 0 else {
                    throw FileError(action: "writing", path: path)
                }
                try Files.write(Holder.current.text.utf8, to: file, path)
            } catch {
                close(file)
                throw error
            }
            return file
        }
    }

    private static func text(of file: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(file, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    private static func isSameFile(_ file: Int32, _ path: String) -> Bool {
        var opened = stat()
        var named = stat()
        return fstat(file, &opened) == 0 && stat(path, &named) == 0
            && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
    }
}

/// A process that holds a lock, as the lock's file names it.
private struct Holder: CustomStringConvertible {
    var process: Int32
    var host: String
    var since: String

    /// This process.
    static var current: Holder {
        Holder(
            process: getpid(), host: ProcessInfo.processInfo.hostName,
            since: Date.now.formatted(.iso8601))
    }

    init(process: Int32, host: String, since: String) {
        (self.process, self.host, self.since) = (process, host, since)
    }

    /// Reads what `text` writes; nil where it is something else.
    init?(_ text: String) {
        let lines = text.split(separator: "\n").map(String.init)
        guard lines.count == 3, let process = Int32(lines[0]) else { return nil }
        self.init(process: process, host: lines[1], since: lines[2])
    }

    var text: String { "\(process)\n\(host)\n\(since)\n" }
    var description: String { "process \(process) on \(printable(host)) (since \(printable(since)))" }

    /// False only where it can be known that the process is gone.
    var mayBeAlive: Bool {
        host != Self.current.host || kill(process, 0) == 0 || errno == EPERM
    }
}
