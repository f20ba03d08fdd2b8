import Storage

/// The metadata of a GGUF file, as far as they are needed: what can be shown as a text, the alignment, and the shapes that
/// ComfyUI's tools keep.
struct GGUFMetadata {
    private(set) var texts = NameTable<String>()
    /// What offsets are multiples of.
    private(set) var alignment = 32
    /// Shapes of tensors that are not as the format keeps them, the slowest dimension first.
    private(set) var shapes: [String: [Int]] = [:]

    private static let shapePrefix = "comfy.gguf.orig_shape."

    /// The sizes of the types of values that have one, by their numbers in the format.
    private static let byteCounts: [UInt64: Int] = [
        0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8,
    ]
    private static let (textType, listType): (UInt64, UInt64) = (8, 9)

    init(_ reader: inout GGUFReader, count: Int) throws {
        for _ in 0..<count {
            let name = try reader.text()
            let type = try reader.unsigned(4)
            if type == Self.listType {
                try readList(&reader, name)
            } else if let value = try Self.value(&reader, type, name) {
                guard texts.append(name, value) else {
                    throw reader.failure("the metadata \(quoted(name)) stand there twice")
                }
            }
        }
        if let value = texts["general.alignment"] {
            guard let number = Int(value), number > 0, number <= 1 << 20, number & (number - 1) == 0 else {
                throw reader.failure("its alignment is \(printable(value)), and must be a power of two")
            }
            alignment = number
        }
    }

    /// A value that is no list, as a text.
    private static func value(_ reader: inout GGUFReader, _ type: UInt64, _ name: String) throws -> String? {
        if type == textType { return try reader.text() }
        guard let size = byteCounts[type] else {
            throw reader.failure(
                "the metadata \(quoted(name)) are of type \(type), which the format does not have")
        }
        let bits = try reader.unsigned(size)
        return switch type {
        case 1: String(Int8(truncatingIfNeeded: bits))
        case 3: String(Int16(truncatingIfNeeded: bits))
        case 5: String(Int32(truncatingIfNeeded: bits))
        case 6: String(Float(bitPattern: UInt32(bits)))
        case 7: bits == 0 ? "false" : "true"
        case 11: String(Int64(bitPattern: bits))
        case 12: String(Double(bitPattern: bits))
        default: String(bits)
        }
    }

    /// Passes over a list, but for shapes.
    private mutating func readList(_ reader: inout GGUFReader, _ name: String) throws {
        let type = try reader.unsigned(4)
        let count = try reader.size(8)
        if type == Self.textType {
            try reader.check(count, "texts in \(quoted(name))", ofAtLeast: 8)
            for _ in 0..<count { try reader.skip(reader.size(8)) }
            return
        }
        guard let size = Self.byteCounts[type] else {
            throw reader.failure("the metadata \(quoted(name)) are a list of type \(type), which is not read")
        }
        try reader.check(count, "values in \(quoted(name))", ofAtLeast: size)
        guard name.hasPrefix(Self.shapePrefix), count <= 16 else { return try reader.skip(count * size) }
        var shape: [Int] = []
        for _ in 0..<count { shape.append(try reader.size(size)) }
        shapes[String(name.dropFirst(Self.shapePrefix.count))] = shape
    }
}
