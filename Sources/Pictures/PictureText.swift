import Foundation
import Storage

/// A text that a picture's file carries beside its pixels.
public struct PictureText: Hashable, Sendable {
    /// What the text is about: 1…79 characters of Latin-1.
    public let keyword: String
    /// The text.
    public let text: String

    /// A text for a file.
    public init(_ keyword: String, _ text: String) {
        self.keyword = keyword
        self.text = text
    }

    /// The chunk that holds it: `tEXt` where Latin-1 can express it, else `iTXt` (UTF-8, not compressed).
    ///
    /// - Throws: ``PictureError`` where the keyword is empty, too long or not of Latin-1.
    package func chunk() throws(PictureError) -> [UInt8] {
        guard let name = latin1(keyword), (1...79).contains(name.count) else {
            throw PictureError(
                .unwritable, "\"\(keyword)\" cannot be the keyword of a PNG's text",
                remedy: "use 1 to 79 characters of Latin-1")
        }
        if let body = latin1(text) { return PNGChunks.chunk("tEXt", name + [0] + body) }
        // No compression, its method, no language, no translated keyword.
        return PNGChunks.chunk("iTXt", name + [0, 0, 0, 0, 0] + Array(text.utf8))
    }

    /// The bytes of a text in Latin-1, nil where it has other characters or a NUL.
    private func latin1(_ text: String) -> [UInt8]? {
        let scalars = text.unicodeScalars
        return scalars.allSatisfy { (1...255).contains($0.value) } ? scalars.map { UInt8($0.value) } : nil
    }
}

extension Picture {
    /// The texts of a file in its order: the chunks `tEXt`, `zTXt` and `iTXt` of a PNG, the Exif data of a JPEG or WebP.
    ///
    /// Each unpacks to at most 4 MiB and all together to 16 MiB. A text that is itself damaged is left out.
    ///
    /// - Throws: ``PictureError`` where the file is no picture, is cut short, or holds larger texts.
    public static func texts(of url: URL) throws(PictureError) -> [PictureText] {
        do throws(PictureError) {
            return try texts(of: bytes(of: url))
        } catch {
            throw error.at(url.path)
        }
    }

    /// The texts in the bytes of a file; see ``texts(of:)-(URL)``.
    public static func texts(of data: Data) throws(PictureError) -> [PictureText] {
        try texts(of: [UInt8](data))
    }

    package static func texts(of bytes: [UInt8]) throws(PictureError) -> [PictureText] {
        switch PictureFormat(content: bytes) {
        case .png: try chunks(of: bytes)
        case .jpeg: JPEGSegments(bytes).texts
        case .webp: WebPCodec.texts(of: bytes)
        case nil:
            throw PictureError(
                .unsupported, "this is no PNG, JPEG or WebP", remedy: "give a picture of one of these kinds")
        }
    }

    private static func chunks(of bytes: [UInt8]) throws(PictureError) -> [PictureText] {
        let file = try PNGChunks(bytes)
        var texts: [PictureText] = []
        var room = 16 << 20
        for chunk in file.chunks where ["tEXt", "zTXt", "iTXt"].contains(chunk.type) {
            do throws(InflateError) {
                let text = try PictureText(chunk.type, Array(bytes[chunk.data]), limit: min(room, 4 << 20))
                guard let text else { continue }
                room -= text.text.utf8.count
                texts.append(text)
            } catch .tooLarge {
                throw PictureError(
                    .tooLarge, "a text in the PNG unpacks to more than 4 MiB or all to more than 16 MiB",
                    remedy: "do not trust this file")
            } catch {
                continue
            }
        }
        return texts
    }
}

extension PictureText {
    /// Reads the data of a text chunk (PNG specification, section 11.3.3); nil where it is malformed.
    init?(_ type: String, _ data: [UInt8], limit: Int) throws(InflateError) {
        guard let end = data.firstIndex(of: 0) else { return nil }
        keyword = String(latin1: data[..<end])
        let rest = data[(end + 1)...]
        switch type {
        case "tEXt":
            guard rest.count <= limit else { throw .tooLarge }
            text = String(latin1: rest)
        case "zTXt":
            guard rest.first == 0 else { return nil }
            text = String(latin1: try inflated(Array(rest.dropFirst()), .zlib, limit: limit)[...])
        default:
            let compressed = rest.first == 1
            guard let language = rest.dropFirst(2).firstIndex(of: 0),
                let translation = rest[(language + 1)...].firstIndex(of: 0)
            else { return nil }
            let body = Array(rest[(translation + 1)...])
            guard compressed || body.count <= limit else { throw .tooLarge }
            text = String(
                decoding: compressed ? try inflated(body, .zlib, limit: limit) : body, as: UTF8.self)
        }
    }
}

extension String {
    /// Bytes of Latin-1, each of which is the Unicode scalar of its number.
    fileprivate init(latin1 bytes: ArraySlice<UInt8>) {
        self.init(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
