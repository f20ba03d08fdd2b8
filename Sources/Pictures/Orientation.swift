/// Which way up a stored picture is: what the Exif data of its file say, or the XMP data where Exif says nothing.
struct Orientation {
    /// 1…8 as Exif numbers them (Exif 2.3, section 4.6.4); 1 where the file gives none or nonsense.
    let value: Int

    /// - Parameters:
    ///   - exif: a TIFF file that holds the tags, with or without the mark `Exif` before it.
    ///   - xmp: a text of XML.
    init(exif: ArraySlice<UInt8>?, xmp: ArraySlice<UInt8>?) {
        let said =
            exif.flatMap { Exif($0)?.number(of: Exif.Tag.orientation, sizes: Self.sizes) } ?? xmp.flatMap(
                Self.element(inXMP:)) ?? 1
        value = (1...8).contains(said) ? said : 1
    }

    /// Text and compressed data that unpack to more say nothing about a picture's top.
    static let mostBytes = 1 << 20

    /// Bytes of a value of the types of TIFF 6.0 (section 2) that are whole numbers, signed ones among them. Pillow takes
    /// none from type 1, whose values are bytes of any meaning.
    private static let sizes = [3: 2, 4: 4, 6: 1, 8: 2, 9: 4]

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
