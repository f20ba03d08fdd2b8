import CLibCrypto
import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a tag says about a file's bytes: their sha256 (large files), or the id that git gives them (the others).
enum ContentDigest {
    case sha256(String)
    case git(String)

    /// `nil` where a tag is no digest.
    init?(tag: String) {
        if isHexadecimal(tag, count: 64) {
            self = .sha256(tag)
        } else if isHexadecimal(tag, count: 40) {
            self = .git(tag)
        } else {
            return nil
        }
    }

    /// What it is called.
    var name: String {
        switch self {
        case .sha256: "sha256"
        case .git: "git sha1"
        }
    }

    /// Whether an open file of a size has this digest.
    func fits(_ file: Int32, _ path: String, byteCount: Int) throws(FileError) -> Bool {
        lseek(file, 0, SEEK_SET)
        switch self {
        case .sha256(let wanted):
            let digest = SHA256()
            try Files.forEachBlock(of: file, path) { digest.update($0) }
            return digest.hexadecimal() == wanted
        case .git(let wanted):
            let digest = SHA1()
            Array("blob \(byteCount)\0".utf8).withUnsafeBytes { digest.update($0) }
            try Files.forEachBlock(of: file, path) { digest.update($0) }
            return digest.hexadecimal() == wanted
        }
    }
}

/// The digest that git names its objects by, by libcrypto. It says whether a transfer went well, not that nobody forged it.
private final class SHA1 {
    private let context: OpaquePointer?

    init() {
        // Lets libcrypto keep its state until the program ends.
        _ = SHA256()
        context = EVP_MD_CTX_new()
        EVP_DigestInit_ex(context, EVP_sha1(), nil)
    }

    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

    func hexadecimal() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &count)
        let digits = Array("0123456789abcdef")
        return String(digest.prefix(Int(count)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
