import Foundation
import Storage

/// The chunks of a PNG file (PNG specification, third edition, section 5).
package struct PNGChunks {
    package static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    package struct Chunk {
        package let type: String
        /// Where the chunk's data lies in the file.
        package let data: Range<Int>
        /// Where the whole chunk lies: length, type, data and checksum.
        let whole: Range<Int>
    }

    package let bytes: [UInt8]
    package let chunks: [Chunk]

    /// More chunks than any honest file has, 100,000 frames of an animation included.
    private static let mostChunks = 1 << 20

    /// Walks over the chunks from the signature to `IEND`. Bytes may follow, as some cameras and editors leave them,
    /// but no archive: a file that is a picture to one program and an archive to another deceives one of them.
    ///
    /// - Throws: ``PictureError`` where the file ends before `IEND`, or is a ZIP archive, too.
    package init(_ bytes: [UInt8]) throws(PictureError) {
        var chunks: [Chunk] = []
        var position = PNGChunks.signature.count
        while chunks.last?.type != "IEND" {
            guard let length = bytes.bigEndian32(at: position), bytes.count - position - 12 >= length else {
                throw PictureError.damaged("the PNG is cut short")
            }
            let data = (position + 8)..<(position + 8 + length)
            let type = String(decoding: bytes[(position + 4)..<(position + 8)], as: UTF8.self)
            guard chunks.count < PNGChunks.mostChunks else {
                throw PictureError.damaged("the PNG has more than \(PNGChunks.mostChunks) chunks")
            }
            chunks.append(Chunk(type: type, data: data, whole: position..<(data.upperBound + 4)))
            position = data.upperBound + 4
        }
        guard !bytes[position...].suffix(PNGChunks.reachOfZIP).holds(Array("PK\u{5}\u{6}".utf8)) else {
            throw PictureError.unsupported("this PNG is a ZIP archive, too")
        }
        self.bytes = bytes
        self.chunks = chunks
    }

    /// A ZIP archive's last record lies within these bytes of its end: 22 of its own and a comment.
    private static let reachOfZIP = 22 + 65_535

    /// The file with those chunks alone that decide the pixels, their checksums verified.
    ///
    /// Everything else is left out before a decoder sees it: compressed texts and colour profiles that unpack
    /// to a thousand times their size, the frames of animations, and colour corrections.
    package func essential() throws(PictureError) -> [UInt8] {
        var result = PNGChunks.signature
        for chunk in chunks where ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"].contains(chunk.type) {
            guard isIntact(chunk) else {
                throw PictureError.damaged("the checksum of the PNG's chunk \(chunk.type) is wrong")
            }
            result += bytes[chunk.whole]
        }
        return result
    }

    /// Which way up the picture is, by the chunk `eXIf`, else by the texts in which other programs keep Exif and XMP
    /// data. Of several, the last one counts.
    var orientation: Orientation {
        let chunk = chunks.last { $0.type == "eXIf" && isIntact($0) }.map { bytes[$0.data] }
        return Orientation(exif: chunk ?? rawProfile, xmp: text("XML:com.adobe.xmp")?[...])
    }

    /// Exif data as ImageMagick writes them: a text of a name, a count of bytes and the bytes in hexadecimal.
    private var rawProfile: ArraySlice<UInt8>? {
        let lines = text("Raw profile type exif")?.split(
            separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
        guard let lines, lines.count == 4 else { return nil }
        let digits = lines[3].filter { $0 != UInt8(ascii: "\n") }.map {
            Character(Unicode.Scalar($0)).hexDigitValue
        }
        guard !digits.contains(nil), digits.count % 2 == 0 else { return nil }
        let values = digits.compactMap(\.self)
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }[...]
    }

    /// The bytes of the last text of a keyword.
    private func text(_ keyword: String) -> [UInt8]? {
        let name = Array(keyword.utf8) + [0]
        let chunk = chunks.last {
            ["tEXt", "zTXt", "iTXt"].contains($0.type) && bytes[$0.data].starts(with: name)
        }
        guard let chunk, chunk.data.count <= Orientation.mostBytes, isIntact(chunk) else { return nil }
        return (try? PictureText(chunk.type, Array(bytes[chunk.data]), limit: Orientation.mostBytes))
            .map { Array($0.text.utf8) }
    }

    private func isIntact(_ chunk: Chunk) -> Bool {
        let checked = bytes[(chunk.whole.lowerBound + 4)..<chunk.data.upperBound]
        return bytes.bigEndian32(at: chunk.data.upperBound) == checksum(checked)
    }

    /// A chunk ready to be put into a file.
    package static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return bigEndian32(data.count) + body + bigEndian32(checksum(body[...]))
    }

    private static func bigEndian32(_ value: Int) -> [UInt8] {
        stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}

/// The CRC-32 of some bytes.
private func checksum(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.withUnsafeBytes { Int(crc32($0)) }
}

extension ArraySlice<UInt8> {
    /// Whether some bytes stand in these.
    fileprivate func holds(_ word: [UInt8]) -> Bool {
        indices.contains { self[$0] == word[0] && self[$0...].starts(with: word) }
    }
}

extension Array where Element == UInt8 {
    /// The unsigned 32-bit number that begins at `offset`, highest byte first; nil beyond the end.
    package func bigEndian32(at offset: Int) -> Int? {
        guard offset >= 0, count - offset >= 4 else { return nil }
        return self[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) }
    }
}
