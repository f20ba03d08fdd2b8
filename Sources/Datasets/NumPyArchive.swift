import Checkpoints
import Storage
import Tensors

/// The arrays of an `.npz` archive as NumPy writes it: a zip file with one `.npy` file an array.
///
/// Only plain arrays of numbers in C order are read, never objects, whose reading could run code.
/// Source: NumPy's `numpy.lib.format`, versions 1 to 3 of the format.
struct NumPyArchive {
    /// The most bytes that an array may have: far above sets of points, and below the machine's memory.
    private static let maximalByteCount = 1 << 32
    private static let suffix = ".npy"

    private let archive: ZipArchive
    private let path: String

    /// Opens an archive.
    /// - Throws: `ContentError` where the file is no sound zip archive.
    init(_ path: String) throws {
        self.path = path
        archive = try ZipArchive(RegularFile(opening: path))
    }

    /// Whether a file begins as a zip archive does.
    /// - Throws: `ContentError` where it cannot be read.
    static func isArchive(_ path: String) throws -> Bool {
        let file = try RegularFile(opening: path)
        return try file.read(min(4, file.byteCount), at: 0).starts(with: "PK".utf8)
    }

    /// The names of the arrays.
    var names: [String] {
        archive.entries.names.filter { $0.hasSuffix(Self.suffix) }.map {
            String($0.dropLast(Self.suffix.count))
        }
    }

    /// An array.
    /// - Throws: `ContentError` where its header or its bytes are damaged, or its type is none of those here.
    func tensor(named name: String) throws -> Tensor {
        let bytes = try archive.contents(of: name + Self.suffix, limit: Self.maximalByteCount)
        let array = try NumPyArray(bytes, place: "\(path), \(quoted(name))")
        return array.tensor
    }
}

/// One `.npy` file: a magic word, the header as a Python dictionary, and the elements.
struct NumPyArray {
    let tensor: Tensor

    /// Reads a file.
    /// - Throws: `ContentError` that says what is wrong with it.
    init(_ bytes: [UInt8], place: String) throws {
        func refusal(_ problem: String) -> ContentError { ContentError(place, problem) }
        guard bytes.starts(with: [0x93] + Array("NUMPY".utf8)), bytes.count >= 12 else {
            throw refusal("this is no array as NumPy writes it")
        }
        // Version 1 has two bytes for the length of the header, the later ones four.
        let start = bytes[6] == 1 ? 10 : 12
        guard (1...3).contains(bytes[6]) else { throw refusal("the format's version is \(bytes[6])") }
        let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= 65_536, length <= bytes.count - start else {
            throw refusal("the header is cut short")
        }
        let header = try NumPyHeader(bytes[start..<(start + length)], place: place)
        guard let type = Self.types[header.type] else {
            throw refusal(
                "its elements are of type \(quoted(header.type)): save float32, float64 or whole numbers")
        }
        guard !header.isFortranOrder else { throw refusal("it is in Fortran order: save it in C order") }
        var count = type.byteCount
        for extent in header.shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw refusal("its shape \(header.shape) is too large") }
            count = product
        }
        guard count == bytes.count - start - length else {
            throw refusal(
                "its shape \(header.shape) needs \(count) bytes, and there are \(bytes.count - start - length)"
            )
        }
        tensor = bytes[(start + length)...].withUnsafeBytes {
            Tensor(bytes: $0, shape: Shape(header.shape), elementType: type)
        }
        try tensor.rethrow()
    }

    /// Little-endian types by NumPy's names.
    private static let types: [String: ElementType] = [
        "<f4": .float32, "<f8": .float64, "<i8": .int64, "<i4": .int32, "<i2": .int16, "|i1": .int8,
        "|u1": .uint8,
    ]
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`, padded by spaces and ended by a line feed.
private struct NumPyHeader {
    var type = ""
    var isFortranOrder = false
    var shape: [Int] = []

    private var rest: ArraySlice<UInt8>
    private let place: String

    init(_ bytes: ArraySlice<UInt8>, place: String) throws {
        (rest, self.place) = (bytes, place)
        var seen: Set<String> = []
        try take("{")
        while !skip("}") {
            let key = try text()
            guard seen.insert(key).inserted else { throw damaged }
            try take(":")
            switch key {
            case "descr": type = try text()
            case "fortran_order": isFortranOrder = try truth()
            case "shape": shape = try numbers()
            default: throw damaged
            }
            guard skip(",") || rest.drop(while: isSpace).first == UInt8(ascii: "}") else { throw damaged }
        }
        guard rest.allSatisfy(isSpace), seen.count == 3 else { throw damaged }
    }

    private var damaged: ContentError {
        ContentError(place, "the header is not as NumPy writes it; save the array again")
    }

    /// Passes over a word after spaces, where it stands there.
    private mutating func skip(_ word: String) -> Bool {
        let trimmed = rest.drop(while: isSpace)
        guard trimmed.starts(with: word.utf8) else { return false }
        rest = trimmed.dropFirst(word.utf8.count)
        return true
    }

    private mutating func take(_ word: String) throws { guard skip(word) else { throw damaged } }

    private mutating func text() throws -> String {
        try take("'")
        let text = rest.prefix { $0 != UInt8(ascii: "'") && $0 >= 32 && $0 < 127 }
        rest = rest[text.endIndex...]
        try take("'")
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func truth() throws -> Bool {
        if skip("True") { return true }
        try take("False")
        return false
    }

    private mutating func numbers() throws -> [Int] {
        try take("(")
        var numbers: [Int] = []
        while !skip(")") {
            rest = rest.drop(while: isSpace)
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let number = Int(String(decoding: digits, as: UTF8.self)), numbers.count < 8 else {
                throw damaged
            }
            rest = rest[digits.endIndex...]
            numbers.append(number)
            guard skip(",") || rest.drop(while: isSpace).first == UInt8(ascii: ")") else { throw damaged }
        }
        return numbers
    }
}

private func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") }
