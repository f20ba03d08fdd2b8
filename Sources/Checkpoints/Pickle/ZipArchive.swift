import Storage

/// The contents of a zip archive, checked against the file before any entry is read.
///
/// Stored and deflated entries, with the 64-bit extension; nothing encrypted, spanned or overlapping.
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
package struct ZipArchive {
    /// One file of the archive.
    package struct Entry: Sendable {
        /// Where its bytes begin in the archive.
        var offset: Int
        /// The bytes that it takes in the archive.
        var storedByteCount: Int
        /// The bytes that it has.
        var byteCount: Int
        /// Whether its bytes are packed.
        var isDeflated: Bool
        /// Of the bytes that it has; 0 where the writer left it out, which is an option of PyTorch.
        var checksum: UInt32
    }

    /// The most entries that an archive may have: far above real ones, and few enough to look at each.
    static let maximalEntryCount = 100_000
    /// The most bytes that the table of contents may have.
    private static let maximalDirectoryByteCount = 16 << 20

    /// The entries by name, without folders.
    package private(set) var entries = NameTable<Entry>()
    private let file: RegularFile

    /// Reads the table of contents.
    /// - Throws: `CheckpointError` where the file is no sound archive.
    package init(_ file: RegularFile) throws {
        self.file = file
        do {
            let directory = try Directory(file)
            guard directory.byteCount <= Self.maximalDirectoryByteCount else {
                throw CheckpointError(
                    file.path,
                    "the archive's table of contents has \(directory.byteCount) bytes, where "
                        + "\(Self.maximalDirectoryByteCount) is the most; fetch it again")
            }
            var reader = LittleEndianReader(try file.read(directory.byteCount, at: directory.offset)[...])
            var ranges: [Range<Int>] = []
            for _ in 0..<directory.entryCount {
                guard let (name, range, entry) = try Self.entry(&reader, file, directory.offset) else {
                    continue
                }
                ranges.append(range)
                guard entries.append(name, entry) else {
                    throw CheckpointError(file.path, "the archive holds \(quoted(name)) twice")
                }
            }
            ranges.sort { $0.lowerBound < $1.lowerBound }
            for (first, second) in zip(ranges, ranges.dropFirst()) where first.upperBound > second.lowerBound
            {
                throw CheckpointError(file.path, "two entries of the archive share their bytes")
            }
        } catch is LittleEndianReader.CutShort {
            throw CheckpointError(file.path, "the archive's table of contents is damaged; fetch it again")
        }
    }

    /// The whole of an entry that has at most `limit` bytes.
    package func contents(of name: String, limit: Int) throws -> [UInt8] {
        guard let entry = entries[name] else {
            throw CheckpointError(file.path, "the archive holds no \(quoted(name))")
        }
        guard entry.byteCount <= limit, entry.storedByteCount <= limit else {
            throw CheckpointError(
                file.path, "\(quoted(name)) has \(entry.byteCount) bytes, where \(limit) is the most")
        }
        let stored = try file.read(entry.storedByteCount, at: entry.offset)
        let bytes = try entry.isDeflated ? entry.unpacked(stored, name, place: file.path) : stored
        try bytes.withUnsafeBytes { try entry.verify($0, name, place: file.path) }
        return bytes
    }

    /// The next entry of the directory with the bytes that it takes, header included; nil for a folder.
    private static func entry(
        _ reader: inout LittleEndianReader, _ file: RegularFile, _ end: Int
    ) throws -> (name: String, range: Range<Int>, entry: Entry)? {
        let record = try DirectoryRecord(&reader)
        guard let name = String(validating: record.name, as: UTF8.self), !name.utf8.contains(0) else {
            throw CheckpointError(file.path, "an entry of the archive has a name that is no text")
        }
        func refusal(_ problem: String) -> CheckpointError {
            CheckpointError(file.path, "the archive's \(quoted(name)) \(problem)")
        }
        guard record.flags & 1 == 0 else { throw refusal("is encrypted; unpack it and store it anew") }
        guard record.method == 0 || record.method == 8 else {
            throw refusal("is packed by method \(record.method); store it without packing")
        }
        guard record.method == 8 || record.storedByteCount == record.byteCount else {
            throw refusal("has two sizes")
        }
        guard record.offset <= end - 30 else { throw refusal("lies outside the file") }
        var header = LittleEndianReader(try file.read(30, at: record.offset)[...])
        guard try header.unsigned(4) == 0x0403_4B50 else { throw refusal("lies outside the file") }
        let fields = try header.take(22)
        let method = Int(fields[8]) | Int(fields[9]) << 8
        let (nameCount, extraCount) = (try header.size(2), try header.size(2))
        let start = record.offset + 30 + nameCount + extraCount
        guard start <= end, record.storedByteCount <= end - start else {
            throw refusal("lies outside the file")
        }
        guard method == record.method, try file.read(nameCount, at: record.offset + 30)[...] == record.name
        else { throw refusal("is described in two ways") }
        if name.hasSuffix("/") { return nil }
        let entry = Entry(
            offset: start, storedByteCount: record.storedByteCount, byteCount: record.byteCount,
            isDeflated: record.method == 8, checksum: record.checksum)
        // PyTorch stores everything as it is, and weights can hardly be packed.
        guard !entry.isDeflated || (entry.byteCount - 1 << 16) / 16 <= entry.storedByteCount else {
            throw refusal(
                "unpacks from \(entry.storedByteCount) bytes to \(entry.byteCount), which weights do not; "
                    + "store it without packing")
        }
        return (name, record.offset..<(start + entry.storedByteCount), entry)
    }
}

extension ZipArchive.Entry {
    /// The bytes that its stored bytes unpack to.
    func unpacked(_ stored: [UInt8], _ name: String, place: String) throws -> [UInt8] {
        let bytes: [UInt8]
        do {
            bytes = try inflated(stored, .bare, limit: byteCount)
        } catch {
            throw CheckpointError(place, "the archive's \(quoted(name)) cannot be unpacked; fetch it again")
        }
        guard bytes.count == byteCount else {
            throw CheckpointError(place, "the archive's \(quoted(name)) unpacks to another size than it says")
        }
        return bytes
    }

    /// Throws where the bytes are not those that were written.
    func verify(_ bytes: UnsafeRawBufferPointer, _ name: String, place: String) throws {
        guard checksum == 0 || crc32(bytes) == checksum else {
            throw CheckpointError(place, "the archive's \(quoted(name)) is damaged: fetch it again")
        }
    }
}

/// Where the directory lies: what the end of the archive says.
private struct Directory {
    var offset: Int
    var byteCount: Int
    var entryCount: Int

    init(_ file: RegularFile) throws {
        // The end record has 22 bytes and a comment of at most 65,535; before it may stand a locator of 20.
        let tailCount = min(file.byteCount, 22 + 65_535 + 20)
        let base = file.byteCount - tailCount
        let tail = try file.read(tailCount, at: base)
        guard let end = Self.endRecord(tail) else {
            throw CheckpointError(file.path, "the archive has no end: it was cut short; fetch it again")
        }
        var reader = LittleEndianReader(tail[end...])
        _ = try reader.take(8)
        let onThisDisk = try reader.size(2)
        entryCount = try reader.size(2)
        byteCount = try reader.size(4)
        offset = try reader.size(4)
        var limit = base + end
        if end >= 20, tail[(end - 20)..<(end - 16)] == [0x50, 0x4B, 6, 7] {
            var locator = LittleEndianReader(tail[(end - 12)...])
            limit = try locator.size(8)
            guard limit <= base + end - 20 - 56 else { throw LittleEndianReader.CutShort() }
            var record = LittleEndianReader(try file.read(56, at: limit)[...])
            guard try record.unsigned(4) == 0x0606_4B50 else { throw LittleEndianReader.CutShort() }
            _ = try record.take(28)
            entryCount = try record.size(8)
            byteCount = try record.size(8)
            offset = try record.size(8)
        } else if onThisDisk != entryCount {
            throw CheckpointError(file.path, "the archive is spread over several files; join them")
        }
        guard offset <= limit, byteCount <= limit - offset, entryCount <= byteCount / 46,
            entryCount <= ZipArchive.maximalEntryCount
        else { throw LittleEndianReader.CutShort() }
    }

    /// Where the last end record begins whose comment reaches to the end of the file.
    private static func endRecord(_ tail: [UInt8]) -> Int? {
        guard tail.count >= 22 else { return nil }
        return stride(from: tail.count - 22, through: 0, by: -1).first { start in
            tail[start] == 0x50 && tail[start + 1] == 0x4B && tail[start + 2] == 5 && tail[start + 3] == 6
                && start + 22 + Int(tail[start + 20]) + Int(tail[start + 21]) << 8 == tail.count
        }
    }
}

/// One entry as the directory describes it.
private struct DirectoryRecord {
    var flags: Int
    var method: Int
    var checksum: UInt32
    var storedByteCount: Int
    var byteCount: Int
    var offset: Int
    var name: ArraySlice<UInt8>

    init(_ reader: inout LittleEndianReader) throws(LittleEndianReader.CutShort) {
        guard try reader.unsigned(4) == 0x0201_4B50 else { throw LittleEndianReader.CutShort() }
        _ = try reader.take(4)
        flags = try reader.size(2)
        method = try reader.size(2)
        _ = try reader.take(4)
        checksum = UInt32(try reader.unsigned(4))
        storedByteCount = try reader.size(4)
        byteCount = try reader.size(4)
        let (nameCount, extraCount) = (try reader.size(2), try reader.size(2))
        let commentCount = try reader.size(2)
        _ = try reader.take(8)
        offset = try reader.size(4)
        name = try reader.take(nameCount)
        var extra = LittleEndianReader(try reader.take(extraCount))
        _ = try reader.take(commentCount)
        while extra.rest >= 4 {
            let (kind, count) = (try extra.size(2), try extra.size(2))
            var field = LittleEndianReader(try extra.take(count))
            guard kind == 1 else { continue }
            // Numbers that do not fit 32 bits stand here, in this order.
            if byteCount == 0xFFFF_FFFF { byteCount = try field.size(8) }
            if storedByteCount == 0xFFFF_FFFF { storedByteCount = try field.size(8) }
            if offset == 0xFFFF_FFFF { offset = try field.size(8) }
        }
    }
}
