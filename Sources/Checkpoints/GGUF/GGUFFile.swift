import Layers
import Storage
import Tensors

/// A GGUF file, whose quantized tensors are expanded to float32 when they are taken.
///
/// Opening reads the header only. Tensors of plain types share the memory of the file, as those of safetensors do.
public struct GGUFFile: TensorSource {
    /// The path as it was given.
    public let path: String
    private let header: GGUFHeader
    private let bytes: FileBytes

    /// Opens a file and checks its header.
    /// - Throws: `CheckpointError` when it is no regular file, cannot be read, or is damaged.
    public init(path: String, storage: SafetensorsFile.Storage = .mapped) throws {
        let file = try RegularFile(opening: path)
        header = try GGUFHeader(file)
        bytes = try file.bytes(from: min(header.dataOffset, file.byteCount), storage)
        self.path = path
    }

    /// Texts, numbers and flags of the metadata, as texts.
    public var metadata: NameTable<String> { header.metadata }

    /// Every tensor's name, in the order of the header.
    public var names: [String] { header.entries.names }

    /// The file's path.
    public var files: [String] { [path] }

    /// A tensor's shape, nil when there is none of that name.
    public func shape(of name: String) -> Shape? { header.entries[name].map { Shape($0.dimensions) } }

    /// A tensor's element type; `float32` for quantized ones.
    public func elementType(of name: String) -> ElementType? { header.entries[name]?.type.elementType }

    /// The name of a tensor's type in the file, such as `Q4_K`.
    public func storedType(of name: String) -> String? { header.entries[name]?.type.name }

    /// A tensor on the CPU.
    /// - Throws: `CheckpointError` when there is none of that name.
    public func tensor(named name: String) throws -> Tensor {
        guard let entry = header.entries[name] else {
            throw CheckpointError(path, "there is no tensor \(quoted(name)) in it")
        }
        let tensor =
            entry.type.expand.map { expanded(entry, $0) }
            ?? bytes.tensor(entry.range, Shape(entry.dimensions), entry.type.elementType)
        if let failure = tensor.failure {
            throw CheckpointError(path, "the tensor \(quoted(name)) cannot be made: \(failure)")
        }
        return tensor
    }

    private func expanded(
        _ entry: GGUFHeader.Entry,
        _ expand: (UnsafeRawBufferPointer, UnsafeMutableBufferPointer<Float>) -> Void
    ) -> Tensor {
        let (length, byteCount) = (entry.type.blockLength, entry.type.blockByteCount)
        let source = UnsafeRawBufferPointer(rebasing: bytes.buffer[entry.range])
        let count = source.count / byteCount
        let numbers = [Float](unsafeUninitializedCapacity: count * length) { buffer, initialized in
            for block in 0..<count {
                expand(
                    UnsafeRawBufferPointer(rebasing: source[(block * byteCount)..<((block + 1) * byteCount)]),
                    UnsafeMutableBufferPointer(rebasing: buffer[(block * length)..<((block + 1) * length)]))
            }
            initialized = count * length
        }
        withExtendedLifetime(bytes) {}
        return Tensor(numbers, shape: Shape(entry.dimensions))
    }
}
