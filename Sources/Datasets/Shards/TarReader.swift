import Storage

/// The regular files of a tar archive, one after the other: nothing is extracted, and names are only names.
///
/// The forms that are read are ustar, pax, GNU's and the old one, with long names and large sizes. Links, devices, folders
/// and pipes are passed over.
struct TarReader {
    /// A regular file.
    struct Member {
        let name: String
        let size: Int
    }

    /// The most bytes of an extended header or a long name.
    private static let longestExtension = 1 << 16
    /// The most extended headers before a member.
    private static let mostExtensions = 8
    /// What programs add to the end at the most, to fill a record.
    private static let longestPadding = 1 << 20

    let bytes: ShardBytes
    /// How much of the present member's content, and of what fills its last block, was not passed yet.
    private var rest = 0
    private var padding = 0

    init(_ bytes: ShardBytes) { self.bytes = bytes }

    private func refusal(_ error: TarError) -> DatasetError {
        DatasetError(
            bytes.path, "this is no sound tar archive: \(error.problem)", remedy: "fetch or pack it again")
    }

    /// The next regular file; nil at the end of the archive.
    /// - Throws: ``DatasetError`` where the archive is damaged or cut short.
    mutating func next() throws -> Member? {
        do {
            return try member()
        } catch let error as TarError {
            throw refusal(error)
        }
    }

    /// The content of the present member, which is read once.
    /// - Throws: ``DatasetError`` where it has more than `limit` bytes, or the archive is cut short.
    mutating func content(limit: Int) throws -> [UInt8] {
        guard rest <= limit else {
            throw refusal(TarError("a member has \(rest) bytes, where \(limit) is the most"))
        }
        guard rest > 0 else { return [] }
        guard let content = try bytes.read(rest), content.count == rest else { throw bytes.cutShort }
        rest = 0
        return content
    }

    private mutating func member() throws -> Member? {
        var before = Extensions()
        while let header = try header() {
            switch header.type {
            case UInt8(ascii: "x"): before.records = try PaxRecords(extended())
            // Of a global header nothing matters here but that it is sound.
            case UInt8(ascii: "g"): _ = try PaxRecords(extended())
            case UInt8(ascii: "L"):
                before.longName = String(decoding: try extended().prefix { $0 != 0 }, as: UTF8.self)
            case UInt8(ascii: "K"): _ = try extended()
            case UInt8(ascii: "S"): throw TarError.sparse
            case UInt8(ascii: "0"), UInt8(ascii: "7"), 0:
                if let size = before.records?.size { begin(size) }
                let name = before.records?.path ?? before.longName ?? header.name
                // The old form has no other mark of folders.
                if !name.hasSuffix("/") { return Member(name: name, size: rest) }
                before = Extensions()
                continue
            default:
                before = Extensions()
                continue
            }
            before.count += 1
            guard before.count <= Self.mostExtensions else {
                throw TarError(
                    "there are more than \(Self.mostExtensions) extended headers before a member")
            }
        }
        return nil
    }

    /// What headers before that of a member state about it.
    private struct Extensions {
        var longName: String?
        var records: PaxRecords?
        var count = 0
    }

    /// The content of an extended header.
    private mutating func extended() throws -> [UInt8] {
        guard rest <= Self.longestExtension else {
            throw TarError("an extended header has \(rest) bytes, where \(Self.longestExtension) is the most")
        }
        return try content(limit: Self.longestExtension)
    }

    /// The header after the present member; nil at the end of the archive.
    private mutating func header() throws -> TarHeader? {
        try bytes.skip(rest + padding)
        begin(0)
        guard let block = try bytes.read(TarHeader.length) else {
            throw TarError("its end mark is missing, so it is cut short")
        }
        guard block.allSatisfy({ $0 == 0 }) else {
            let header = try TarHeader(block)
            begin(header.size)
            return header
        }
        try checkEnd()
        return nil
    }

    private mutating func begin(_ size: Int) {
        (rest, padding) = (size, (TarHeader.length - size % TarHeader.length) % TarHeader.length)
    }

    /// Two blocks of zeros are the end; what follows only fills a record.
    private func checkEnd() throws {
        var count = 0
        while let block = try bytes.read(1) {
            count += 1
            guard block[0] == 0, count <= Self.longestPadding else {
                throw TarError("there is more behind its end mark")
            }
        }
    }
}
