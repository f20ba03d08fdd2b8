import CLibCrypto

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// libcrypto would clear its state when the program ends, under the feet of a thread that still takes a digest.
private let libcryptoStays: Void = {
    _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
}()

/// The digest of FIPS 180-4, by libcrypto.
package final class SHA256 {
    private let context: OpaquePointer?

    /// A digest of nothing yet.
    package init() {
        libcryptoStays
        context = EVP_MD_CTX_new()
        // Fails only without memory; the digest is then empty, which no manifest may hold.
        EVP_DigestInit_ex(context, EVP_sha256(), nil)
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    /// Takes in more bytes.
    package func update(_ bytes: UnsafeRawBufferPointer) {
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The digest of all bytes so far, as lower-case digits. Nothing can be taken in after it.
    package func hexadecimal() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &count)
        let digits = Array("0123456789abcdef")
        return String(digest.prefix(Int(count)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
