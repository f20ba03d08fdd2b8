import Storage

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A regular file open for reading. Pipes, folders and devices are refused: their size says nothing
/// about what can be read from them, and opening a pipe can wait for ever.
package final class RegularFile {
    package let path: String
    package let byteCount: Int
    private let descriptor: Int32

    /// Opens a file.
    /// - Throws: `CheckpointError` when there is none, it may not be read, or it is not a regular file.
    package init(opening path: String) throws {
        guard !path.utf8.contains(0) else {
            throw CheckpointError(quoted(path), "a path cannot contain a NUL character")
        }
        // Without O_NONBLOCK, opening a pipe that nobody writes to would not return.
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CheckpointError(path, "it cannot be opened: \(reason(errno))")
        }
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            byteCount = 0
            throw CheckpointError(path, "it cannot be examined: \(reason(errno))")
        }
        byteCount = Int(status.st_size)
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw CheckpointError(
                path, "it is a \(isFolder ? "folder" : "pipe or device"); give a regular file")
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The `count` bytes from `offset` on.
    package func read(_ count: Int, at offset: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            initialized = count
        }
    }

    /// Fills a buffer with the bytes from `offset` on.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            // Linux reads at most 2 GiB at once.
            let count = pread(descriptor, rest.baseAddress, min(rest.count, 1 << 30), off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw CheckpointError(path, "it cannot be read: \(reason(errno))")
            }
            guard count > 0 else {
                throw CheckpointError(path, "it became shorter while it was read; fetch it again")
            }
            done += count
        }
    }

    /// The bytes of the file from `offset` to the end, without reading them: a private mapping.
    func mapped(from offset: Int) throws -> FileBytes {
        // Writable, so that the memory can be lent to tensors; writing copies the page and never
        // reaches the file. Without MAP_NORESERVE a file larger than the free memory could be refused.
        #if canImport(Darwin)
            let flags = MAP_PRIVATE
        #else
            let flags = MAP_PRIVATE | MAP_NORESERVE
        #endif
        guard let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, descriptor, 0),
            base != MAP_FAILED
        else { throw CheckpointError(path, "it cannot be mapped into memory: \(reason(errno))") }
        return FileBytes(base: base, byteCount: byteCount, offset: offset, isMapped: true) { munmap($0, $1) }
    }

    /// The bytes of the file from `offset` to the end, read into memory of our own.
    func copied(from offset: Int) throws -> FileBytes {
        let count = byteCount - offset
        var base: UnsafeMutableRawPointer?
        guard posix_memalign(&base, 64, max(count, 1)) == 0, let base else {
            throw CheckpointError(path, "there is no memory for its \(count) bytes; map it instead")
        }
        let bytes = FileBytes(base: base, byteCount: count, offset: 0, isMapped: false) { memory, _ in
            free(memory)
        }
        try read(into: bytes.buffer, at: offset)
        return bytes
    }
}

/// Memory that holds the contents of a file, given back when the last owner lets go.
///
/// Sendable because the memory is only lent as a whole to tensors, which answer for their own writes.
final class FileBytes: @unchecked Sendable {
    let buffer: UnsafeMutableRawBufferPointer
    let isMapped: Bool
    private let release: () -> Void

    init(
        base: UnsafeMutableRawPointer, byteCount: Int, offset: Int, isMapped: Bool,
        release: @escaping (UnsafeMutableRawPointer, Int) -> Void
    ) {
        buffer = UnsafeMutableRawBufferPointer(start: base + offset, count: byteCount - offset)
        self.isMapped = isMapped
        self.release = { release(base, byteCount) }
    }

    deinit { release() }
}

/// The system's words for an error number.
func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
