/// Numbers of a binary format, read one after the other from bytes; reading beyond the end is an error.
struct LittleEndianReader {
    /// Thrown where the bytes end too early.
    struct CutShort: Error {}

    private let bytes: ArraySlice<UInt8>
    /// The index of the next byte.
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// How many bytes are left.
    var rest: Int { bytes.endIndex - position }

    /// The next `count` bytes.
    mutating func take(_ count: Int) throws(CutShort) -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest else { throw CutShort() }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    mutating func byte() throws(CutShort) -> UInt8 {
        guard position < bytes.endIndex else { throw CutShort() }
        defer { position += 1 }
        return bytes[position]
    }

    /// The next `count` bytes, at most 8, as an unsigned number.
    mutating func unsigned(_ count: Int) throws(CutShort) -> UInt64 {
        var value: UInt64 = 0
        for byte in try take(count).reversed() { value = value << 8 | UInt64(byte) }
        return value
    }

    /// The next `count` bytes as a size. A number that no size can be is longer than any file.
    mutating func size(_ count: Int) throws(CutShort) -> Int {
        Int(clamping: try unsigned(count))
    }

    /// The bytes before the next line feed, which is passed over.
    mutating func line() throws(CutShort) -> ArraySlice<UInt8> {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { throw CutShort() }
        defer { position = end + 1 }
        return bytes[position..<end]
    }
}
