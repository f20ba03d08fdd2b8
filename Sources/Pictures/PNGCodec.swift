import CPNG
import Foundation

/// PNG by libpng's simplified interface, which needs no `setjmp`.
enum PNGCodec {
    static func header(of bytes: [UInt8]) throws(PictureError) -> PictureHeader {
        let first = PNGChunks.signature.count
        guard bytes.bigEndian32(at: first) == 13, bytes[(first + 4)...].starts(with: Array("IHDR".utf8)),
            let width = bytes.bigEndian32(at: first + 8), let height = bytes.bigEndian32(at: first + 12)
        else { throw PictureError.damaged("the PNG has no header") }
        guard width < 1 << 31, height < 1 << 31 else {
            throw PictureError.damaged("the header gives a size of \(width)×\(height)")
        }
        return PictureHeader(format: .png, width: width, height: height)
    }

    static func decode(_ bytes: [UInt8]) throws(PictureError) -> Picture {
        let chunks = try PNGChunks(bytes)
        let essential = try chunks.essential()
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        // libpng keeps the address between its two calls, so both are made while it holds.
        return try essential.withUnsafeBytes { memory -> Result<Picture, PictureError> in
            guard png_image_begin_read_from_memory(&image, memory.baseAddress, memory.count) != 0 else {
                return .failure(failure(image))
            }
            // Without this mark, 16-bit values would be taken for linear light.
            image.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
            let channels = chooseFormat(&image)
            let (width, height) = (Int(image.width), Int(image.height))
            var pixels = [UInt8](repeating: 0, count: width * height * channels)
            let rowLength = png_int_32(width * channels)
            guard png_image_finish_read(&image, nil, &pixels, rowLength, nil) != 0 else {
                return .failure(failure(image))
            }
            return .success(Picture(width: width, height: height, channels: channels, pixels: pixels))
        }.get().upright(chunks.orientation)
    }

    /// Asks for 8-bit grey, colour, or colour with alpha, whichever holds the whole picture.
    private static func chooseFormat(_ image: inout png_image) -> Int {
        let (colour, alpha) = (UInt32(PNG_FORMAT_FLAG_COLOR), UInt32(PNG_FORMAT_FLAG_ALPHA))
        if image.format & alpha != 0 {
            image.format = colour | alpha
            return 4
        }
        image.format &= colour
        return image.format == 0 ? 1 : 3
    }

    /// Encodes losslessly, texts after the header.
    static func encode(_ picture: Picture, texts: [PictureText]) throws(PictureError) -> [UInt8] {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        image.width = UInt32(picture.width)
        image.height = UInt32(picture.height)
        let (colour, alpha) = (UInt32(PNG_FORMAT_FLAG_COLOR), UInt32(PNG_FORMAT_FLAG_ALPHA))
        image.format = picture.channels == 1 ? 0 : picture.channels == 3 ? colour : colour | alpha
        // The most that deflate can make of the rows and their filter bytes, and room for all chunk frames.
        let rows = (picture.width * picture.channels + 1) * picture.height
        var size = png_alloc_size_t(rows + rows / 8 + rows / 64 + 4096)
        var result = [UInt8](repeating: 0, count: Int(size))
        let rowLength = png_int_32(picture.width * picture.channels)
        defer { png_image_free(&image) }
        guard png_image_write_to_memory(&image, &result, &size, 0, picture.pixels, rowLength, nil) != 0 else {
            throw PictureError(
                .unwritable, "PNG encoding failed (\(message(image)))", remedy: "make it smaller")
        }
        result.removeLast(result.count - Int(size))
        // Signature, then the header chunk: 12 bytes of frame around 13 of data.
        let afterHeader = PNGChunks.signature.count + 25
        var chunks: [UInt8] = []
        for text in texts { chunks += try text.chunk() }
        result.insert(contentsOf: chunks, at: afterHeader)
        return result
    }

    private static func failure(_ image: png_image) -> PictureError {
        .damaged("the PNG could not be decoded (\(message(image)))")
    }

    private static func message(_ image: png_image) -> String {
        withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
