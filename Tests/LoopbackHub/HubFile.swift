import CLibCrypto

/// A file of the hub.
struct HubFile: Sendable {
    let bytes: [UInt8]
    /// Whether another server has it, as the hub does with large ones.
    let isLarge: Bool
    /// Its sha256, or the id that git gives it.
    let tag: String

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isLarge = bytes.count > 4096
        tag =
            isLarge
            ? Self.digest(bytes, EVP_sha256())
            : Self.digest(Array("blob \(bytes.count)\0".utf8) + bytes, EVP_sha1())
    }

    private static func digest(_ bytes: [UInt8], _ kind: OpaquePointer?) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_Digest(bytes, bytes.count, &digest, &count, kind, nil)
        return digest.prefix(Int(count)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
