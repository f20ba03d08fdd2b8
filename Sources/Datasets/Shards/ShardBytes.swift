import Storage

/// The bytes of a shard from its beginning to its end, plain or gzip: its content says which, never its name.
final class ShardBytes {
    let path: String
    private let file: RegularFile
    private let packed: GzipReader?
    /// The bytes from `start` on that were read ahead.
    private var piece: [UInt8] = []
    private var start = 0
    private let pieceLength: Int
    /// The place of the next byte.
    private(set) var offset = 0

    /// Opens a shard.
    /// - Parameter pieceLength: how many bytes are read at once; a walk that passes over most of them takes few.
    /// - Throws: ``DatasetError`` where it is no regular file, or empty.
    init(_ path: String, pieceLength: Int) throws {
        (self.path, self.pieceLength) = (path, pieceLength)
        do {
            file = try RegularFile(opening: path)
            let first = try file.read(min(2, file.byteCount), at: 0)
            guard !first.isEmpty else { throw DatasetError(path, "the shard is empty") }
            packed = first == [0x1F, 0x8B] ? try GzipReader(file) : nil
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "check the shard")
        }
    }

    /// The next bytes; nil at the end of the shard.
    /// - Throws: ``DatasetError`` where the shard ends before `count` of them.
    func read(_ count: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            if isPieceUsedUp, try !readPiece() {
                guard bytes.isEmpty else { throw cutShort }
                return nil
            }
            let place = offset - start
            let part = piece[place..<min(place + count - bytes.count, piece.count)]
            bytes += part
            offset += part.count
        }
        return bytes
    }

    /// The next bytes, which stay the next ones: as many as are at hand, at most `count`.
    func peek(_ count: Int) throws -> ArraySlice<UInt8> {
        if isPieceUsedUp, try !readPiece() { return [] }
        return piece[(offset - start)...].prefix(count)
    }

    /// Passes over bytes.
    /// - Throws: ``DatasetError`` where the shard ends before them.
    func skip(_ count: Int) throws {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, packed != nil || end <= file.byteCount else { throw cutShort }
        guard packed != nil else {
            offset = end
            return
        }
        while offset < end {
            if isPieceUsedUp, try !readPiece() { throw cutShort }
            offset = min(end, start + piece.count)
        }
    }

    /// The error of a shard that ends too early.
    var cutShort: DatasetError { DatasetError(path, "the shard is cut short") }

    private var isPieceUsedUp: Bool { offset >= start + piece.count }

    private func readPiece() throws -> Bool {
        do {
            let count = packed == nil ? min(pieceLength, file.byteCount - offset) : pieceLength
            guard count > 0 else { return false }
            piece = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                let bytes = UnsafeMutableRawBufferPointer(buffer)
                if let packed {
                    initialized = try packed.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
                } else {
                    try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]), at: offset)
                    initialized = count
                }
            }
            start = offset
            return !piece.isEmpty
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem)
        }
    }
}
