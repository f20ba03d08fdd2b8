import Storage

/// The lines of a text file, read piece by piece: no line is longer than a mebibyte, and only one is in memory.
struct LineReader {
    /// The most bytes of a line: a long caption takes some thousand.
    private static let longest = 1 << 20
    private static let pieceLength = 1 << 18

    private let file: RegularFile
    /// Whether a line goes on after its end where it holds an odd number of quotation marks, as in RFC 4180.
    private let joinsQuoted: Bool
    private var piece: [UInt8] = []
    private var place = 0
    private var offset = 0
    /// The number of the line that was read last, counted from 1.
    private(set) var number = 0
    private var lineCount = 0

    /// Opens a file.
    /// - Throws: ``DatasetError`` where it is no regular file, or larger than `limit`.
    init(_ path: String, joinsQuoted: Bool = false, limit: Int) throws {
        do {
            file = try RegularFile(opening: path)
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "correct or remove it")
        }
        guard file.byteCount <= limit else {
            throw DatasetError(
                path, "it has \(file.byteCount) bytes, where \(limit) is the most",
                remedy: "divide the pictures into several folders")
        }
        self.joinsQuoted = joinsQuoted
    }

    /// The next line, without its end; nil after the last one.
    /// - Throws: ``DatasetError`` where it is too long or cannot be read.
    mutating func next() throws -> ArraySlice<UInt8>? {
        number = lineCount + 1
        var (line, quotes): ([UInt8], Int) = ([], 0)
        while true {
            if place == piece.count {
                guard try readPiece() else { return line.isEmpty ? nil : line[...] }
            }
            let end = piece[place...].firstIndex(of: UInt8(ascii: "\n"))
            let part = piece[place..<(end ?? piece.count)]
            place = end.map { $0 + 1 } ?? piece.count
            line += part
            guard line.count <= Self.longest else {
                throw DatasetError(
                    file.path, "line \(number) has more than \(Self.longest) bytes", remedy: "shorten it")
            }
            if joinsQuoted { quotes += part.count { $0 == UInt8(ascii: "\"") } }
            guard end != nil else { continue }
            lineCount += 1
            if quotes % 2 == 0 { return line.last == UInt8(ascii: "\r") ? line.dropLast() : line[...] }
            line.append(UInt8(ascii: "\n"))
        }
    }

    /// Reads on; false at the end of the file.
    private mutating func readPiece() throws -> Bool {
        let count = min(Self.pieceLength, file.byteCount - offset)
        guard count > 0 else { return false }
        do {
            piece = try file.read(count, at: offset)
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "check it")
        }
        (offset, place) = (offset + count, 0)
        return true
    }
}
