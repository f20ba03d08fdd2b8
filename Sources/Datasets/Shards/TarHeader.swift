import Storage

/// A block of 512 bytes before each member of a tar archive.
///
/// Source: POSIX.1-2017, *pax*, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
struct TarHeader {
    static let length = 512
    /// Sizes have eleven octal digits, and members of data sets fewer.
    private static let mostBytes = 1 << 33

    let name: String
    /// The bytes of the content.
    let size: Int
    /// What kind of member it is.
    let type: UInt8

    /// Reads a block.
    /// - Throws: the reason why it is no header.
    init(_ block: [UInt8]) throws(TarError) {
        guard Self.hasRightSum(block) else { throw TarError("a header's checksum is wrong") }
        guard let size = Self.number(block[124..<136]) else {
            throw TarError("a header's size is no number")
        }
        type = block[156]
        guard size <= Self.mostBytes else {
            throw TarError("a member claims \(size) bytes, where \(Self.mostBytes) is the most")
        }
        // Links, devices, folders and pipes have no content, whatever their headers say.
        self.size = (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(type) ? 0 : size
        let isStandard = block[257..<263].elementsEqual(Array("ustar\0".utf8))
        let prefix = isStandard ? Self.text(block[345..<500]) : ""
        let own = Self.text(block[0..<100])
        name = prefix.isEmpty ? own : prefix + "/" + own
    }

    /// Whether the sum of the block's bytes, the sum's own taken for spaces, is the one that it states. Some old programs
    /// took bytes for signed.
    private static func hasRightSum(_ block: [UInt8]) -> Bool {
        guard let stated = number(block[148..<156]) else { return false }
        var (sum, signed) = (0, 0)
        for (place, byte) in block.enumerated() {
            let byte = (148..<156).contains(place) ? UInt8(ascii: " ") : byte
            sum += Int(byte)
            signed += Int(Int8(bitPattern: byte))
        }
        return stated == sum || stated == signed
    }

    /// Octal digits between spaces and NULs, or, where the first bit is set, a number to the base of 256; nil where it is
    /// neither, or negative.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            guard first == 0x80, field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: " ") && $0 != 0 }
        guard field[digits.endIndex...].allSatisfy({ $0 == UInt8(ascii: " ") || $0 == 0 }) else { return nil }
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 - UInt8(ascii: "0")) }
    }

    /// The bytes before the first NUL.
    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }
}

/// Why a tar archive is refused.
struct TarError: Error {
    let problem: String
    init(_ problem: String) { self.problem = problem }
}

/// What an extended header states about the member after it.
/// Source: POSIX.1-2017, *pax*, "pax Extended Header".
struct PaxRecords {
    private(set) var path: String?
    private(set) var size: Int?

    /// Reads records `length key=value\n`, the length that of the whole record in decimal digits.
    init(_ bytes: [UInt8]) throws(TarError) {
        let damaged = TarError("an extended header is damaged")
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0 != UInt8(ascii: " ") }
            guard digits.count < 8, let length = Int(String(decoding: digits, as: UTF8.self)),
                length > digits.count + 1, length <= rest.count
            else { throw damaged }
            let record = rest.prefix(length).dropFirst(digits.count + 1)
            guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "="))
            else { throw damaged }
            let key = String(decoding: record[..<equals], as: UTF8.self)
            let value = String(decoding: record[(equals + 1)...].dropLast(), as: UTF8.self)
            if key == "path" { path = value }
            if key == "size" {
                guard let number = Int(value), number >= 0, !value.hasPrefix("+") else { throw damaged }
                size = number
            }
            guard !key.hasPrefix("GNU.sparse") else { throw TarError.sparse }
            rest = rest.dropFirst(length)
        }
    }
}

extension TarError {
    static let sparse = TarError("a member is stored with holes: pack it again without --sparse")
}
