#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the system said when a file operation failed.
package struct FileFailure: Error {
    /// What was tried, such as "writing".
    package let action: String
    /// The file or folder.
    package let path: String
    /// The system's `errno`.
    package let code: Int32
    /// A sentence's part that says why, where `code` alone does not.
    package var explanation: String?

    package init(action: String, path: String, code: Int32, explanation: String? = nil) {
        (self.action, self.path, self.code, self.explanation) = (action, path, code, explanation)
    }

    /// Why it failed, as part of a sentence.
    var reason: String {
        if let explanation { return explanation }
        return switch code {
        case ENOENT: "there is no such file or folder; check the path"
        case EACCES, EPERM: "this is not permitted; change its permissions or take another place"
        case ENOSPC, EDQUOT: "the disk is full; make room or take another place"
        case EROFS: "the file system is read-only; take another place"
        case ENOTDIR: "a part of the path is a file, not a folder; take another place"
        case EISDIR: "it is a folder; give a file"
        case ENAMETOOLONG: "the name is too long; give a shorter one"
        default: text(of: code)
        }
    }

    private func text(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        _ = strerror_r(code, &buffer, buffer.count)
        let bytes = buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return "the system says: \(String(decoding: bytes, as: UTF8.self))"
    }
}

/// File operations of the system, each of which throws `FileFailure` with the path.
package enum Files {
    /// The bytes of a regular file that is not larger than `limit`.
    static func read(_ path: String, atMost limit: Int = Int.max) throws(FileFailure) -> [UInt8] {
        // O_NONBLOCK: opening a pipe with nobody at its other end must not hang.
        let file = try open(path, O_RDONLY | O_NONBLOCK, "reading")
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileFailure(action: "reading", path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileFailure(
                action: "reading", path: path, code: EINVAL, explanation: "it is not a file; give a file")
        }
        guard status.st_size <= limit else {
            throw FileFailure(
                action: "reading", path: path, code: EFBIG,
                explanation: "it has \(status.st_size) bytes, where \(limit) is the most; give the right file")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.st_size))
        try forEachBlock(of: file, path) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Calls `body` with one block of an open file after the other.
    static func forEachBlock(
        of file: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(FileFailure) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { block.deallocate() }
        while true {
            let count = retried { systemRead(file, block.baseAddress, block.count) }
            guard count >= 0 else { throw FileFailure(action: "reading", path: path, code: errno) }
            if count == 0 { return }
            body(UnsafeRawBufferPointer(rebasing: block[..<count]))
        }
    }

    /// Writes a file, replacing what was there, and brings it to the disk.
    package static func write(_ bytes: some Collection<UInt8>, to path: String) throws(FileFailure) {
        let file = try open(path, O_WRONLY | O_CREAT | O_TRUNC, "writing")
        defer { close(file) }
        try write(bytes, to: file, path)
        try synchronize(file, path)
    }

    /// Writes all bytes to an open file.
    static func write(_ bytes: some Collection<UInt8>, to file: Int32, _ path: String) throws(FileFailure) {
        var rest = ContiguousArray(bytes)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { buffer in
                retried { systemWrite(file, buffer.baseAddress, buffer.count) }
            }
            guard written > 0 else { throw FileFailure(action: "writing", path: path, code: errno) }
            rest = rest.dropFirst(written)
        }
    }

    /// Writes a file so that it has its name only when it is whole and on the disk.
    static func replace(_ path: String, with bytes: some Collection<UInt8>) throws(FileFailure) {
        let aside = "\(path).tmp-\(uniqueName())"
        do throws(FileFailure) {
            try write(bytes, to: aside)
            try rename(aside, to: path)
        } catch {
            unlink(aside)
            throw error
        }
        try synchronize(folder: parent(of: path))
    }

    static func open(_ path: String, _ flags: Int32, _ action: String) throws(FileFailure) -> Int32 {
        let file = systemOpen(path, flags | O_CLOEXEC)
        guard file >= 0 else { throw FileFailure(action: action, path: path, code: errno) }
        return file
    }

    static func rename(_ path: String, to other: String) throws(FileFailure) {
        guard systemRename(path, other) == 0 else {
            throw FileFailure(action: "renaming to \(other)", path: path, code: errno)
        }
    }

    /// Brings what was written to an open file to the disk.
    static func synchronize(_ file: Int32, _ path: String) throws(FileFailure) {
        #if canImport(Darwin)
            // On Darwin, fsync leaves the bytes in the drive's cache.
            if fcntl(file, F_FULLFSYNC) == 0 { return }
        #endif
        guard fsync(file) == 0 else { throw FileFailure(action: "writing", path: path, code: errno) }
    }

    /// Brings the names in a folder to the disk.
    static func synchronize(folder path: String) throws(FileFailure) {
        let folder = try open(path, O_RDONLY | O_DIRECTORY, "writing")
        defer { close(folder) }
        try synchronize(folder, path)
    }

    /// Creates a folder and those above it where they are not there.
    static func createFolder(_ path: String) throws(FileFailure) {
        guard mkdir(path, 0o777) != 0, errno != EEXIST || !isFolder(path) else { return }
        let code = errno
        let above = parent(of: path)
        guard code == ENOENT, above != path else {
            throw FileFailure(
                action: "creating", path: path, code: code,
                explanation: code == EEXIST ? "it is a file, not a folder; take another place" : nil)
        }
        try createFolder(above)
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw FileFailure(action: "creating", path: path, code: errno)
        }
    }

    /// The names in a folder, sorted; none where there is no such folder.
    static func names(in path: String) throws(FileFailure) -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw FileFailure(action: "reading", path: path, code: errno)
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
    static func remove(_ path: String) throws(FileFailure) {
        if isFolder(path, following: false) {
            for name in try names(in: path) { try remove("\(path)/\(name)") }
            guard rmdir(path) == 0 else { throw FileFailure(action: "deleting", path: path, code: errno) }
        } else {
            guard unlink(path) == 0 || errno == ENOENT else {
                throw FileFailure(action: "deleting", path: path, code: errno)
            }
        }
    }

    static func isFolder(_ path: String, following: Bool = true) -> Bool {
        var status = stat()
        let code = following ? stat(path, &status) : lstat(path, &status)
        return code == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// The folder that holds `path`.
    static func parent(of path: String) -> String {
        let trimmed = path.hasSuffix("/") && path != "/" ? String(path.dropLast()) : path
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// A name that no other process and no earlier call has used.
    static func uniqueName() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = String(generator.next() as UInt64, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

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
