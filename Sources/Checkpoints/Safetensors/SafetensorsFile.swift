import Layers
import Storage
import Tensors

/// A safetensors file, its header checked and its tensors ready to be taken.
///
/// Opening reads the header only, whatever the size of the file. Tensors share the memory of the file
/// and keep it alive; they outlive this value.
public struct SafetensorsFile: TensorSource {
    /// Where the tensors' bytes come from.
    public enum Storage: Sendable {
        /// Mapped into memory and read by the system as tensors are used. Quick, and for files that
        /// nobody changes: if another program cuts a mapped file, reading it ends this program.
        case mapped
        /// Read into memory of our own at once. For files that others can change while they are in use.
        case copied
    }

    /// The path as it was given.
    public let path: String
    /// Names, types, shapes and metadata.
    public let header: SafetensorsHeader
    private let bytes: FileBytes

    /// Opens a file and checks its header.
    /// - Throws: `CheckpointError` when it is no regular file, cannot be read, or is damaged.
    public init(path: String, storage: Storage = .mapped) throws {
        let file = try RegularFile(opening: path)
        let prefix = try file.read(min(512, file.byteCount), at: 0)
        if let other = mistakenFile(prefix) { throw CheckpointError(path, other) }
        let count = try SafetensorsHeader.byteCount(prefix, fileByteCount: file.byteCount, place: path)
        try SafetensorsHeader.checkStart(try file.read(min(count, 1 << 20), at: 8), place: path)
        // Read rather than mapped, so that a file that is cut meanwhile is an error here.
        header = try file.read(count, at: 8).withUnsafeBytes {
            try SafetensorsHeader($0, dataByteCount: file.byteCount - 8 - count, place: path)
        }
        bytes = try file.bytes(from: 8 + count, storage)
        self.path = path
    }

    /// The free texts of the header. `format` is `pt` in files for PyTorch.
    public var metadata: NameTable<String> { header.metadata }

    /// Every tensor's name, in the order of the header.
    public var names: [String] { header.entries.names }

    /// The file's path.
    public var files: [String] { [path] }

    /// A tensor's shape, nil when there is none of that name.
    public func shape(of name: String) -> Shape? { header.entries[name].map { Shape($0.dimensions) } }

    /// A tensor's element type, nil when there is none of that name or no tensor can hold the type. Numbers of
    /// eight bits become `float32`, which holds them all.
    public func elementType(of name: String) -> ElementType? { header.entries[name]?.type.elementType }

    /// A tensor on the CPU that shares the file's memory. It is copied where its bytes are not aligned
    /// for their type, where a boolean is stored as something else than 0 or 1, and where numbers of eight bits are
    /// expanded.
    /// - Throws: `CheckpointError` when there is none of that name or its type is not supported.
    public func tensor(named name: String) throws -> Tensor {
        let entry = try entry(name)
        guard let type = entry.type.elementType else {
            throw CheckpointError(
                path,
                "the tensor \(quoted(name)) has elements of type \(entry.type.rawValue), which this "
                    + "program cannot hold; convert it to BF16 or F32")
        }
        let tensor = tensor(entry, type)
        if let failure = tensor.failure {
            throw CheckpointError(path, "the tensor \(quoted(name)) cannot be made: \(failure)")
        }
        return tensor
    }

    private func tensor(_ entry: SafetensorsHeader.Entry, _ type: ElementType) -> Tensor {
        let shape = Shape(entry.dimensions)
        guard let values = entry.type.float8Values, !entry.range.isEmpty else {
            return bytes.tensor(entry.range, shape, type)
        }
        return Tensor(memory(of: entry).map { values[Int($0)] }, shape: shape)
    }

    /// How many numbers of a tensor are infinite or NaN. Integers and unsupported types have none.
    ///
    /// Such weights are loaded as they are; a caller that cares warns with this count.
    /// - Throws: `CheckpointError` when there is none of that name.
    public func nonFiniteCount(of name: String) throws -> Int {
        let entry = try entry(name)
        let source = UnsafeRawBufferPointer(memory(of: entry))
        defer { withExtendedLifetime(bytes) {} }
        // A number is infinite or NaN when all bits of its exponent are set.
        switch entry.type {
        case .float16: return count(UInt16.self, in: source, exponent: 0x7C00)
        case .bfloat16: return count(UInt16.self, in: source, exponent: 0x7F80)
        case .float32: return count(UInt32.self, in: source, exponent: 0x7F80_0000)
        case .float64: return count(UInt64.self, in: source, exponent: 0x7FF0_0000_0000_0000)
        default:
            guard let values = entry.type.float8Values else { return 0 }
            return source.count { !values[Int($0)].isFinite }
        }
    }

    /// How many numbers of the whole file are infinite or NaN. Reads every byte of it.
    public func nonFiniteCount() -> Int {
        names.reduce(0) { $0 + ((try? nonFiniteCount(of: $1)) ?? 0) }
    }

    private func entry(_ name: String) throws -> SafetensorsHeader.Entry {
        guard let entry = header.entries[name] else {
            throw CheckpointError(path, "there is no tensor \(quoted(name)) in it")
        }
        return entry
    }

    private func memory(of entry: SafetensorsHeader.Entry) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes.buffer[entry.range])
    }
}

/// How many little-endian words have all bits of `exponent` set.
private func count<Word: FixedWidthInteger>(
    _: Word.Type, in bytes: UnsafeRawBufferPointer, exponent: Word
) -> Int {
    let size = MemoryLayout<Word>.size
    var count = 0
    for i in 0..<(bytes.count / size) {
        let word = bytes.loadUnaligned(fromByteOffset: i * size, as: Word.self)
        count += word & exponent == exponent ? 1 : 0
    }
    return count
}
