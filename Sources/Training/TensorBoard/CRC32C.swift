/// The checksum CRC-32C (Castagnoli) of RFC 3720, appendix B.4.
package func crc32c(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in crcTable[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8) }
}

/// The checksum as TFRecord files hold it: turned by 15 bits and moved, so that the checksum of bytes that
/// hold checksums stays meaningful.
package func maskedCRC32C(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let crc = crc32c(bytes)
    return ((crc >> 15) | (crc << 17)) &+ 0xA282_EAD8
}

/// What each byte does to the checksum, for the reflected polynomial 0x82F63B78.
private let crcTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in (crc >> 1) ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
}
