import Foundation

/// How a picture is stored in a file.
public enum PictureFormat: String, Hashable, Sendable, Codable, CaseIterable {
    case png, jpeg, webp

    /// The format that a file's name asks for: `.png`, `.jpg`, `.jpeg` or `.webp`, in any case.
    public init?(fileExtension: String) {
        switch fileExtension.lowercased() {
        case "png": self = .png
        case "jpg", "jpeg": self = .jpeg
        case "webp": self = .webp
        default: return nil
        }
    }

    /// The format that the first bytes of a file show.
    package init?(content: [UInt8]) {
        if content.starts(with: PNGChunks.signature) {
            self = .png
        } else if content.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if content.starts(with: Array("RIFF".utf8)),
            content.dropFirst(8).starts(with: Array("WEBP".utf8))
        {
            self = .webp
        } else {
            return nil
        }
    }
}

/// The header of a picture file, before anything is decoded.
public struct PictureHeader: Hashable, Sendable {
    /// How the file stores it.
    public let format: PictureFormat
    /// Width in pixels, as stored (its orientation not applied).
    public let width: Int
    /// Height in pixels, as stored.
    public let height: Int
}

extension Picture {
    /// The most pixels that are decoded unless the caller says otherwise: 64 Mi, enough for data sets.
    public static let defaultLimit = 64 << 20

    /// The most pixels to accept from a request, where a stranger sends the picture: 16 Mi.
    public static let requestLimit = 16 << 20

    /// Reads and decodes a PNG, JPEG or WebP file; the content decides which, never the name.
    ///
    /// Sizes are checked before anything is decoded. 16-bit values become the nearest 8-bit ones (PNG
    /// specification, 13.12); Pillow drops the low byte of colours, which is a level less for half of them, and
    /// cuts grey off at 255, which leaves almost nothing of a picture. Palettes become colour, and a picture
    /// with any transparency has four channels. A picture is turned upright as its Exif data say,
    /// or its XMP data where those are silent, as Pillow does. Of an animated PNG the still picture is read.
    /// Nothing else of a file's extra data is looked at.
    ///
    /// - Parameters:
    ///   - url: A local file.
    ///   - limit: The most pixels (width × height) to accept.
    /// - Throws: ``PictureError`` that names the file.
    public init(contentsOf url: URL, limit: Int = Picture.defaultLimit) throws(PictureError) {
        do throws(PictureError) {
            self = try Picture(decoding: Picture.bytes(of: url), limit: limit)
        } catch {
            throw error.at(url.path)
        }
    }

    /// Decodes the bytes of a PNG, JPEG or WebP file; see ``init(contentsOf:limit:)``.
    ///
    /// - Throws: ``PictureError`` without a file.
    public init(decoding data: Data, limit: Int = Picture.defaultLimit) throws(PictureError) {
        try self.init(decoding: [UInt8](data), limit: limit)
    }

    package init(decoding bytes: [UInt8], limit: Int = Picture.defaultLimit) throws(PictureError) {
        let header = try Picture.header(of: bytes)
        try header.check(limit: limit)
        switch header.format {
        case .png: self = try PNGCodec.decode(bytes)
        case .jpeg: self = try JPEGCodec.decode(bytes)
        case .webp: self = try WebPCodec.decode(bytes, header)
        }
    }

    /// Reads format and size of a picture file and decodes nothing.
    ///
    /// - Throws: ``PictureError`` that names the file, where the content is no picture or the header is bad.
    public static func header(of url: URL) throws(PictureError) -> PictureHeader {
        do throws(PictureError) {
            return try header(of: bytes(of: url))
        } catch {
            throw error.at(url.path)
        }
    }

    /// Width and height that a picture has when it stands upright, without decoding it.
    ///
    /// - Throws: ``PictureError`` without a file, where the content is no picture or the header is bad.
    package static func uprightSize(
        of bytes: [UInt8]
    ) throws(PictureError) -> (width: Int, height: Int) {
        let header = try header(of: bytes)
        try header.check(limit: defaultLimit)
        let orientation =
            switch header.format {
            case .png: try PNGChunks(bytes).orientation
            case .jpeg: JPEGSegments(bytes).orientation
            case .webp: WebPCodec.orientation(of: bytes)
            }
        return orientation.value < 5 ? (header.width, header.height) : (header.height, header.width)
    }

    static func header(of bytes: [UInt8]) throws(PictureError) -> PictureHeader {
        guard !bytes.isEmpty else { throw PictureError.damaged("the file is empty") }
        guard let format = PictureFormat(content: bytes) else {
            let seen = nameOfOtherContent(bytes).map { " but \($0)" } ?? ""
            throw PictureError.unsupported("this is no PNG, JPEG or WebP picture\(seen)")
        }
        switch format {
        case .png: return try PNGCodec.header(of: bytes)
        case .jpeg: return try JPEGCodec.header(of: bytes)
        case .webp: return try WebPCodec.header(of: bytes)
        }
    }

    /// Reads a whole regular file. Folders, pipes and devices are refused before they are opened.
    package static func bytes(of url: URL) throws(PictureError) -> [UInt8] {
        var status = stat()
        guard stat(url.path, &status) == 0 else {
            throw PictureError(
                .unreadable, "the file could not be read (\(String(cString: strerror(errno))))",
                remedy: "check the path")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PictureError(.unreadable, "this is not a file", remedy: "give the path of a picture")
        }
        guard status.st_size <= 1 << 30 else {
            throw PictureError(.tooLarge, "the file has more than 1 GiB", remedy: "give a smaller picture")
        }
        guard let data = try? Data(contentsOf: url) else {
            throw PictureError(.unreadable, "the file could not be read", remedy: "check its permissions")
        }
        return [UInt8](data)
    }

    /// What a file is that is often met with a picture's name.
    private static func nameOfOtherContent(_ bytes: [UInt8]) -> String? {
        let kinds: [(start: String, name: String)] = [
            ("GIF8", "a GIF"), ("BM", "a BMP"), ("II*\0", "a TIFF"), ("MM\0*", "a TIFF"), ("%PDF", "a PDF"),
            ("PK\u{3}\u{4}", "a ZIP archive"), ("<", "a text of markup (HTML, SVG or XML)"),
        ]
        if bytes.dropFirst(4).starts(with: Array("ftyp".utf8)) { return "an AVIF, HEIC or video file" }
        return kinds.first { bytes.starts(with: Array($0.start.utf8)) }?.name
    }
}

extension PictureHeader {
    /// Throws unless the picture has between 1 and `limit` pixels.
    func check(limit: Int) throws(PictureError) {
        guard width > 0, height > 0 else {
            throw PictureError.damaged("the header gives a size of \(width)×\(height)")
        }
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, pixels <= limit else {
            throw PictureError(
                .tooLarge, "the picture has \(width)×\(height) pixels and at most \(limit) are accepted",
                remedy: "reduce its size")
        }
    }
}
