import CTurboJPEG
import Foundation

/// JPEG by libjpeg-turbo's TurboJPEG interface, version 2.
enum JPEGCodec {
    static func header(of bytes: [UInt8]) throws(PictureError) -> PictureHeader {
        try withHandle(tjInitDecompress()) { (handle) throws(PictureError) in
            let info = try information(handle, bytes)
            return PictureHeader(format: .jpeg, width: Int(info.width), height: Int(info.height))
        }
    }

    static func decode(_ bytes: [UInt8]) throws(PictureError) -> Picture {
        try withHandle(tjInitDecompress()) { (handle) throws(PictureError) in
            let info = try information(handle, bytes)
            let inks = info.colours == TJCS_CMYK.rawValue || info.colours == TJCS_YCCK.rawValue
            let grey = info.colours == TJCS_GRAY.rawValue
            let form = inks ? TJPF_CMYK : grey ? TJPF_GRAY : TJPF_RGB
            let (width, height) = (Int(info.width), Int(info.height))
            let channels = inks ? 4 : grey ? 1 : 3
            var pixels = [UInt8](repeating: 0, count: width * height * channels)
            // Files of thousands of progressive scans take minutes; no camera or program writes them.
            let status = tjDecompress2(
                handle, bytes, UInt(bytes.count), &pixels, info.width, 0, info.height,
                Int32(form.rawValue), Int32(TJFLAG_LIMITSCANS))
            if status != 0, !isHarmless(handle) { throw failure(handle) }
            let segments = JPEGSegments(bytes)
            if inks { pixels = colours(ofInks: pixels, inverted: segments.isAdobe) }
            return Picture(width: width, height: height, channels: inks ? 3 : channels, pixels: pixels)
                .upright(segments.orientation)
        }
    }

    /// Encodes with full colour resolution (4:4:4), or with colours at half of it (4:2:0).
    static func encode(
        _ picture: Picture, quality: Int, texts: [PictureText] = [], halvesColours: Bool = false
    ) throws(PictureError) -> [UInt8] {
        guard picture.width <= 65535, picture.height <= 65535 else {
            throw PictureError(
                .unwritable, "a JPEG has at most 65535×65535 pixels, not \(picture.width)×\(picture.height)",
                remedy: "write a PNG")
        }
        let grey = picture.channels == 1
        let source = picture.converted(toChannels: grey ? 1 : 3, alpha: .over(.white))
        let colours = halvesColours ? TJSAMP_420 : TJSAMP_444
        return try withHandle(tjInitCompress()) { (handle) throws(PictureError) in
            var buffer: UnsafeMutablePointer<UInt8>?
            var size: UInt = 0
            defer { tjFree(buffer) }
            let status = tjCompress2(
                handle, source.pixels, Int32(source.width), 0, Int32(source.height),
                Int32((grey ? TJPF_GRAY : TJPF_RGB).rawValue), &buffer, &size,
                Int32((grey ? TJSAMP_GRAY : colours).rawValue), Int32(quality), 0)
            guard status == 0, let buffer else {
                throw PictureError(
                    .unwritable, "JPEG encoding failed (\(message(handle)))", remedy: "write a PNG")
            }
            return JPEGSegments.adding(
                texts, to: [UInt8](UnsafeBufferPointer(start: buffer, count: Int(size))))
        }
    }

    private static func withHandle<Result>(
        _ handle: tjhandle?, _ body: (tjhandle) throws(PictureError) -> Result
    ) throws(PictureError) -> Result {
        guard let handle else {
            throw PictureError(.unreadable, "no memory for a JPEG", remedy: "free some memory")
        }
        defer { tjDestroy(handle) }
        return try body(handle)
    }

    private static func information(
        _ handle: tjhandle, _ bytes: [UInt8]
    ) throws(PictureError) -> (width: Int32, height: Int32, colours: UInt32) {
        var (width, height, subsampling, colours): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        let status = tjDecompressHeader3(
            handle, bytes, UInt(bytes.count), &width, &height, &subsampling, &colours)
        guard status == 0 || isHarmless(handle), width > 0, height > 0, colours >= 0 else {
            throw failure(handle)
        }
        return (width, height, UInt32(colours))
    }

    /// Whether the last complaint was about stray bytes or version marks, which many cameras write.
    private static func isHarmless(_ handle: tjhandle) -> Bool {
        guard tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) else { return false }
        let text = message(handle)
        return ["extraneous bytes", "JFIF", "Adobe"].contains { text.contains($0) }
    }

    private static func failure(_ handle: tjhandle) -> PictureError {
        .damaged("the JPEG could not be decoded (\(message(handle)))")
    }

    private static func message(_ handle: tjhandle) -> String {
        String(cString: tjGetErrorStr2(handle))
    }

    /// Red, green and blue of four inks: each is the light that its ink and black let through.
    private static func colours(ofInks inks: [UInt8], inverted: Bool) -> [UInt8] {
        var result = [UInt8]()
        result.reserveCapacity(inks.count / 4 * 3)
        for pixel in stride(from: 0, to: inks.count, by: 4) {
            let black = Int(inverted ? inks[pixel + 3] : 255 - inks[pixel + 3])
            for ink in 0..<3 {
                let light = Int(inverted ? inks[pixel + ink] : 255 - inks[pixel + ink])
                result.append(UInt8((light * black + 127) / 255))
            }
        }
        return result
    }
}

/// What TurboJPEG does not give for a JPEG: which way up it is, and whether Adobe wrote it.
struct JPEGSegments {
    /// Whether there is an `Adobe` segment, which means that inks are stored inverted.
    private(set) var isAdobe = false
    /// Exif data may be spread over several segments.
    private var exif: [UInt8] = []
    private var xmp: ArraySlice<UInt8>?

    var orientation: Orientation { Orientation(exif: exif[...], xmp: xmp) }

    /// The texts in the Exif data.
    var texts: [PictureText] { Exif(exif[...])?.texts ?? [] }

    /// Walks over the segments before the first scan.
    init(_ bytes: [UInt8]) {
        let xmpMark = Array("http://ns.adobe.com/xap/1.0/\0".utf8)
        var position = 2
        while position + 4 <= bytes.count, bytes[position] == 0xFF {
            let marker = bytes[position + 1]
            if marker == 0xFF {
                position += 1
                continue
            }
            let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
            guard marker != 0xDA, length >= 2, position + 2 + length <= bytes.count else { return }
            let body = bytes[(position + 4)..<(position + 2 + length)]
            if marker == 0xE1, body.starts(with: Exif.mark) {
                exif += body.dropFirst(Exif.mark.count)
            }
            if marker == 0xE1, body.starts(with: xmpMark) { xmp = body.dropFirst(xmpMark.count) }
            if marker == 0xEE, body.starts(with: Array("Adobe".utf8)) { isAdobe = true }
            position += 2 + length
        }
    }

    /// A file with texts in Exif data, behind the segment of JFIF. What is longer than a segment goes on in the next one.
    static func adding(_ texts: [PictureText], to bytes: [UInt8]) -> [UInt8] {
        guard let exif = Exif.encoded(texts), bytes.count > 6 else { return bytes }
        let most = 65_533 - Exif.mark.count
        var segments: [UInt8] = []
        for start in stride(from: 0, to: exif.count, by: most) {
            let body = Exif.mark + exif[start..<min(start + most, exif.count)]
            let length = body.count + 2
            segments += [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 0xFF)] + body
        }
        let isJFIF = bytes[3] == 0xE0
        let place = isJFIF ? 4 + Int(bytes[4]) << 8 + Int(bytes[5]) : 2
        return bytes[..<place] + segments + bytes[place...]
    }
}
