/// Reads JSON (RFC 8259) byte by byte and nothing more lenient: no repeated keys, no trailing commas, no
/// byte-order mark, no other encoding than UTF-8, no lone surrogates, no leading zeros.
///
/// It is the only JSON reader here, for headers of model files (read entry by entry, with no tree in
/// memory) and for configurations (`JSONValue`). Nesting ends at 127 levels, where the reference reader
/// of safetensors ends it too.
package struct JSONScanner {
    package static let deepest = 127
    /// The most bytes that a string may have.
    package static let longestString = 16 << 20
    /// The most memory that a tree of values may take, about.
    package static let largestTree = 32 << 20

    /// The text. Whoever makes a scanner keeps this memory alive.
    let bytes: UnsafeRawBufferPointer
    /// The name of the file for messages.
    let place: String
    /// Whether `NaN`, `Infinity` and `-Infinity` are numbers here. Python writes them.
    var allowsNonFinite = false
    package private(set) var position = 0
    private var depth = 0
    /// What is left of `largestTree` for the present one.
    private var room = 0

    package init(_ bytes: UnsafeRawBufferPointer, place: String, allowsNonFinite: Bool = false) {
        self.bytes = bytes
        self.place = place
        self.allowsNonFinite = allowsNonFinite
    }

    /// An error at a byte of the text, with its line and column.
    package func failure(_ problem: String, at byte: Int? = nil) -> ContentError {
        var (line, column) = (1, 1)
        for byte in bytes[..<min(byte ?? position, bytes.count)] {
            (line, column) = byte == .newline ? (line + 1, 1) : (line, column + 1)
        }
        return ContentError(place, "\(problem) (line \(line), column \(column))")
    }

    /// Begins a tree of values.
    package mutating func beginTree() { room = Self.largestTree }

    /// Takes note of memory that the tree needs.
    /// - Throws: `ContentError` where it is more than a tree may take: a short text can describe a large one.
    package mutating func reserve(_ byteCount: Int) throws {
        room -= byteCount
        guard room >= 0 else { throw failure("the JSON holds more values than a configuration needs") }
    }

    /// The byte at the current position, nil at the end.
    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// The first byte of the next value, nil at the end.
    @inline(__always)
    package mutating func peek() -> UInt8? {
        while let byte = next {
            // Whatever is above a space is none: one comparison decides most bytes.
            guard byte <= .space else { return byte }
            guard byte == .space || byte == .newline || byte == .tab || byte == .carriageReturn else {
                return byte
            }
            position += 1
        }
        return nil
    }

    /// Refuses anything but white space up to the end of the text.
    package mutating func end() throws {
        guard peek() == nil else { throw failure("nothing may follow the JSON value") }
    }

    @inline(__always)
    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private mutating func enter() throws {
        depth += 1
        guard depth <= Self.deepest else {
            throw failure("the JSON is nested deeper than \(Self.deepest) levels")
        }
    }

    /// Reads an object. `member` is called behind each key's colon and reads the value; refusing repeated
    /// keys is its duty, because it is the one that keeps them.
    package mutating func object(_ member: (inout JSONScanner, _ key: ScannedString) throws -> Void) throws {
        guard take(.openBrace) else { throw failure("an object in braces was expected") }
        try enter()
        if !take(.closeBrace) {
            repeat {
                guard peek() == .quote else { throw failure("a key in double quotes was expected") }
                let key = try scannedString()
                guard take(.colon) else {
                    throw failure("a colon was expected after the key \(quoted(key.text))")
                }
                try member(&self, key)
            } while take(.comma)
            guard take(.closeBrace) else { throw failure("a comma or a closing brace was expected") }
        }
        depth -= 1
    }

    /// Reads an array. `element` is called at each element and reads it.
    package mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
        guard take(.openBracket) else { throw failure("a list in brackets was expected") }
        try enter()
        if !take(.closeBracket) {
            repeat { try element(&self) } while take(.comma)
            guard take(.closeBracket) else { throw failure("a comma or a closing bracket was expected") }
        }
        depth -= 1
    }

    /// Reads a whole number from 0 to 2⁶⁴ - 1: digits only.
    package mutating func unsigned() throws -> UInt64 {
        _ = peek()
        let start = position
        var value: UInt64 = 0
        while let byte = next, let digit = byte.decimalDigit {
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(digit))
            guard !overflowed, !carried else { throw failure("a number exceeds 2⁶⁴ - 1", at: start) }
            value = sum
            position += 1
        }
        let ends = next.map { $0 != .point && $0 | 0x20 != .lowerE } ?? true
        guard position > start, ends else {
            throw failure("a whole number of 0 or more, in plain digits, was expected", at: start)
        }
        guard bytes[start] != .zero || position == start + 1 else {
            throw failure("a number begins with a needless 0", at: start)
        }
        return value
    }

    /// Reads any number: an integer when it is written as one and fits, otherwise a double.
    package mutating func number() throws -> JSONValue {
        _ = peek()
        let start = position
        if next == .minus { position += 1 }
        if allowsNonFinite, word("Infinity") {
            return .number(bytes[start] == .minus ? -.infinity : .infinity)
        }
        let integerStart = position
        var isInteger = true
        guard digits() > 0 else { throw failure("a value was expected", at: start) }
        guard bytes[integerStart] != .zero || position == integerStart + 1 else {
            throw failure("a number begins with a needless 0", at: start)
        }
        if next == .point {
            position += 1
            isInteger = false
            guard digits() > 0 else { throw failure("digits were expected behind the point") }
        }
        if let byte = next, byte | 0x20 == .lowerE {
            position += 1
            isInteger = false
            if next == .plus || next == .minus { position += 1 }
            guard digits() > 0 else { throw failure("digits were expected in the exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let value = Double(text), value.isFinite else {
            throw failure("the number \(quoted(text)) is out of range", at: start)
        }
        return .number(value)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = next, byte.decimalDigit != nil { position += 1 }
        return position - start
    }

    /// Takes a word such as `null` when it stands here.
    package mutating func word(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard count <= bytes.count - position else { return false }
        for i in 0..<count where bytes[position + i] != word.utf8Start[i] { return false }
        position += count
        return true
    }

    /// Reads a string, its escapes resolved.
    package mutating func string() throws -> String { try scannedString().text }

    /// Reads a string that may be needed for a comparison only.
    package mutating func scannedString() throws -> ScannedString {
        guard take(.quote) else { throw failure("a string in double quotes was expected") }
        let start = position
        var isASCII = true
        while let byte = next {
            switch byte {
            case .quote:
                let range = start..<position
                guard range.count <= Self.longestString else { throw tooLong(from: start) }
                position += 1
                return isASCII
                    ? .plain(UnsafeRawBufferPointer(rebasing: bytes[range])) : .decoded(try decode(range))
            case .backslash:
                return .decoded(try stringWithEscapes(from: start))
            case 0..<0x20:
                throw failure("a control character stands in a string; it must be escaped")
            default:
                if byte >= 0x80 { isASCII = false }
                position += 1
            }
        }
        throw failure("the text ends inside a string", at: start)
    }

    /// The text of a range, which must be strict UTF-8.
    private func decode(_ range: Range<Int>) throws -> String {
        let source = UnsafeRawBufferPointer(rebasing: bytes[range])
        let text = String(decoding: source, as: UTF8.self)
        // Decoding repairs what is not UTF-8, so a text that comes back unchanged was valid.
        guard text.utf8.elementsEqual(source) else {
            throw failure("a string is not valid UTF-8", at: range.lowerBound)
        }
        return text
    }

    private func tooLong(from start: Int) -> ContentError {
        failure("a string has more than \(Self.longestString) bytes", at: start)
    }

    private mutating func stringWithEscapes(from start: Int) throws -> String {
        var text = try decode(start..<position)
        while let byte = next {
            guard position - start <= Self.longestString else { throw tooLong(from: start) }
            if byte == .quote {
                position += 1
                return text
            }
            if byte == .backslash {
                position += 1
                text.unicodeScalars.append(try escape())
                continue
            }
            let piece = position
            while let byte = next, byte != .quote, byte != .backslash {
                guard byte >= 0x20 else {
                    throw failure("a control character stands in a string; it must be escaped")
                }
                position += 1
            }
            text += try decode(piece..<position)
        }
        throw failure("the text ends inside a string", at: start)
    }

    /// Reads what follows a backslash.
    private mutating func escape() throws -> Unicode.Scalar {
        guard let byte = next else { throw failure("the text ends inside a string") }
        position += 1
        switch byte {
        case .quote: return "\""
        case .backslash: return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure("an unknown escape stands in a string", at: position - 1)
        }
    }

    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        let start = position
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // Only a leading surrogate followed at once by a trailing one names a character.
        guard first < 0xDC00, word("\\u") else { throw failure("a surrogate stands alone", at: start) }
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw failure("a surrogate stands alone", at: start) }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits were expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

/// A string of a JSON text. Most are compared with a few words and needed no further, so a `String` is made
/// only on demand. It lives no longer than the text.
package enum ScannedString {
    /// ASCII without escapes, as it stands in the text.
    case plain(UnsafeRawBufferPointer)
    /// Any other, its escapes resolved.
    case decoded(String)

    /// The string.
    package var text: String {
        switch self {
        case .plain(let bytes): String(decoding: bytes, as: UTF8.self)
        case .decoded(let text): text
        }
    }

    /// Whether it has the bytes of `word`.
    package static func ~= (word: StaticString, string: ScannedString) -> Bool {
        let word = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return switch string {
        case .plain(let bytes): bytes.elementsEqual(word)
        case .decoded(let text): text.utf8.elementsEqual(word)
        }
    }
}

extension UInt8 {
    package static let space = UInt8(ascii: " ")
    package static let newline = UInt8(ascii: "\n")
    package static let tab = UInt8(ascii: "\t")
    package static let carriageReturn = UInt8(ascii: "\r")
    package static let quote = UInt8(ascii: "\"")
    package static let backslash = UInt8(ascii: "\\")
    package static let comma = UInt8(ascii: ",")
    package static let colon = UInt8(ascii: ":")
    package static let point = UInt8(ascii: ".")
    package static let plus = UInt8(ascii: "+")
    package static let minus = UInt8(ascii: "-")
    package static let zero = UInt8(ascii: "0")
    package static let lowerE = UInt8(ascii: "e")
    package static let openBrace = UInt8(ascii: "{")
    package static let closeBrace = UInt8(ascii: "}")
    package static let openBracket = UInt8(ascii: "[")
    package static let closeBracket = UInt8(ascii: "]")

    package var decimalDigit: UInt8? {
        let digit = self &- .zero
        return digit < 10 ? digit : nil
    }
}
