/// Whether a file begins with the length of a header and the header's first character. The bytes of a length can
/// be those that begin a pickle or a page.
package func startsLikeSafetensors(_ start: [UInt8]) -> Bool {
    guard start.count > 8, start[4..<8].allSatisfy({ $0 == 0 }) else { return false }
    return [.openBrace, .space, UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains(start[8])
}

/// What a file is that stands where a checkpoint, a configuration or a vocabulary should, in a sentence; `nil` where
/// its first bytes do not say.
/// - Parameter start: the first 512 bytes of the file, or all of it.
package func mistakenFile(_ start: some Collection<UInt8>) -> String? {
    let start = Array(start.prefix(512))
    guard !start.isEmpty else { return "it is empty; fetch it again" }
    guard !startsLikeSafetensors(start) else { return nil }
    if let other = otherFormats.first(where: { start.dropFirst($0.offset).starts(with: $0.bytes) }) {
        return "this is \(other.meaning)"
    }
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let text = (start.starts(with: byteOrderMark) ? start.dropFirst(3) : start[...])
        .drop { [9, 10, 13, 32].contains($0) }
        .map { (65...90).contains($0) ? $0 + 32 : $0 }
    let isPage = ["<!doctype", "<html", "<head", "<body", "<?xml", "<!--"].contains {
        text.starts(with: $0.utf8)
    }
    return isPage ? "this is a web page: the download failed; fetch it again" : nil
}

/// The first bytes of a file as PyTorch wrote it before 1.6: the pickle of its magic number.
package let legacyTorchMagic: [UInt8] = [
    0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
]

private let pickleOfTorch =
    "a zip archive or a pickle, as PyTorch writes them, which can run any code where it is read: convert it first, on "
    + "a machine where that does no harm ('langevin convert')"
/// What else people take for checkpoints.
private let otherFormats: [(offset: Int, bytes: [UInt8], meaning: String)] = [
    (
        0, Array("GGUF".utf8),
        "a GGUF file where a safetensors file should be; 'langevin convert' makes one of it"
    ),
    (
        0, Array("version https://git-lfs".utf8),
        "a pointer of Git LFS, not the file; fetch it with 'git lfs pull'"
    ),
    (0, [0x50, 0x4B, 3, 4], pickleOfTorch),
    (0, legacyTorchMagic, pickleOfTorch),
    (0, [0x89, 0x48, 0x44, 0x46], "an HDF5 file, which is not read; take the safetensors file of the model"),
    (0, [0x89, 0x50, 0x4E, 0x47], "a PNG picture"),
    (0, [0x1F, 0x8B], "packed by gzip; unpack it first"),
    (0, Array("Rar!".utf8), "a RAR archive; unpack it first"),
    (0, [0x37, 0x7A, 0xBC, 0xAF], "a 7z archive; unpack it first"),
    (0, Array("PK\u{5}\u{6}".utf8), "an empty zip archive"),
    (257, Array("ustar\0".utf8), "a tar archive; unpack it first, or save it with PyTorch 1.6 or later"),
    (257, Array("ustar  ".utf8), "a tar archive; unpack it first, or save it with PyTorch 1.6 or later"),
    (0, [0x80, 0x02], "a pickle, and none of PyTorch's: it holds no weights"),
    (0, [0x80, 0x03], "a pickle, and none of PyTorch's: it holds no weights"),
    (0, [0x80, 0x04], "a pickle, and none of PyTorch's: it holds no weights"),
    (0, [0x80, 0x05], "a pickle, and none of PyTorch's: it holds no weights"),
]
