/// Which way up a stored picture is: what the Exif data of its file say, or the XMP data where Exif says nothing.
struct Orientation {
    /// 1…8 as Exif numbers them (Exif 2.3, section 4.6.4); 1 where the file gives none or nonsense.
    let value: Int

    /// - Parameters:
    ///   - exif: a TIFF file that holds the tags, with or without the mark `Exif` before it.
    ///   - xmp: a text of XML.
    init(exif: ArraySlice<UInt8>?, xmp: ArraySlice<UInt8>?) {
        let said = exif.flatMap(Self.tag(inExif:)) ?? xmp.flatMap(Self.element(inXMP:)) ?? 1
        value = (1...8).contains(said) ? said : 1
    }

    /// Text and compressed data that unpack to more say nothing about a picture's top.
    static let mostBytes = 1 << 20

    private static let number = 274
    /// Bytes of a value of the types of TIFF 6.0 (section 2) that are whole numbers, signed ones among them. Pillow takes
    /// none from type 1, whose values are bytes of any meaning.
    private static let sizes = [3: 2, 4: 4, 6: 1, 8: 2, 9: 4]

    /// The value of the tag in the first directory.
    private static func tag(inExif exif: ArraySlice<UInt8>) -> Int? {
        var tiff = exif
        for _ in 0..<2 where tiff.starts(with: exifMark) { tiff = tiff.dropFirst(exifMark.count) }
        let isLittle = tiff.starts(with: Array("II".utf8))
        func read(_ offset: Int, _ count: Int) -> Int? {
            guard offset >= 0, offset <= tiff.count, count <= tiff.count - offset else { return nil }
            let digits = tiff[(tiff.startIndex + offset)..<(tiff.startIndex + offset + count)]
            return isLittle
                ? digits.reversed().reduce(0) { $0 << 8 | Int($1) } : digits.reduce(0) { $0 << 8 | Int($1) }
        }
        guard isLittle || tiff.starts(with: Array("MM".utf8)), [42, 42 << 8].contains(read(2, 2)),
            let directory = read(4, 4), let entries = read(directory, 2)
        else { return nil }
        for entry in 0..<entries {
            let offset = directory + 2 + entry * 12
            guard let tag = read(offset, 2), let type = read(offset + 2, 2), let count = read(offset + 4, 4),
                let place = read(offset + 8, 4)
            else { return nil }
            guard tag == number, let size = sizes[type], count > 0,
                let value = read(size * count > 4 ? place : offset + 8, size)
            else { continue }
            return value
        }
        return nil
    }

    static let exifMark = Array("Exif\0\0".utf8)

    /// The digit of the first `tiff:Orientation="6"` or `<tiff:Orientation>6`.
    private static func element(inXMP xmp: ArraySlice<UInt8>) -> Int? {
        guard xmp.count <= mostBytes else { return nil }
        let name = Array("tiff:Orientation".utf8)
        for start in xmp.indices where xmp[start] == name[0] && xmp[start...].starts(with: name) {
            let rest = xmp[(start + name.count)...]
            for mark in ["=\"", ">"] where rest.starts(with: mark.utf8) {
                if let digit = rest.dropFirst(mark.utf8.count).first, (48...57).contains(digit) {
                    return Int(digit) - 48
                }
            }
        }
        return nil
    }
}

extension Picture {
    /// Undoes an orientation, so that the first row is the top and the first column the left side.
    func upright(_ orientation: Orientation) -> Picture {
        let (right, bottom) = (width - 1, height - 1)
        return switch orientation.value {
        case 2: mirrored()
        case 3: mapped(width: width, height: height) { (right - $0, bottom - $1) }
        case 4: mapped(width: width, height: height) { ($0, bottom - $1) }
        case 5: mapped(width: height, height: width) { ($1, $0) }
        case 6: mapped(width: height, height: width) { ($1, bottom - $0) }
        case 7: mapped(width: height, height: width) { (right - $1, bottom - $0) }
        case 8: mapped(width: height, height: width) { (right - $1, $0) }
        default: self
        }
    }
}
