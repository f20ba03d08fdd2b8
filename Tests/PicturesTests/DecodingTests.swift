import Foundation
import Pictures
import TestSupport
import Testing

/// Files of every kind against Pillow's pixels.
struct DecodingTests {
    /// D13: 16 bits, grey, alpha, palettes and inks become 8-bit grey or colour by rule.
    @Test func everyKindOfFileEqualsPillow() throws {
        let cases: [DecodingCase] = try fixture("decoding")
        #expect(cases.count == 20)
        for reference in cases {
            let picture = try Picture(decoding: reference.file)
            let expected = reference.result.picture
            #expect(picture.width == expected.width && picture.height == expected.height, "\(reference.name)")
            #expect(picture.channels == expected.channels, "\(reference.name)")
            // Lossless files are equal. The decoders of lossy ones may be of other versions.
            let isLossy = reference.name.hasSuffix(".jpg") || reference.name == "lossy.webp"
            let difference = largestDifference(picture, expected)
            #expect(difference <= (isLossy ? 2 : 0), "\(reference.name): \(difference)")
        }
    }

    @Test func orientationsAreUndone() throws {
        let cases: [DecodingCase] = try fixture("orientations")
        #expect(cases.count == 82)
        for reference in cases {
            let picture = try Picture(decoding: reference.file)
            let expected = reference.result.picture
            #expect(picture.width == expected.width && picture.height == expected.height, "\(reference.name)")
            let tolerance = reference.name.contains("JPEG") ? 2 : 0
            #expect(largestDifference(picture, expected) <= tolerance, "\(reference.name)")
        }
    }

    @Test func transparencyIsDroppedOrLaidOnAColour() throws {
        struct Case: Decodable {
            let name: String
            let file: Data
            let colour, grey, on_paper: Record
            let paper: String
        }
        let cases: [Case] = try fixture("transparency")
        #expect(cases.count == 6)
        for reference in cases {
            let picture = try Picture(decoding: reference.file)
            #expect(picture.isTransparent, "\(reference.name)")
            #expect(picture.converted(toChannels: 3) == reference.colour.picture, "\(reference.name)")
            #expect(picture.converted(toChannels: 1) == reference.grey.picture, "\(reference.name)")
            let paper = try #require(Colour(css: reference.paper))
            #expect(
                picture.converted(toChannels: 3, alpha: .over(paper)) == reference.on_paper.picture,
                "\(reference.name)")
        }
        #expect(!noise(width: 2, height: 2, channels: 3, seed: 1).isTransparent)
        #expect(!Picture(width: 2, height: 2, colour: [1, 2, 3, 255]).isTransparent)
    }

    @Test func coloursAreThoseOfCSS() {
        let colours = [
            "#ff8000": "#ff8000", "#F80": "#ff8800", "White": "#ffffff", "navy": "#000080", "grey": "#808080",
        ]
        for (text, code) in colours { #expect(Colour(css: text)?.description == code) }
        for text in ["", "#", "#ff", "#ff800", "#+f8000", "#ff80000", "ff8000", "whit", "#ｆｆ8000"] {
            #expect(Colour(css: text) == nil, "\(text)")
        }
    }

    @Test func contentDecidesAndNotTheName() throws {
        let cases: [DecodingCase] = try fixture("decoding")
        let jpeg = try #require(cases.first { $0.name == "full.jpg" })
        try withTemporaryFolder { folder in
            let url = folder.appending(path: "picture.png")
            try jpeg.file.write(to: url)
            #expect(try Picture.header(of: url).format == .jpeg)
            #expect(try Picture(contentsOf: url).width == 37)
        }
    }

    @Test func conversionsEqualPillow() throws {
        struct Conversions: Decodable {
            let colour, grey, alpha, dropped, on_white: Record
        }
        let reference: Conversions = try fixture("conversions")
        let alpha = reference.alpha.picture
        #expect(reference.colour.picture.converted(toChannels: 1) == reference.grey.picture)
        #expect(alpha.converted(toChannels: 3, alpha: .drop) == reference.dropped.picture)
        // Pillow composes with a coarser alpha, so the last digit may differ.
        let onWhite = alpha.converted(toChannels: 3, alpha: .over(.white))
        #expect(largestDifference(onWhite, reference.on_white.picture) <= 1)
        let grey = reference.grey.picture
        #expect(grey.converted(toChannels: 3).converted(toChannels: 1) == grey)
        #expect(
            grey.converted(toChannels: 4).converted(toChannels: 3, alpha: .over(.white)).converted(
                toChannels: 1)
                == grey)
    }
}

/// Bad files: an error of the right kind each, and never a trap. D1 to D13 are rows of the reliability plan.
struct BadPictureTests {
    private func kind(of bytes: [UInt8], limit: Int = Picture.defaultLimit) -> PictureError.Kind? {
        do throws(PictureError) {
            _ = try Picture(decoding: Data(bytes), limit: limit)
            return nil
        } catch {
            return error.kind
        }
    }

    private func file(_ name: String) throws -> [UInt8] {
        let cases: [DecodingCase] = try fixture("decoding")
        return [UInt8](try #require(cases.first { $0.name == name }).file)
    }

    /// A PNG of given header fields and pixel data.
    private func png(width: Int, height: Int, depth: UInt8 = 8, colour: UInt8 = 0, extra: [UInt8] = [])
        -> [UInt8]
    {
        func big(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
        let header = big(width) + big(height) + [depth, colour, 0, 0, 0]
        return PNGChunks.signature + PNGChunks.chunk("IHDR", header) + extra
            + PNGChunks.chunk("IDAT", [0x78, 0x9C])
            + PNGChunks.chunk("IEND", [])
    }

    /// D4, D7: among the cuts are those without IEND, and those within IDAT and within a scan.
    @Test func everyCutIsAnError() throws {
        for name in [
            "colour.png", "palette-alpha.png", "full.jpg", "progressive.jpg", "lossless.webp", "lossy.webp",
        ] {
            let whole = try file(name)
            // The last bytes of a JPEG and of a WebP may be padding or an end mark that decoders do without.
            let needed = name.hasSuffix("png") ? whole.count - 1 : whole.count * 9 / 10
            for length in 0...needed {
                #expect(kind(of: Array(whole.prefix(length))) != nil, "\(name) of \(length) bytes")
            }
        }
    }

    /// D7, D8: among the bytes are the tables of Huffman codes.
    @Test func flippedBytesNeverTrap() throws {
        for name in [
            "colour.png", "palette-alpha.png", "interlaced.png", "progressive.jpg", "inks.jpg",
            "lossless-alpha.webp", "lossy.webp",
        ] {
            let whole = try file(name)
            var failures = 0
            for position in whole.indices {
                var copy = whole
                copy[position] ^= 0x55
                if kind(of: copy, limit: 1 << 16) != nil { failures += 1 }
            }
            // PNG has checksums, so there nearly every flip must be noticed; elsewhere at least some.
            let least = name.hasSuffix("png") ? whole.count * 9 / 10 : 1
            #expect(failures >= least, "\(name): \(failures) of \(whole.count)")
        }
    }

    @Test func sizesAreCheckedBeforeDecoding() throws {
        #expect(kind(of: png(width: 65535, height: 65535, depth: 1)) == .tooLarge)  // D1
        #expect(kind(of: png(width: 1 << 31 - 1, height: 1 << 31 - 1)) == .tooLarge)
        #expect(kind(of: png(width: 0, height: 8)) == .damaged)  // D2
        #expect(kind(of: png(width: 1 << 31, height: 8)) == .damaged)
        #expect(kind(of: try file("full.jpg"), limit: 37 * 29 - 1) == .tooLarge)
        #expect(kind(of: try file("full.jpg"), limit: 37 * 29) == nil)
        // The size of a baseline JPEG stands 5 bytes behind its frame mark.
        var jpeg = try file("full.jpg")
        let mark = try #require(jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        jpeg.replaceSubrange((mark + 5)..<(mark + 9), with: [0xFF, 0xDC, 0xFF, 0xDC])  // D7
        #expect(kind(of: jpeg) == .tooLarge)
    }

    /// D5: they are black, as in other decoders; with the rows in one turn or in seven.
    @Test(arguments: [UInt8(0), 1]) func paletteIndicesBeyondThePaletteAreHarmless(interlaced: UInt8) throws {
        // Two colours and one pixel of the two hundredth, deflated by hand as a stored block.
        let row: [UInt8] = [0, 200]
        let stored: [UInt8] = [0x78, 0x01, 0x01, 2, 0, 0xFD, 0xFF] + row + [0, 0xCA, 0, 0xC9]
        let header: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, interlaced]
        let bytes =
            PNGChunks.signature + PNGChunks.chunk("IHDR", header)
            + PNGChunks.chunk("PLTE", [1, 2, 3, 4, 5, 6])
            + PNGChunks.chunk("IDAT", stored) + PNGChunks.chunk("IEND", [])
        #expect(try Picture(decoding: Data(bytes)).pixels == [0, 0, 0])
    }

    /// D6: the frames of an animation are passed over, however many there are.
    @Test func animationsOfManyFramesAreStillPictures() throws {
        let good = try file("colour.png")
        let control = PNGChunks.chunk("fcTL", [UInt8](repeating: 0, count: 26))
        let frame = control + PNGChunks.chunk("fdAT", [0, 0, 0, 1, 120, 156])
        var bytes = Array(good.prefix(33)) + PNGChunks.chunk("acTL", [0, 1, 0x86, 0xA0, 0, 0, 0, 0])
        for _ in 0..<100_000 { bytes += frame }
        let start = processorSeconds()
        #expect(try Picture(decoding: Data(bytes + good.dropFirst(33))) == Picture(decoding: Data(good)))
        #if !DEBUG
            #expect(processorSeconds() - start < 1)
        #endif
    }

    /// D7: of a JPEG's frame the number of bits, of its tables one with more codes than there can be.
    @Test func jpegsOfTwelveBitsAndImpossibleTablesAreRefused() throws {
        let whole = try file("full.jpg")
        func place(of marker: UInt8) throws -> Int {
            try #require(whole.indices.dropLast().first { whole[$0] == 0xFF && whole[$0 + 1] == marker })
        }
        var deep = whole
        deep[try place(of: 0xC0) + 4] = 12
        #expect(kind(of: deep) == .damaged)
        var full = whole
        let table = try place(of: 0xC4)
        full.replaceSubrange((table + 5)..<(table + 21), with: repeatElement(255, count: 16))
        #expect(kind(of: full) == .damaged)
    }

    /// D8: lengths of codes that overfill their table, as in the file of CVE-2023-4863.
    @Test func webPsWithImpossibleTablesAreRefused() throws {
        for name in ["lossless.webp", "lossless-alpha.webp"] {
            let whole = try file(name)
            // Behind the signature and the size stand the transforms and the codes.
            for start in 25..<60 {
                for value in [0x00, 0x6D, 0xB6, 0xFF] as [UInt8] {
                    var bytes = whole
                    bytes.replaceSubrange(start..<start + 16, with: repeatElement(value, count: 16))
                    _ = kind(of: bytes)
                }
            }
            var bytes = whole
            bytes.replaceSubrange(26..<58, with: repeatElement(0xFF, count: 32))
            #expect(kind(of: bytes) == .damaged, "\(name)")
        }
    }

    /// D12: an orientation that there is none of is as none; Exif of 64 kB whose directory never ends is passed over, and
    /// so are cuts and changed bytes, in a PNG, too.
    @Test func strangeExifIsPassedOver() throws {
        let whole = try file("full.jpg")
        let plain = try Picture(decoding: Data(whole))
        let sixth: [UInt8] = Array("II*\0".utf8) + [8, 0, 0, 0, 1, 0, 18, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]
        let png = try file("colour.png")
        let upright = try Picture(decoding: Data(png))
        func pixels(_ exif: [UInt8]) throws -> Picture {
            let chunk = PNGChunks.chunk("eXIf", exif)
            return try Picture(decoding: Data(png.prefix(33) + chunk + png.dropFirst(33)))
        }
        #expect(try pixels(sixth).width == upright.height)
        for length in 0..<20 { #expect(try pixels(Array(sixth.prefix(length))) == upright, "\(length)") }
        for position in sixth.indices {
            var changed = sixth
            for value in [0, 0x7F, 0xFF] as [UInt8] {
                changed[position] = value
                #expect(try pixels(changed).pixels.count == upright.pixels.count)
            }
        }
        let text = PNGChunks.chunk("tEXt", Array("Raw profile type exif\0\nexif\n 4\n4d4g".utf8))
        #expect(try Picture(decoding: Data(png.prefix(33) + text + png.dropFirst(33))) == upright)
        let ninth: [UInt8] = Array("MM\0*".utf8) + [0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0]
        let endless = Array("MM\0*".utf8) + [0, 0, 0, 8] + [UInt8](repeating: 0xFF, count: 65_519)
        for tags in [ninth, endless] {
            let body = Array("Exif\0\0".utf8) + tags
            let length = body.count + 2
            let segment = [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 0xFF)] + body
            #expect(try Picture(decoding: Data(whole.prefix(2) + segment + whole.dropFirst(2))) == plain)
        }
    }

    /// D7
    @Test func endlessScansAreRefused() throws {
        let whole = try file("progressive.jpg")
        let scan = try #require(whole.indices.dropLast().last { whole[$0] == 0xFF && whole[$0 + 1] == 0xDA })
        var many = Array(whole[..<scan])
        for _ in 0..<1000 { many += whole[scan..<(whole.count - 2)] }
        #expect(kind(of: many + [0xFF, 0xD9]) == .damaged)
    }

    /// D9, D11
    @Test func otherContentIsNamed() throws {
        let contents: [(String, String)] = [
            ("<svg xmlns='http://www.w3.org/2000/svg'/>", "markup"), ("<!DOCTYPE html>", "markup"),
            ("GIF89a......", "GIF"),
            ("%PDF-1.7", "PDF"),
            ("PK\u{3}\u{4}....", "ZIP"), ("RIFF....WAVE", "no PNG, JPEG or WebP"), ("", "empty"),
        ]
        for (content, word) in contents {
            let error = #expect(throws: PictureError.self) { try Picture(decoding: Data(content.utf8)) }
            #expect(error?.description.contains(word) == true, "\(content)")
        }
    }

    /// D4
    @Test func checksumsAreVerified() throws {
        var bytes = try file("colour.png")
        let data = try #require(try PNGChunks(bytes).chunks.first { $0.type == "IDAT" }).data
        bytes[data.lowerBound + 5] ^= 1
        #expect(kind(of: bytes) == .damaged)
    }

    /// D10. Other bytes may follow a picture, and are not looked at.
    @Test func archivesBehindPicturesAreRefused() throws {
        let good = try file("colour.png")
        let end = Array("PK\u{5}\u{6}".utf8) + [UInt8](repeating: 0, count: 18)
        #expect(kind(of: good + Array("PK\u{3}\u{4} a file".utf8) + end) == .unsupported)
        #expect(kind(of: good + end + [UInt8](repeating: 7, count: 65_535)) == .unsupported)
        #expect(kind(of: good + Array("what an editor left behind".utf8)) == nil)
    }

    /// D3
    @Test func bombsInExtraChunksAreNotUnpacked() throws {
        // The decoder is not even shown them.
        let bomb = PNGChunks.chunk("zTXt", Array("a\0\0".utf8) + [UInt8](repeating: 0, count: 100_000))
        let good = try file("colour.png")
        let withBomb =
            Array(good.prefix(33)) + bomb + PNGChunks.chunk("iCCP", [120, 0, 0, 1, 2, 3])
            + PNGChunks.chunk("iTXt", Array("a\0\u{1}\0\0\0".utf8) + [120, 0, 0]) + good.dropFirst(33)
        #expect(kind(of: withBomb) == nil)
        #expect(try PNGChunks(withBomb).essential().count < good.count + 1)
    }

    @Test func pathsThatAreNoPictures() throws {
        try withTemporaryFolder { folder in
            for path in ["missing.png", ".", "../../../../../../../../dev/zero"] {
                let url = folder.appending(path: path)
                let error = #expect(throws: PictureError.self) { try Picture(contentsOf: url) }
                #expect(error?.kind == .unreadable && error?.file == url.path, "\(path)")
            }
            let text = folder.appending(path: "text.png")
            try Data("no picture".utf8).write(to: text)
            let error = #expect(throws: PictureError.self) { try Picture(contentsOf: text) }
            #expect(error?.description.hasPrefix(text.path) == true)
        }
    }
}
