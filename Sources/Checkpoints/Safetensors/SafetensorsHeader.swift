import Storage

/// What a safetensors file says about itself: names, types, shapes, byte ranges and metadata.
///
/// Layout of the file (format definition of safetensors 0.8): 8 bytes with the length of the header,
/// little-endian; the header, a JSON object; the bytes of the tensors. Everything is checked before
/// anything is used, sizes before memory is taken, so that a header that was accepted describes
/// the file exactly: no gap, no overlap, no byte left over.
///
/// The verdict is that of the reference implementation, except that these are refused too: repeated
/// names and keys, tensor entries written as lists and types written as objects, ignored members above
/// 64 KiB, metadata and names above 16 MiB, a MiB of white space before the first brace, shapes with more
/// than 64 dimensions or a size of 2⁶³ or more, and more than 100,000
/// tensors or texts of metadata.
public struct SafetensorsHeader: Sendable {
    /// The most bytes a header may have; the format's own limit.
    public static let maximalByteCount = 100_000_000
    /// The most bytes the metadata may have.
    public static let maximalMetadataByteCount = 16 << 20
    /// The most dimensions a tensor may have; libtorch's own limit.
    public static let maximalRank = 64
    /// The most tensors a file may have, and the most texts its metadata: many times what models have, and few
    /// enough to hold every name.
    public static let maximalEntryCount = 100_000

    /// A tensor of the file.
    public struct Entry: Sendable, Equatable {
        /// The type of its elements.
        public let type: SafetensorsType
        /// Its size along each dimension; empty for a scalar.
        public let dimensions: [Int]
        /// Where its bytes stand, counted from the end of the header.
        public let range: Range<Int>
    }

    /// The tensors under their names, in the order of the header. Names can hold any text and are only
    /// ever keys.
    public private(set) var entries = NameTable<Entry>()
    /// The free texts under `__metadata__`, in the order of the header.
    public private(set) var metadata = NameTable<String>()

    /// Reads the length that stands in the first 8 bytes of a file.
    ///
    /// - Parameters:
    ///   - prefix: the first 8 bytes, fewer when the file is shorter.
    ///   - fileByteCount: the size of the whole file.
    ///   - place: the name of the file for messages.
    /// - Throws: `CheckpointError` when the header cannot be that long.
    static func byteCount(_ prefix: [UInt8], fileByteCount: Int, place: String) throws -> Int {
        guard prefix.count >= 8 else {
            throw CheckpointError(place, "it has \(prefix.count) bytes; a safetensors file has 10 or more")
        }
        let count = prefix.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard count <= UInt64(maximalByteCount) else {
            throw CheckpointError(
                place,
                "its header claims \(count) bytes, more than the \(maximalByteCount) allowed; "
                    + "the file is damaged or no safetensors file")
        }
        guard Int(count) <= fileByteCount - 8 else {
            throw CheckpointError(
                place,
                "its header claims \(count) bytes, the file ends after \(fileByteCount - 8); "
                    + "it was cut short or is no safetensors file")
        }
        return Int(count)
    }

    /// Throws where the first bytes of a header show that it is none, so that a long one need not be read.
    static func checkStart(_ bytes: [UInt8], place: String) throws {
        try bytes.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes, place: place)
            guard bytes.isEmpty || scanner.peek() == .openBrace else {
                throw scanner.failure("an object in braces was expected")
            }
        }
    }

    /// Parses a header and checks it against the number of bytes that follow it.
    /// - Throws: `CheckpointError` that says what is wrong where.
    init(_ text: UnsafeRawBufferPointer, dataByteCount: Int, place: String) throws {
        var scanner = JSONScanner(text, place: place)
        var hasMetadata = false
        var names: [String] = []
        var values: [Entry] = []
        try scanner.object { scanner, name in
            if "__metadata__" ~= name {
                guard !hasMetadata else { throw scanner.failure("the metadata stands there twice") }
                hasMetadata = true
                try readMetadata(&scanner)
            } else {
                guard values.count < Self.maximalEntryCount else {
                    throw scanner.failure(
                        "there are more than \(Self.maximalEntryCount) tensors, and no model has as many in one file"
                    )
                }
                let name = name.text
                values.append(try Self.entry(&scanner, name))
                names.append(name)
            }
        }
        try scanner.end()
        do {
            entries = try NameTable(names: names, values: values)
        } catch {
            throw CheckpointError(place, "the tensor \(quoted(error.name)) stands there twice")
        }
        try checkRanges(dataByteCount: dataByteCount, place: place)
    }

    /// Parses the header of a whole file in memory.
    /// - Throws: `CheckpointError` that says what is wrong where.
    package init(file bytes: UnsafeRawBufferPointer, place: String) throws {
        let count = try Self.byteCount(Array(bytes.prefix(8)), fileByteCount: bytes.count, place: place)
        try self.init(
            UnsafeRawBufferPointer(rebasing: bytes[8..<(8 + count)]),
            dataByteCount: bytes.count - 8 - count, place: place)
    }

    /// The metadata: an object of texts. `null` stands for none, as in the reference.
    private mutating func readMetadata(_ scanner: inout JSONScanner) throws {
        if scanner.peek() == UInt8(ascii: "n"), scanner.word("null") { return }
        let start = scanner.position
        try scanner.object { scanner, key in
            let key = key.text
            // A text is copied when it is known not to be too long.
            let text = try scanner.scannedString()
            guard scanner.position - start <= Self.maximalMetadataByteCount else {
                throw scanner.failure("the metadata exceeds \(Self.maximalMetadataByteCount) bytes")
            }
            guard metadata.count < Self.maximalEntryCount else {
                throw scanner.failure("the metadata has more than \(Self.maximalEntryCount) keys")
            }
            guard metadata.append(key, text.text) else {
                throw scanner.failure("the metadata has the key \(quoted(key)) twice")
            }
        }
    }

    /// One tensor's entry: `{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}`.
    private static func entry(_ scanner: inout JSONScanner, _ name: String) throws -> Entry {
        let start = scanner.position
        var type: SafetensorsType?
        var shape: (dimensions: [Int], count: Int)?
        var offsets: (begin: UInt64, end: UInt64)?
        var others = NameTable<Void>()
        try scanner.object { scanner, key in
            let place = scanner.position
            let isNew: Bool
            switch key {
            case "dtype":
                isNew = type == nil
                type = try Self.type(&scanner, name)
            case "shape":
                isNew = shape == nil
                shape = try Self.shape(&scanner, name)
            case "data_offsets":
                isNew = offsets == nil
                offsets = try Self.offsets(&scanner, name)
            default:
                // Unknown members are read with all rules and passed over, as in the reference.
                isNew = others.append(key.text, ())
                _ = try scanner.value()
                guard scanner.position - start <= 1 << 16 else {
                    throw scanner.failure("the entry of the tensor \(quoted(name)) is too long")
                }
            }
            guard isNew else {
                throw scanner.failure("the tensor \(quoted(name)) has \(quoted(key.text)) twice", at: place)
            }
        }
        guard let type, let shape, let offsets else {
            throw scanner.failure(
                "the tensor \(quoted(name)) needs a dtype, a shape and data_offsets", at: start)
        }
        let range = try range(offsets, UInt64(shape.count), type) {
            scanner.failure("the tensor \(quoted(name)) \($0)", at: start)
        }
        return Entry(type: type, dimensions: shape.dimensions, range: range)
    }

    /// The range of a tensor, which must be as long as its elements need.
    private static func range(
        _ offsets: (begin: UInt64, end: UInt64), _ count: UInt64, _ type: SafetensorsType,
        _ failure: (String) -> CheckpointError
    ) throws -> Range<Int> {
        let (bits, overflowed) = count.multipliedReportingOverflow(by: UInt64(type.bitCount))
        guard !overflowed else { throw failure("has a shape whose size overflows 64 bits") }
        guard bits % 8 == 0 else { throw failure("does not fill whole bytes") }
        guard offsets.begin <= offsets.end else { throw failure("ends before it begins") }
        guard offsets.end - offsets.begin == bits / 8 else {
            throw failure(
                "needs \(bits / 8) bytes for its shape and type, "
                    + "its data_offsets span \(offsets.end - offsets.begin)")
        }
        guard let begin = Int(exactly: offsets.begin), let end = Int(exactly: offsets.end) else {
            throw failure("lies beyond the end of any file")
        }
        return begin..<end
    }

    /// The dimensions and their product, which may not overflow. The product is taken in the order of
    /// the reference, where a zero in front hides a later overflow.
    private static func shape(
        _ scanner: inout JSONScanner, _ name: String
    ) throws -> (dimensions: [Int], count: Int) {
        var dimensions: [Int] = []
        var count = 1
        try scanner.array { scanner in
            let failure = { (problem: String) in "the tensor \(quoted(name)) has \(problem)" }
            guard dimensions.count < maximalRank else {
                throw scanner.failure(failure("more than \(maximalRank) dimensions"))
            }
            guard let size = Int(exactly: try scanner.unsigned()) else {
                throw scanner.failure(failure("a dimension of 2⁶³ or more"))
            }
            let (product, overflowed) = count.multipliedReportingOverflow(by: size)
            guard !overflowed else { throw scanner.failure(failure("a shape whose size overflows 64 bits")) }
            count = product
            dimensions.append(size)
        }
        return (dimensions, count)
    }

    private static func offsets(
        _ scanner: inout JSONScanner, _ name: String
    ) throws -> (begin: UInt64, end: UInt64) {
        var offsets = (begin: UInt64(0), end: UInt64(0))
        var count = 0
        try scanner.array { scanner in
            count += 1
            offsets = (offsets.end, try scanner.unsigned())
        }
        guard count == 2 else {
            throw scanner.failure("the tensor \(quoted(name)) has \(count) data_offsets instead of 2")
        }
        return offsets
    }

    private static func type(_ scanner: inout JSONScanner, _ name: String) throws -> SafetensorsType {
        let text = try scanner.string()
        guard let type = SafetensorsType(rawValue: text) else {
            throw scanner.failure("the tensor \(quoted(name)) has the unknown dtype \(quoted(text))")
        }
        return type
    }

    /// The ranges must fill the data from its first to its last byte without gap or overlap.
    private func checkRanges(dataByteCount: Int, place: String) throws {
        func isBefore(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
            (left.lowerBound, left.upperBound) < (right.lowerBound, right.upperBound)
        }
        let ranges = entries.values.lazy.map(\.range)
        var order = Array(ranges.indices)
        if zip(ranges, ranges.dropFirst()).contains(where: { isBefore($1, $0) }) {
            order.sort { isBefore(ranges[$0], ranges[$1]) }
        }
        var end = 0
        for index in order {
            let range = ranges[index]
            guard range.lowerBound == end else {
                let name = quoted(entries.names[index])
                throw CheckpointError(
                    place,
                    "the tensor \(name) begins at byte \(range.lowerBound) of the data where "
                        + "byte \(end) is next; tensors may neither overlap nor leave gaps")
            }
            end = range.upperBound
        }
        guard end == dataByteCount else {
            throw CheckpointError(
                place,
                "its tensors need \(end) bytes, \(dataByteCount) follow the header; "
                    + "it was cut short or something was added to it")
        }
    }
}
