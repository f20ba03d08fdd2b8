import CZlib

/// A compressed stream that could not be unpacked.
package enum InflateError: Error, Hashable {
    /// The stream ends before its end mark.
    case cutShort
    /// The stream is not of its format, or a checksum is wrong.
    case damaged
    /// The stream unpacks to more than the caller allows.
    case tooLarge
}

/// The frames around deflate streams.
package enum DeflateFrame: Int32 {
    /// RFC 1950, as PNG uses it.
    case zlib = 15
    /// RFC 1952: `.gz` files, which may have several members one after the other.
    case gzip = 31
    /// RFC 1951 without a frame, as zip archives hold it.
    case bare = -15
}

/// Unpacks a compressed stream into at most `limit` bytes.
///
/// Memory grows with what is really unpacked, so neither a header's claim nor a bomb can fill it.
///
/// - Throws: ``InflateError``.
package func inflated(_ bytes: [UInt8], _ frame: DeflateFrame, limit: Int) throws(InflateError) -> [UInt8] {
    let (result, ended) = try inflate(bytes, frame, limit: limit)
    guard ended else { throw result.count > limit ? .tooLarge : .cutShort }
    return result
}

/// Unpacks the first `count` bytes of a compressed stream, or all where it holds fewer.
///
/// - Throws: ``InflateError``.
package func inflatedPrefix(
    _ bytes: [UInt8], _ frame: DeflateFrame, count: Int
) throws(InflateError) -> [UInt8] {
    Array(try inflate(bytes, frame, limit: count).result.prefix(count))
}

/// Unpacks until the end of the stream, the end of the input, or more than `limit` bytes of output.
private func inflate(
    _ bytes: [UInt8], _ frame: DeflateFrame, limit: Int
) throws(InflateError) -> (result: [UInt8], ended: Bool) {
    var stream = z_stream()
    let version = ZLIB_VERSION
    guard inflateInit2_(&stream, frame.rawValue, version, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw .damaged
    }
    defer { inflateEnd(&stream) }
    var result: [UInt8] = []
    var position = 0
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let (used, made, status) = step(&stream, bytes, from: position, into: &piece)
        position += used
        result += piece[..<made]
        switch status {
        case Z_STREAM_END:
            if result.count > limit { return (result, false) }
            let goesOn = frame == .gzip && bytes[position...].starts(with: [0x1F, 0x8B])
            if !goesOn { return (result, true) }
            inflateReset(&stream)
        case Z_OK, Z_BUF_ERROR:
            if result.count > limit || used == 0 && made == 0 { return (result, false) }
        default:
            throw .damaged
        }
    }
}

/// One call of zlib, with at most 1 MiB of input so that sizes fit its 32-bit counters.
private func step(
    _ stream: inout z_stream, _ bytes: [UInt8], from position: Int, into piece: inout [UInt8]
) -> (used: Int, made: Int, status: Int32) {
    let offered = min(bytes.count - position, 1 << 20)
    let room = piece.count
    return bytes.withUnsafeBufferPointer { input in
        piece.withUnsafeMutableBufferPointer { output in
            // zlib does not write to its input; its interface merely lacks the `const`.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress.map { $0 + position })
            stream.avail_in = UInt32(offered)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(room)
            let status = CZlib.inflate(&stream, Z_NO_FLUSH)
            return (offered - Int(stream.avail_in), room - Int(stream.avail_out), status)
        }
    }
}
