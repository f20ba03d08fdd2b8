import Layers
import Storage

/// How a checkpoint file holds its tensors, recognized by its first bytes and never by its name.
public enum CheckpointFormat: String, Sendable, CaseIterable {
    /// Names, shapes and bytes, which nothing can be hidden in.
    case safetensors
    /// PyTorch since 1.6: a zip archive with a pickle and its tensors' bytes.
    case torchArchive
    /// PyTorch before 1.6: pickles, and their tensors' bytes behind them.
    case torchLegacy
    /// Names, shapes, metadata and bytes, in which numbers of few bits lie in blocks with scales.
    case gguf

    /// Recognises the format of a file.
    /// - Throws: `CheckpointError` that says what the file is instead, where that can be recognized.
    public init(of path: String) throws {
        let file = try RegularFile(opening: path)
        let start = try file.read(min(file.byteCount, 512), at: 0)
        if start.starts(with: [0x50, 0x4B, 3, 4]) {
            self = .torchArchive
        } else if start.starts(with: LegacyTorchFile.magic) {
            self = .torchLegacy
        } else if start.starts(with: "GGUF".utf8) {
            self = .gguf
        } else if startsLikeSafetensors(start) {
            self = .safetensors
        } else if let other = mistakenFile(start) {
            throw CheckpointError(path, other)
        } else if start.count > 8, start[8] == UInt8(ascii: "{") || start[7] == 0 {
            self = .safetensors
        } else {
            throw CheckpointError(
                path, "this is no checkpoint: neither safetensors, GGUF nor a file of PyTorch")
        }
    }

    /// Whether the file holds a pickle, which other programs run when they read it.
    public var isPickled: Bool { self == .torchArchive || self == .torchLegacy }
}

/// The tensors of a file that can be read where it lies, safetensors or GGUF.
/// - Throws: `CheckpointError` where it is neither, or damaged.
public func plainTensors(of path: String) throws -> any TensorSource {
    try CheckpointFormat(of: path) == .gguf ? GGUFFile(path: path) : SafetensorsFile(path: path)
}
