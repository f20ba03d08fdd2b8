import CZlib

/// The content of a gzip file from its beginning to its end, unpacked piece by piece: memory holds two pieces.
///
/// A file may have several members one after the other (RFC 1952). One that unpacks to more than a hundred times its own size
/// is refused: pictures shrink to a tenth, and deflate could pack a thousand zeros into a byte.
package final class GzipReader {
    private static let pieceLength = 1 << 16
    private let file: RegularFile
    private var stream = z_stream()
    private var input = [UInt8](repeating: 0, count: pieceLength)
    /// What of the input is not unpacked yet.
    private var rest = 0..<0
    private var offset = 0
    private var made = 0
    private var isBetweenMembers = false
    private var isAtEnd = false

    /// Begins to unpack a file.
    package init(_ file: RegularFile) throws {
        self.file = file
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, DeflateFrame.gzip.rawValue, ZLIB_VERSION, size) == Z_OK else {
            throw ContentError(file.path, "there is no memory to unpack it")
        }
    }

    deinit { inflateEnd(&stream) }

    /// Fills a buffer as far as the content goes.
    /// - Returns: how many bytes were written; fewer than the buffer takes at the end of the content only.
    /// - Throws: `ContentError` where the file is damaged, cut short, or unpacks to far more than its size.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var count = 0
        while count < buffer.count, !isAtEnd {
            if rest.isEmpty, try !readPiece() {
                guard isBetweenMembers else { throw ContentError(file.path, "the gzip file is cut short") }
                isAtEnd = true
                break
            }
            if isBetweenMembers {
                guard input[rest.lowerBound] == 0x1F else {
                    throw ContentError(file.path, "there are bytes after the end of the gzip file")
                }
                inflateReset(&stream)
                isBetweenMembers = false
            }
            count += try unpack(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
        }
        made += count
        guard made <= file.byteCount.multipliedReportingOverflow(by: 100).partialValue + (1 << 20) else {
            throw ContentError(
                file.path,
                "the gzip file of \(file.byteCount) bytes unpacks to more than a hundred times as much")
        }
        return count
    }

    private func readPiece() throws -> Bool {
        let count = min(Self.pieceLength, file.byteCount - offset)
        guard count > 0 else { return false }
        try input.withUnsafeMutableBytes {
            try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset)
        }
        (offset, rest) = (offset + count, 0..<count)
        return true
    }

    /// One call of zlib.
    private func unpack(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let room = min(buffer.count, 1 << 30)
        let (status, unused, left) = input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress! + rest.lowerBound
            stream.avail_in = UInt32(rest.count)
            stream.next_out = buffer.assumingMemoryBound(to: UInt8.self).baseAddress
            stream.avail_out = UInt32(room)
            let status = CZlib.inflate(&stream, Z_NO_FLUSH)
            return (status, Int(stream.avail_in), Int(stream.avail_out))
        }
        rest = (rest.upperBound - unused)..<rest.upperBound
        switch status {
        case Z_STREAM_END: isBetweenMembers = true
        case Z_OK, Z_BUF_ERROR: break
        default: throw ContentError(file.path, "the gzip file is damaged")
        }
        return room - left
    }
}
