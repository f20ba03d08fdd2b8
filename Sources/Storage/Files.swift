#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// File operations of the system, each of which throws `FileError` with the path.
package enum Files {
    /// The bytes of a regular file that is not larger than `limit`.
    package static func read(_ path: String, atMost limit: Int = Int.max) throws(FileError) -> [UInt8] {
        // O_NONBLOCK: opening a pipe with nobody at its other end must not hang.
        let file = try open(path, O_RDONLY | O_NONBLOCK, "reading")
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileError(action: "reading", path: path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(action: "reading", path: path, reason: "it is not a file; give a file")
        }
        guard status.st_size <= limit else {
            throw FileError(
                action: "reading", path: path,
                reason: "it has \(status.st_size) bytes, where \(limit) is the most; give the right file")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.st_size))
        try forEachBlock(of: file, path) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Calls `body` with one block of an open file after the other.
    package static func forEachBlock(
        of file: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(FileError) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { block.deallocate() }
        while true {
            let count = retried { systemRead(file, block.baseAddress, block.count) }
            guard count >= 0 else { throw FileError(action: "reading", path: path) }
            if count == 0 { return }
            body(UnsafeRawBufferPointer(rebasing: block[..<count]))
        }
    }

    /// Writes a file, replacing what was there, and brings it to the disk.
    package static func write(_ bytes: some Collection<UInt8>, to path: String) throws(FileError) {
        let file = try open(path, O_WRONLY | O_CREAT | O_TRUNC, "writing")
        defer { close(file) }
        try write(bytes, to: file, path)
        try synchronize(file, path)
    }

    /// Writes all bytes to an open file.
    package static func write(
        _ bytes: some Collection<UInt8>, to file: Int32, _ path: String
    ) throws(FileError) {
        try ContiguousArray(bytes).withUnsafeBufferPointer { (bytes) throws(FileError) in
            try write(UnsafeRawBufferPointer(bytes), to: file, path)
        }
    }

    /// Adds bytes at the end of an open file: all of them, or none where that fails.
    package static func append(
        _ bytes: some Collection<UInt8>, to file: Int32, _ path: String
    ) throws(FileError) {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileError(action: "writing", path: path) }
        do {
            try write(bytes, to: file, path)
        } catch {
            // Half a record would spoil the one that comes after it.
            _ = ftruncate(file, status.st_size)
            throw error
        }
    }

    /// Writes all bytes to an open file, going on after short writes and interruptions, and waiting for whoever reads
    /// a pipe.
    package static func write(
        _ bytes: UnsafeRawBufferPointer, to file: Int32, _ path: String
    ) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // Some systems refuse to write 2 GiB or more at once.
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            let written = retried { systemWrite(file, piece.baseAddress, piece.count) }
            if written < 0, errno == EAGAIN {
                var wanted = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
                poll(&wanted, 1, -1)
                continue
            }
            guard written > 0 else { throw FileError(action: "writing", path: path) }
            rest = rest.dropFirst(written)
        }
    }

    /// Throws where no file can be made in a folder. Permissions alone do not say it: some file systems take
    /// no files from anybody.
    package static func probe(folder: String) throws(FileError) {
        let path = "\(folder)/.langevin-\(uniqueName()).tmp"
        close(try open(path, O_WRONLY | O_CREAT | O_EXCL, "writing"))
        unlink(path)
    }

    /// Opens a file, which is the caller's to close.
    package static func open(_ path: String, _ flags: Int32, _ action: String) throws(FileError) -> Int32 {
        let file = systemOpen(path, flags | O_CLOEXEC)
        guard file >= 0 else { throw FileError(action: action, path: path) }
        return file
    }

    /// Gives a file or folder another name, in place of what has it.
    package static func rename(_ path: String, to other: String) throws(FileError) {
        guard systemRename(path, other) == 0 else {
            let code = errno
            throw FileError(action: "renaming to \(other)", path: path, code: code)
        }
    }

    /// Brings what was written to an open file to the disk.
    package static func synchronize(_ file: Int32, _ path: String) throws(FileError) {
        #if canImport(Darwin)
            // On Darwin, fsync leaves the bytes in the drive's cache.
            if fcntl(file, F_FULLFSYNC) == 0 { return }
        #endif
        guard fsync(file) == 0 else { throw FileError(action: "writing", path: path) }
    }

    /// Brings the names in a folder to the disk.
    package static func synchronize(folder path: String) throws(FileError) {
        let folder = try open(path, O_RDONLY | O_DIRECTORY, "writing")
        defer { close(folder) }
        try synchronize(folder, path)
    }

    /// Creates a folder and those above it where they are not there.
    package static func createFolder(_ path: String) throws(FileError) {
        guard !path.isEmpty else { throw FileError(action: "creating", path: path, reason: emptyName) }
        // Before those above it are made.
        guard path.utf8.split(separator: slash).allSatisfy({ $0.count <= NAME_MAX }) else {
            throw FileError(action: "creating", path: path, code: ENAMETOOLONG)
        }
        guard mkdir(path, 0o777) != 0, errno != EEXIST || !isFolder(path) else { return }
        let code = errno
        let above = parent(of: path)
        guard code == ENOENT, above != path else {
            throw FileError(
                action: "creating", path: path, code: code,
                reason: code == EEXIST ? "it is a file, not a folder; take another place" : nil)
        }
        try createFolder(above)
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw FileError(action: "creating", path: path)
        }
    }

    /// The names in a folder, sorted; none where there is no such folder.
    package static func names(in path: String) throws(FileError) -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw FileError(action: "reading", path: path)
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Deletes a file, or a folder with everything in it. Links are deleted, not followed.
    package static func remove(_ path: String) throws(FileError) {
        if isFolder(path, following: false) {
            for name in try names(in: path) { try remove("\(path)/\(name)") }
            guard rmdir(path) == 0 else { throw FileError(action: "deleting", path: path) }
        } else {
            guard unlink(path) == 0 || errno == ENOENT else {
                throw FileError(action: "deleting", path: path)
            }
        }
    }

    /// Whether there is a folder.
    package static func isFolder(_ path: String, following: Bool = true) -> Bool {
        var status = stat()
        let code = following ? stat(path, &status) : lstat(path, &status)
        return code == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether there is anything, be it a link that leads nowhere.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// The folder that holds `path`.
    package static func parent(of path: String) -> String {
        let trimmed = path.hasSuffix("/") && path != "/" ? path.dropLast() : path[...]
        guard let slash = trimmed.utf8.lastIndex(of: slash) else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// The last part of a path.
    package static func name(of path: String) -> String {
        path.utf8.split(separator: slash).last.map { String(Substring($0)) } ?? path
    }

    /// A name that no other process and no earlier call has used.
    package static func uniqueName() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = String(generator.next() as UInt64, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

private let slash = UInt8(ascii: "/")

/// Repeats a call that a signal cut short.
private func retried(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

// Names that the operations above would hide.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags, 0o666) }
private func systemRename(_ path: String, _ other: String) -> Int32 { rename(path, other) }
private func systemRead(_ file: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(file, bytes, count)
}
private func systemWrite(_ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(file, bytes, count)
}
