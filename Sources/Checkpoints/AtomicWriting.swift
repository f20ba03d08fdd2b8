#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Writes a file piece by piece so that its name holds either what it held before or all of the new.
///
/// The bytes go to a file of another name in the same folder, are synced to the disk, and the file is
/// renamed; then the folder is synced, so that the rename outlives a loss of power.
/// - Parameter body: gets a function that appends bytes.
/// - Throws: `CheckpointError`, or what `body` throws; nothing is left behind then.
func writeAtomically(
    to path: String, _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
) throws {
    guard !path.utf8.contains(0) else {
        throw CheckpointError(quoted(path), "a path cannot contain a NUL character")
    }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./"
    let aside = "\(folder).langevin-\(String(UInt64.random(in: 0 ... .max), radix: 36)).tmp"
    let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
        throw CheckpointError(path, "it cannot be written: \(reason(errno)); choose another place")
    }
    do {
        defer { close(descriptor) }
        try body { try append($0, to: descriptor, path) }
        guard fsync(descriptor) == 0 else {
            throw CheckpointError(path, "it cannot be written to the disk: \(reason(errno))")
        }
    } catch {
        unlink(aside)
        throw error
    }
    guard rename(aside, path) == 0 else {
        let error = CheckpointError(path, "it cannot be put in place: \(reason(errno))")
        unlink(aside)
        throw error
    }
    let parent = open(folder, O_RDONLY | O_CLOEXEC)
    guard parent >= 0 else { return }
    // Some network disks cannot sync a folder; the file itself is safe.
    fsync(parent)
    close(parent)
}

private func append(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws {
    var done = 0
    while done < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        // Some systems refuse to write 2 GiB at once.
        let count = write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
        if count < 0 {
            if errno == EINTR { continue }
            throw CheckpointError(path, "it cannot be written: \(reason(errno)); free some space")
        }
        done += count
    }
}
