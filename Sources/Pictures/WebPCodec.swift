import CWebP
import Foundation

/// WebP by libwebp's simple interface.
enum WebPCodec {
    static func header(of bytes: [UInt8]) throws(PictureError) -> PictureHeader {
        let features = try features(of: bytes)
        return PictureHeader(format: .webp, width: Int(features.width), height: Int(features.height))
    }

    static func decode(_ bytes: [UInt8], _ header: PictureHeader) throws(PictureError) -> Picture {
        let features = try features(of: bytes)
        guard features.has_animation == 0 else {
            throw PictureError.unsupported("this WebP is an animation")
        }
        let channels = features.has_alpha != 0 ? 4 : 3
        var pixels = [UInt8](repeating: 0, count: header.width * header.height * channels)
        let decode = channels == 4 ? WebPDecodeRGBAInto : WebPDecodeRGBInto
        guard decode(bytes, bytes.count, &pixels, pixels.count, Int32(header.width * channels)) != nil else {
            throw PictureError.damaged("the WebP is cut short or damaged")
        }
        return Picture(width: header.width, height: header.height, channels: channels, pixels: pixels)
            .upright(orientation(of: bytes))
    }

    /// Which way up the picture is, by the first chunk of each kind that the extended header announces
    /// (RFC 9649, section 2.7).
    static func orientation(of bytes: [UInt8]) -> Orientation {
        let found = chunks(of: bytes)
        let flags = found["VP8X"]?.first ?? 0
        return Orientation(
            exif: flags & hasExif == 0 ? nil : found["EXIF"], xmp: flags & 0x04 == 0 ? nil : found["XMP "])
    }

    /// The texts in the Exif data.
    static func texts(of bytes: [UInt8]) -> [PictureText] {
        chunks(of: bytes)["EXIF"].flatMap { Exif($0)?.texts } ?? []
    }

    /// The flags of the extended header: Exif data, and transparency.
    private static let (hasExif, hasAlpha): (UInt8, UInt8) = (0x08, 0x10)

    /// The first chunk of each name.
    private static func chunks(of bytes: [UInt8]) -> [String: ArraySlice<UInt8>] {
        var found: [String: ArraySlice<UInt8>] = [:]
        var position = 12
        while position + 8 <= bytes.count {
            let name = String(decoding: bytes[position..<(position + 4)], as: UTF8.self)
            let length = bytes[(position + 4)..<(position + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard length <= bytes.count - position - 8 else { break }
            if found[name] == nil { found[name] = bytes[(position + 8)..<(position + 8 + length)] }
            // Chunks of an odd length are followed by a byte of padding.
            position += 8 + length + length % 2
        }
        return found
    }

    /// Encodes with losses.
    static func encode(_ picture: Picture, quality: Int, texts: [PictureText] = []) throws(PictureError)
        -> [UInt8]
    {
        guard picture.width <= WEBP_MAX_DIMENSION, picture.height <= WEBP_MAX_DIMENSION else {
            throw PictureError(
                .unwritable, "a WebP has at most 16383×16383 pixels, not \(picture.width)×\(picture.height)",
                remedy: "write a PNG")
        }
        let source = picture.channels == 1 ? picture.converted(toChannels: 3) : picture
        let encode = source.channels == 4 ? WebPEncodeRGBA : WebPEncodeRGB
        var buffer: UnsafeMutablePointer<UInt8>?
        defer { WebPFree(buffer) }
        let size = encode(
            source.pixels, Int32(source.width), Int32(source.height), Int32(source.width * source.channels),
            Float(quality), &buffer)
        guard size > 0, let buffer else {
            throw PictureError(.unwritable, "WebP encoding failed", remedy: "write a PNG")
        }
        return adding(texts, to: [UInt8](UnsafeBufferPointer(start: buffer, count: size)), of: source)
    }

    /// A file with texts in Exif data, which need the extended header.
    private static func adding(_ texts: [PictureText], to bytes: [UInt8], of picture: Picture) -> [UInt8] {
        guard let exif = Exif.encoded(texts) else { return bytes }
        func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
            Array(name.utf8) + Exif.word(data.count, 4) + data + [UInt8](repeating: 0, count: data.count % 2)
        }
        var body = Array(bytes[12...])
        if body.starts(with: Array("VP8X".utf8)) {
            body[8] |= hasExif
        } else {
            let flags = hasExif | (picture.channels == 4 ? hasAlpha : 0)
            body =
                chunk(
                    "VP8X",
                    [flags, 0, 0, 0] + Exif.word(picture.width - 1, 3) + Exif.word(picture.height - 1, 3))
                + body
        }
        body += chunk("EXIF", exif)
        return Array("RIFF".utf8) + Exif.word(body.count + 4, 4) + Array("WEBP".utf8) + body
    }

    private static func features(of bytes: [UInt8]) throws(PictureError) -> WebPBitstreamFeatures {
        var features = WebPBitstreamFeatures()
        // The plain name is a C inline function; this is the call under it, with the library's version.
        let status = WebPGetFeaturesInternal(bytes, bytes.count, &features, WEBP_DECODER_ABI_VERSION)
        guard status == VP8_STATUS_OK else { throw PictureError.damaged("the WebP has no valid header") }
        return features
    }
}
