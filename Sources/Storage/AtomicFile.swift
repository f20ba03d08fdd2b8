#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that takes its name when it is whole and on the disk; until then, and where that fails, the name
/// holds what it held before, and nothing else stays behind.
///
/// The bytes go to a temporary file in the same folder, which is then renamed. A symbolic link is followed.
/// What is neither a file nor a folder (a pipe, `/dev/stdout`) is written directly, since nothing may take
/// its place.
package final class AtomicFile {
    /// What the caller called the file, for messages.
    private let path: String
    private let target: String
    /// Where the bytes are until the file has its name; `nil` afterwards and where they go to the target.
    private var aside: String?
    private let file: Int32

    /// Starts a file that is to be at `path`.
    package init(_ path: String) throws(FileError) {
        guard !path.isEmpty else { throw FileError(action: "writing", path: path, reason: Files.emptyName) }
        self.path = path
        target = Files.target(of: path)
        var status = stat()
        let kind = stat(target, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
        guard kind != S_IFDIR else { throw FileError(action: "writing", path: path, code: EISDIR) }
        if kind == S_IFREG {
            // The name is not made of the file's own, which may be as long as names can be.
            let aside = "\(Files.parent(of: target))/.langevin.tmp-\(Files.uniqueName())"
            self.aside = aside
            file = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        } else {
            file = open(target, O_WRONLY | O_CLOEXEC)
        }
        guard file >= 0 else {
            let code = errno
            aside = nil
            throw FileError(
                action: "writing", path: path, code: code,
                reason: code == ENOENT ? "its folder is not there; make it first" : nil)
        }
    }

    deinit {
        close(file)
        if let aside { unlink(aside) }
    }

    /// Appends bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try Files.write(bytes, to: file, path)
    }

    /// Brings the file to the disk and gives it its name.
    package func commit() throws(FileError) {
        guard let aside else { return }
        try Files.synchronize(file, path)
        guard rename(aside, target) == 0 else { throw FileError(action: "writing", path: path) }
        self.aside = nil
        // So that the rename outlives a power cut. A folder that cannot be synchronized (some network disks)
        // is no reason to fail.
        try? Files.synchronize(folder: Files.parent(of: target))
    }
}

extension Files {
    /// Writes a file so that its name holds either what it held before or all of `bytes`.
    package static func replace(_ path: String, with bytes: some Collection<UInt8>) throws(FileError) {
        let file = try AtomicFile(path)
        try ContiguousArray(bytes).withUnsafeBufferPointer { (bytes) throws(FileError) in
            try file.write(UnsafeRawBufferPointer(bytes))
        }
        try file.commit()
    }
}
