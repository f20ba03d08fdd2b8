/// Exif data: a TIFF file of tags (Exif 2.3, section 4; TIFF 6.0, section 2).
struct Exif {
    /// What stands before the data in a JPEG, and sometimes elsewhere.
    static let mark = Array("Exif\0\0".utf8)

    /// The tags that are read or written here.
    enum Tag {
        static let (imageDescription, make, model) = (0x10E, 0x10F, 0x110)
        static let orientation = 0x112
        static let exifDirectory = 0x8769
        static let userComment = 0x9286
    }

    private let tiff: ArraySlice<UInt8>
    private let isLittle: Bool
    private var first = 0

    /// Data with or without the mark before them; `nil` where they are no TIFF.
    init?(_ bytes: ArraySlice<UInt8>) {
        var tiff = bytes
        for _ in 0..<2 where tiff.starts(with: Self.mark) { tiff = tiff.dropFirst(Self.mark.count) }
        self.tiff = tiff
        isLittle = tiff.starts(with: Array("II".utf8))
        guard isLittle || tiff.starts(with: Array("MM".utf8)), [42, 42 << 8].contains(number(2, 2)),
            let directory = number(4, 4)
        else { return nil }
        first = directory
    }

    /// A tag of the first directory as a whole number of one of some types, given by their sizes.
    func number(of tag: Int, sizes: [Int: Int]) -> Int? {
        entry(tag, in: first) { type, count, offset in
            guard let size = sizes[type], count > 0, let place = place(size * count, offset) else {
                return nil
            }
            return number(place, size)
        }
    }

    /// The bytes of a tag of the first directory, or of the one that it leads to: a text (type 2) or bytes of any meaning
    /// (types 1 and 7).
    func bytes(of tag: Int, inExifDirectory isBelow: Bool = false) -> ArraySlice<UInt8>? {
        let below = isBelow ? number(of: Tag.exifDirectory, sizes: [4: 4]) : first
        return below.flatMap { directory in
            entry(tag, in: directory) { type, count, offset in
                guard [1, 2, 7].contains(type), let place = place(count, offset) else { return nil }
                return slice(place, count)
            }
        }
    }

    /// What `read` makes of the first entry of a tag that it can read.
    private func entry<Value>(
        _ tag: Int, in directory: Int, _ read: (_ type: Int, _ count: Int, _ offset: Int) -> Value?
    ) -> Value? {
        guard let entries = number(directory, 2) else { return nil }
        for entry in 0..<entries {
            let offset = directory + 2 + entry * 12
            guard let found = number(offset, 2), let type = number(offset + 2, 2),
                let count = number(offset + 4, 4), number(offset + 8, 4) != nil
            else { return nil }
            if found == tag, let value = read(type, count, offset + 8) { return value }
        }
        return nil
    }

    /// Where a value of some bytes lies: in the entry itself where it has four at the most.
    private func place(_ byteCount: Int, _ offset: Int) -> Int? {
        byteCount > 4 ? number(offset, 4) : offset
    }

    private func number(_ offset: Int, _ count: Int) -> Int? {
        slice(offset, count).map { digits in
            isLittle
                ? digits.reversed().reduce(0) { $0 << 8 | Int($1) } : digits.reduce(0) { $0 << 8 | Int($1) }
        }
    }

    private func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, offset <= tiff.count, count >= 0, count <= tiff.count - offset else { return nil }
        return tiff[(tiff.startIndex + offset)..<(tiff.startIndex + offset + count)]
    }
}

// MARK: Texts

extension Exif {
    /// The texts of the data: the user's comment is `parameters`, as AUTOMATIC1111 writes it; a description, maker or model of
    /// the form `word:{…}` is that word's, as ComfyUI writes them.
    var texts: [PictureText] {
        var texts: [PictureText] = []
        if let comment = bytes(of: Tag.userComment, inExifDirectory: true).flatMap(text(ofComment:)),
            !comment.isEmpty
        {
            texts.append(PictureText("parameters", comment))
        }
        for tag in [Tag.imageDescription, Tag.make, Tag.model] {
            guard let bytes = bytes(of: tag), let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
                bytes[colon...].dropFirst().first == UInt8(ascii: "{"),
                bytes[..<colon].allSatisfy({ (97...122).contains($0) || $0 == UInt8(ascii: "_") })
            else { continue }
            let text = bytes[(colon + 1)...].prefix { $0 != 0 }
            texts.append(
                PictureText(
                    String(decoding: bytes[..<colon], as: UTF8.self), String(decoding: text, as: UTF8.self)))
        }
        return texts
    }

    /// A comment by the eight bytes of its encoding. Unicode is UTF-16, highest byte first as AUTOMATIC1111 writes it; some
    /// programs write the lowest first, which the zeros of ordinary letters tell.
    private func text(ofComment bytes: ArraySlice<UInt8>) -> String? {
        let body = bytes.dropFirst(8)
        if bytes.starts(with: Array("UNICODE\0".utf8)) {
            let high = body.enumerated().count { $0.offset % 2 == 0 && $0.element == 0 }
            let low = body.enumerated().count { $0.offset % 2 == 1 && $0.element == 0 }
            let units = stride(from: body.startIndex, to: body.endIndex - 1, by: 2).map {
                let (first, second) = (UInt16(body[$0]), UInt16(body[$0 + 1]))
                return low > high ? second << 8 | first : first << 8 | second
            }
            return String(decoding: units, as: UTF16.self).trimmedOfNUL
        }
        guard bytes.starts(with: Array("ASCII\0\0\0".utf8)) || bytes.prefix(8).allSatisfy({ $0 == 0 }) else {
            return nil
        }
        return String(decoding: body, as: UTF8.self).trimmedOfNUL
    }

    /// Data that hold texts: that of `parameters` as the user's comment, another as the description.
    static func encoded(_ texts: [PictureText]) -> [UInt8]? {
        let comment = texts.first { $0.keyword == "parameters" }.map { text in
            Array("UNICODE\0".utf8)
                + text.text.utf16.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
        }
        let description = texts.first { $0.keyword != "parameters" }.map {
            Array("\($0.keyword):\($0.text)".utf8) + [0]
        }
        guard comment != nil || description != nil else { return nil }
        var data = Array("II".utf8) + word(42, 2) + word(8, 4)
        // Entries stand in the order of their tags; values behind the directories.
        let entries = (description == nil ? 0 : 1) + (comment == nil ? 0 : 1)
        let below = 8 + 2 + 12 * entries + 4
        var place = below + (comment == nil ? 0 : 2 + 12 + 4)
        data += word(entries, 2)
        if let description {
            data += word(Tag.imageDescription, 2) + word(2, 2) + word(description.count, 4) + word(place, 4)
            place += description.count + description.count % 2
        }
        if comment != nil { data += word(Tag.exifDirectory, 2) + word(4, 2) + word(1, 4) + word(below, 4) }
        data += word(0, 4)
        if let comment {
            data +=
                word(1, 2) + word(Tag.userComment, 2) + word(7, 2) + word(comment.count, 4) + word(place, 4)
                + word(0, 4)
        }
        if let description { data += description + [UInt8](repeating: 0, count: description.count % 2) }
        return data + (comment ?? [])
    }

    /// A number of some bytes, the lowest first.
    static func word(_ value: Int, _ byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}

extension String {
    /// Without what fills a field of fixed length.
    fileprivate var trimmedOfNUL: String { String(prefix { $0 != "\0" }) }
}
