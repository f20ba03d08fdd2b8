import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A lock between processes, by `flock` on a file as Python's `filelock` takes it; given back when its last owner lets go,
/// or the process ends.
final class FileLock {
    private let file: Int32

    private init(_ file: Int32) { self.file = file }

    deinit { close(file) }

    /// Takes a lock.
    /// - Parameter whenTaken: called once where another process has it, before it is waited for.
    static func taken(_ path: String, whenTaken: () -> Void) throws(FileError) -> FileLock {
        if let lock = try free(path) { return lock }
        whenTaken()
        while true {
            usleep(50_000)
            if let lock = try free(path) { return lock }
        }
    }

    /// Takes a lock that nobody has; `nil` where somebody has it.
    static func free(_ path: String) throws(FileError) -> FileLock? {
        let file = try Files.open(path, O_RDWR | O_CREAT, "locking")
        let lock = FileLock(file)
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                // Some network disks know no locks; what is downloaded is checked all the same.
                return errno == ENOTSUP || errno == ENOLCK || errno == ENOSYS ? lock : nil
            }
            return nil
        }
        // Whoever had it may have removed the file, which then locks nothing.
        var (own, named) = (stat(), stat())
        guard fstat(file, &own) == 0, stat(path, &named) == 0, own.st_ino == named.st_ino else { return nil }
        return lock
    }
}
