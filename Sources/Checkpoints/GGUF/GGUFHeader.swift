import Storage

/// What a GGUF file says about itself: names, types, shapes, byte ranges and metadata.
///
/// Layout of the file (versions 2 and 3, little-endian): `GGUF`, the version, the numbers of tensors and of metadata; the
/// metadata, each a name, a type and a value; the tensors, each a name, its extents (the fastest first), a type and where its
/// bytes begin; padding; the bytes of the tensors, each padded to the alignment. Sizes are checked before memory is taken, so
/// that a header that was accepted describes bytes that are there, without overlap.
struct GGUFHeader: Sendable {
    /// The most bytes that a header may have, as of safetensors.
    static let maximalByteCount = 100_000_000
    /// The most bytes that a name or a text may have.
    static let maximalTextByteCount = 16 << 20
    /// The most dimensions that the format allows.
    static let maximalRank = 4

    /// A tensor of the file.
    struct Entry: Sendable {
        /// The type of its elements.
        let type: GGUFType
        /// Its size along each dimension, the slowest first, as everywhere else.
        let dimensions: [Int]
        /// Where its bytes stand, counted from the end of the header.
        let range: Range<Int>
    }

    /// The tensors under their names, in the order of the header.
    let entries: NameTable<Entry>
    /// Texts, numbers and flags of the metadata as texts; lists are passed over.
    let metadata: NameTable<String>
    /// Where the bytes of the tensors begin.
    let dataOffset: Int

    /// Reads the header of a file.
    /// - Throws: `CheckpointError` that says what is wrong.
    init(_ file: RegularFile) throws {
        var reader = GGUFReader(file)
        guard try reader.take(4).elementsEqual("GGUF".utf8) else {
            throw reader.failure("it is no GGUF file")
        }
        let version = try reader.unsigned(4)
        guard version == 2 || version == 3 else {
            throw reader.failure(
                version.byteSwapped >> 32 == 2 || version.byteSwapped >> 32 == 3
                    ? "it is a GGUF file of a big-endian machine; convert it on one that is not"
                    : "it is a GGUF file of version \(version); versions 2 and 3 are read")
        }
        let (tensorCount, fieldCount) = (try reader.size(8), try reader.size(8))
        try reader.check(tensorCount, "tensors", ofAtLeast: 24)
        try reader.check(fieldCount, "fields of metadata", ofAtLeast: 13)
        let fields = try GGUFMetadata(&reader, count: fieldCount)
        metadata = fields.texts
        var described: [(name: String, type: GGUFType, dimensions: [Int], offset: Int)] = []
        for _ in 0..<tensorCount { described.append(try Self.tensor(&reader, fields.shapes)) }
        let alignment = fields.alignment
        dataOffset = (reader.position + alignment - 1) / alignment * alignment
        let available = file.byteCount - dataOffset
        guard available >= 0 || described.isEmpty else { throw reader.cutShort }
        entries = try Self.placed(described, alignment: alignment, available: available, file.path)
    }

    /// The description of one tensor. ComfyUI flattens shapes that do not suit the blocks, and keeps the true ones beside.
    private static func tensor(_ reader: inout GGUFReader, _ shapes: [String: [Int]]) throws -> (
        String, GGUFType, [Int], Int
    ) {
        let name = try reader.text()
        let rank = try reader.size(4)
        guard rank <= maximalRank else {
            throw reader.failure(
                "the tensor \(quoted(name)) claims \(rank) dimensions, \(maximalRank) at the most")
        }
        var extents: [Int] = []
        for _ in 0..<rank { extents.append(try reader.size(8)) }
        let number = UInt32(try reader.unsigned(4))
        guard let type = GGUFType.known[number] else {
            let word = GGUFType.others[number] ?? "number \(number)"
            let names = GGUFType.known.values.map(\.name).sorted().joined(separator: ", ")
            throw reader.failure(
                "the tensor \(quoted(name)) has elements of type \(word), which this program does not expand; take a file of \(names)"
            )
        }
        guard (extents.first ?? 1) % type.blockLength == 0 else {
            throw reader.failure(
                "rows of the tensor \(quoted(name)) have \(extents.first ?? 1) numbers, which are no whole blocks of \(type.name)"
            )
        }
        let count = try reader.product(extents, name)
        let shape = shapes[name] ?? extents.reversed()
        guard try reader.product(shape, name) == count else {
            throw reader.failure(
                "the tensor \(quoted(name)) has \(count) numbers, and its metadata give the shape \(shape)")
        }
        return (name, type, shape, try reader.size(8))
    }

    /// The entries with their ranges, which lie one behind the other.
    private static func placed(
        _ tensors: [(name: String, type: GGUFType, dimensions: [Int], offset: Int)], alignment: Int,
        available: Int,
        _ path: String
    ) throws -> NameTable<Entry> {
        var end = 0
        let entries = try tensors.map { tensor in
            let blocks = tensor.dimensions.reduce(1, *) / tensor.type.blockLength
            let (size, isTooLarge) = blocks.multipliedReportingOverflow(by: tensor.type.blockByteCount)
            guard tensor.offset % alignment == 0, tensor.offset >= end else {
                throw CheckpointError(
                    path,
                    "the bytes of the tensor \(quoted(tensor.name)) lie among those of another, or unaligned")
            }
            guard !isTooLarge, size <= available, tensor.offset <= available - size else {
                throw CheckpointError(
                    path,
                    "the file ends before the bytes of the tensor \(quoted(tensor.name)); fetch it again")
            }
            end = tensor.offset + size
            return Entry(
                type: tensor.type, dimensions: tensor.dimensions, range: tensor.offset..<end)
        }
        do {
            return try NameTable(names: tensors.map(\.name), values: entries)
        } catch {
            throw CheckpointError(path, "the tensor \(quoted(error.name)) stands there twice")
        }
    }
}
