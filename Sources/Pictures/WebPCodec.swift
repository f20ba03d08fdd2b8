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
        let flags = found["VP8X"]?.first ?? 0
        return Orientation(
            exif: flags & 0x08 == 0 ? nil : found["EXIF"], xmp: flags & 0x04 == 0 ? nil : found["XMP "])
    }

    /// Encodes with losses.
    static func encode(_ picture: Picture, quality: Int) throws(PictureError) -> [UInt8] {
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
        return [UInt8](UnsafeBufferPointer(start: buffer, count: size))
    }

    private static func features(of bytes: [UInt8]) throws(PictureError) -> WebPBitstreamFeatures {
        var features = WebPBitstreamFeatures()
        // The plain name is a C inline function; this is the call under it, with the library's version.
        let status = WebPGetFeaturesInternal(bytes, bytes.count, &features, WEBP_DECODER_ABI_VERSION)
        guard status == VP8_STATUS_OK else { throw PictureError.damaged("the WebP has no valid header") }
        return features
    }
}
