import Storage

/// The header of a GGUF file, number by number. It is read piece by piece, because its length stands nowhere, and never
/// mapped, so that a file that is cut meanwhile is an error here.
struct GGUFReader {
    private let file: RegularFile
    /// Where the next byte stands in the file.
    private(set) var position = 0
    private var piece: [UInt8] = []
    private var pieceStart = 0

    init(_ file: RegularFile) {
        self.file = file
    }

    /// How many bytes of the file are left.
    var rest: Int { file.byteCount - position }

    func failure(_ problem: String) -> CheckpointError { CheckpointError(file.path, problem) }
    var cutShort: CheckpointError { failure("its header is longer than the file; fetch it again") }

    /// The next bytes.
    mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= rest else { throw cutShort }
        guard position + count <= GGUFHeader.maximalByteCount else {
            throw failure("its header has more than the \(GGUFHeader.maximalByteCount) bytes allowed")
        }
        if position < pieceStart || position + count > pieceStart + piece.count {
            piece = try file.read(min(max(count, 1 << 16), rest), at: position)
            pieceStart = position
        }
        defer { position += count }
        return piece[(position - pieceStart)..<(position - pieceStart + count)]
    }

    /// Passes over bytes.
    mutating func skip(_ count: Int) throws {
        guard count <= rest else { throw cutShort }
        position += count
        guard position <= GGUFHeader.maximalByteCount else {
            throw failure("its header has more than the \(GGUFHeader.maximalByteCount) bytes allowed")
        }
    }

    /// An unsigned number of at most 8 bytes.
    mutating func unsigned(_ byteCount: Int) throws -> UInt64 {
        try take(byteCount).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A number as a size; one that no size can be is longer than any file.
    mutating func size(_ byteCount: Int) throws -> Int { Int(clamping: try unsigned(byteCount)) }

    /// A text with its length before it.
    mutating func text() throws -> String {
        let count = try size(8)
        guard count <= GGUFHeader.maximalTextByteCount else {
            throw failure("a name or text in it claims \(count) bytes")
        }
        let bytes = try take(count)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure("a name or text in it is no UTF-8")
        }
        return text
    }

    /// Throws where so many things cannot stand in what is left of the file.
    func check(_ count: Int, _ things: String, ofAtLeast byteCount: Int) throws {
        guard count <= rest / byteCount else {
            throw failure("it claims \(count) \(things), more than the file has room for")
        }
    }

    /// The number of elements of a shape.
    func product(_ extents: [Int], _ name: String) throws -> Int {
        try extents.reduce(1) { product, extent in
            let (next, overflow) = product.multipliedReportingOverflow(by: extent)
            guard !overflow else {
                throw failure("the tensor \(quoted(name)) claims more numbers than can be")
            }
            return next
        }
    }
}
