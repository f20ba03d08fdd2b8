/// How a checkpoint file holds its tensors, told by its first bytes and never by its name.
public enum CheckpointFormat: String, Sendable, CaseIterable {
    /// Names, shapes and bytes, which nothing can be hidden in.
    case safetensors
    /// PyTorch since 1.6: a zip archive with a pickle and its tensors' bytes.
    case torchArchive
    /// PyTorch before 1.6: pickles, and their tensors' bytes behind them.
    case torchLegacy

    /// Recognises the format of a file.
    /// - Throws: `CheckpointError` that says what the file is instead, where that can be told.
    public init(of path: String) throws {
        let file = try RegularFile(opening: path)
        let start = try file.read(min(file.byteCount, 512), at: 0)
        if start.starts(with: [0x50, 0x4B, 3, 4]) {
            self = .torchArchive
        } else if start.starts(with: LegacyTorchFile.magic) {
            self = .torchLegacy
        } else if let other = otherFormats.first(where: { start.dropFirst($0.offset).starts(with: $0.bytes) })
        {
            throw CheckpointError(path, "this is \(other.meaning)")
        } else if start.count > 8, start[8] == UInt8(ascii: "{") || start[7] == 0 {
            self = .safetensors
        } else {
            throw CheckpointError(path, "this is no checkpoint: neither safetensors nor a file of PyTorch")
        }
    }

    /// Whether the file holds a pickle, which other programs run when they read it.
    public var isPickled: Bool { self != .safetensors }
}

/// What else people take for checkpoints.
private let otherFormats: [(offset: Int, bytes: [UInt8], meaning: String)] = [
    (0, Array("GGUF".utf8), "a GGUF file, which is not read; take the safetensors file of the model"),
    (
        0, Array("version https://git-lfs".utf8),
        "a pointer of Git LFS, not the file; fetch it with 'git lfs pull'"
    ),
    (0, Array("<!".utf8), "a web page: the download failed; fetch it again"),
    (0, Array("<h".utf8), "a web page: the download failed; fetch it again"),
    (0, [0x89, 0x48, 0x44, 0x46], "an HDF5 file, which is not read; take the safetensors file of the model"),
    (0, [0x89, 0x50, 0x4E, 0x47], "a PNG picture"),
    (0, [0x1F, 0x8B], "packed by gzip; unpack it first"),
    (0, Array("Rar!".utf8), "a RAR archive; unpack it first"),
    (0, [0x37, 0x7A, 0xBC, 0xAF], "a 7z archive; unpack it first"),
    (0, Array("PK\u{5}\u{6}".utf8), "an empty zip archive"),
    (257, Array("ustar".utf8), "a tar archive; unpack it first, or save it with PyTorch 1.6 or later"),
    (0, [0x80, 0x02], "a pickle, and none of PyTorch's: it holds no weights"),
    (0, [0x80, 0x03], "a pickle, and none of PyTorch's: it holds no weights"),
    (0, [0x80, 0x04], "a pickle, and none of PyTorch's: it holds no weights"),
    (0, [0x80, 0x05], "a pickle, and none of PyTorch's: it holds no weights"),
]
