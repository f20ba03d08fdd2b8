import Foundation
import Storage

extension Picture {
    /// The bytes of a picture file.
    ///
    /// PNG is lossless. JPEG is written with quality 95 and full colour resolution, on white where there is
    /// alpha. WebP is written with losses at quality 90, as those who choose it expect small files.
    ///
    /// - Parameters:
    ///   - format: What to write.
    ///   - texts: Texts for the file to carry. PNG files hold any; JPEG and WebP one that is called `parameters`, as the user's
    ///     comment of their Exif data, and one other.
    /// - Throws: ``PictureError`` where the format cannot hold the picture.
    public func encoded(as format: PictureFormat, texts: [PictureText] = []) throws(PictureError) -> Data {
        switch format {
        case .png: Data(try PNGCodec.encode(self, texts: texts))
        case .jpeg: Data(try JPEGCodec.encode(self, quality: 95, texts: texts))
        case .webp: Data(try WebPCodec.encode(self, quality: 90, texts: texts))
        }
    }

    /// The picture as a JPEG file shows it, with colours at half resolution (4:2:0), as most programs write them; without alpha.
    ///
    /// - Parameter quality: from 1 to 100.
    /// - Throws: ``PictureError`` where the format cannot hold the picture.
    public func throughJPEG(quality: Int) throws(PictureError) -> Picture {
        precondition((1...100).contains(quality), "a JPEG has a quality of 1 to 100, not \(quality)")
        return try JPEGCodec.decode(JPEGCodec.encode(self, quality: quality, halvesColours: true))
    }

    /// Writes a picture file in the format that the name's extension says.
    ///
    /// The file is written aside and renamed: the name never holds half a picture.
    ///
    /// - Throws: ``PictureError`` where the extension is none of `.png .jpg .jpeg .webp` or the format cannot
    ///   hold the picture, `FileError` where the file cannot be written; nothing stays behind then.
    public func write(to url: URL, texts: [PictureText] = []) throws {
        guard let format = PictureFormat(fileExtension: url.pathExtension) else {
            throw PictureError(
                .unwritable, "\"\(url.pathExtension)\" is no kind of picture that is written here",
                remedy: "end the name with .png, .jpg or .webp", file: url.path)
        }
        let data: Data
        do throws(PictureError) {
            data = try encoded(as: format, texts: texts)
        } catch {
            throw error.at(url.path)
        }
        try Files.replace(url.path, with: data)
    }

    /// The same by the file's name.
    public func write(to path: String) throws { try write(to: URL(file: path)) }
}
