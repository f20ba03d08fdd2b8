import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is there of a blob by now, in a file of its own beside where the blob is to be. Whoever has the blob's lock has it,
/// too, and the next run goes on with it.
final class UnfinishedBlob {
    private let path: String
    private let blob: String
    private let file: Int32
    /// The bytes that are there.
    private(set) var byteCount = 0

    static let ending = ".incomplete"

    /// Opens what an earlier run left of a blob, or nothing yet. Of several leftovers, such as those of Python's library,
    /// which gives each of its processes one, the largest is taken and the others go.
    init(of blob: String) throws(FileError) {
        (self.blob, path) = (blob, blob + Self.ending)
        let folder = Files.parent(of: blob)
        let leftovers = try Files.names(in: folder)
            .filter { $0.hasPrefix("\(Files.name(of: blob)).") && $0.hasSuffix(Self.ending) }
            .map { "\(folder)/\($0)" }
        if let largest = leftovers.max(by: { Self.byteCount($0) < Self.byteCount($1) }), largest != path {
            try Files.rename(largest, to: path)
        }
        for leftover in leftovers where leftover != path { try? Files.remove(leftover) }
        file = try Files.open(path, O_RDWR | O_CREAT, "writing")
        byteCount = Int(max(0, lseek(file, 0, SEEK_END)))
    }

    deinit { close(file) }

    /// The size of what an earlier run left of a blob.
    static func byteCount(of blob: String) -> Int { byteCount(blob + ending) }

    private static func byteCount(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Adds bytes at the end.
    func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try Files.write(bytes, to: file, path)
        byteCount += bytes.count
    }

    /// Begins anew.
    func empty() throws(FileError) {
        guard ftruncate(file, 0) == 0 else { throw FileError(action: "writing", path: path) }
        lseek(file, 0, SEEK_SET)
        byteCount = 0
    }

    /// Whether the bytes have a digest.
    func fits(_ digest: ContentDigest) throws(FileError) -> Bool {
        defer { lseek(file, 0, SEEK_END) }
        return try digest.fits(file, path, byteCount: byteCount)
    }

    /// Brings the bytes to the disk and gives the blob its name.
    func commit() throws(FileError) {
        try Files.synchronize(file, path)
        try Files.rename(path, to: blob)
        // Some network disks synchronize no folders.
        try? Files.synchronize(folder: Files.parent(of: blob))
    }

    /// Removes what earlier runs left of a model's blobs and nobody fetches now, such as those of revisions that are gone.
    static func sweep(_ cache: HubCache, _ name: String) {
        let folder = "\(cache.folder(name))/blobs"
        let leftovers = ((try? Files.names(in: folder)) ?? []).filter { $0.hasSuffix(ending) }
        for leftover in leftovers {
            let tag = leftover.prefix { $0 != "." }
            let lock = try? FileLock.free("\(cache.locks(name))/\(tag).lock")
            withExtendedLifetime(lock) { if lock != nil { try? Files.remove("\(folder)/\(leftover)") } }
        }
    }

    /// Lets go of what is there, since it is damaged.
    func remove() { unlink(path) }
}
