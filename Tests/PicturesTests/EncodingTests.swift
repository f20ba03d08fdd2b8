import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

struct EncodingTests {
    @Test func pngIsLossless() throws {
        for (channels, seed) in [(1, 1), (3, 2), (4, 3)] as [(Int, UInt64)] {
            for (width, height) in [(1, 1), (17, 9), (300, 200)] {
                let picture = noise(width: width, height: height, channels: channels, seed: seed)
                #expect(try Picture(decoding: picture.encoded(as: .png)) == picture)
            }
        }
    }

    @Test func lossyFormatsAreClose() throws {
        // A ramp, which no lossy coder should spoil.
        var ramp = Picture(width: 64, height: 64, colour: [0, 0, 128])
        for y in 0..<64 {
            for x in 0..<64 {
                ramp[x, y, 0] = UInt8(x * 4)
                ramp[x, y, 1] = UInt8(y * 4)
            }
        }
        for format in [PictureFormat.jpeg, .webp] {
            let back = try Picture(decoding: ramp.encoded(as: format))
            #expect(back.width == 64 && back.height == 64 && back.channels == 3)
            #expect(largestDifference(back, ramp) <= 12, "\(format): \(largestDifference(back, ramp))")
        }
        let grey = ramp.converted(toChannels: 1)
        #expect(try Picture(decoding: grey.encoded(as: .jpeg)).channels == 1)
        let clear = Picture(width: 8, height: 8, colour: [10, 20, 30, 0])
        #expect(try Picture(decoding: clear.encoded(as: .jpeg)).pixels.allSatisfy { $0 >= 253 })
    }

    @Test func formatsSayWhatTheyCannotHold() throws {
        let wide = Picture(width: 70_000, height: 1, colour: [0])
        for format in [PictureFormat.jpeg, .webp] {
            let error = #expect(throws: PictureError.self) { try wide.encoded(as: format) }
            #expect(error?.kind == .unwritable)
        }
        #expect(try Picture(decoding: wide.encoded(as: .png)) == wide)
    }

    @Test func textsOfOtherProgramsAreRead() throws {
        struct Texts: Decodable {
            let file: Data
            let texts: [[String]]
        }
        let reference: Texts = try fixture("texts")
        let texts = try Picture.texts(of: reference.file)
        #expect(texts == reference.texts.map { PictureText($0[0], $0[1]) })
    }

    @Test func textsComeBack() throws {
        let texts = [
            PictureText("parameters", "a digit\nSteps: 20, Seed: 1"),
            PictureText("langevin", #"{"η": 0.5, "π": "σ̂"}"#),
            PictureText("ümlaut", "é"), PictureText("empty", ""),
        ]
        let picture = noise(width: 5, height: 4, channels: 3, seed: 9)
        let data = try picture.encoded(as: .png, texts: texts)
        #expect(try Picture.texts(of: data) == texts)
        #expect(try Picture(decoding: data) == picture)
        let types = try PNGChunks([UInt8](data)).chunks.map(\.type)
        #expect(Array(types.prefix(5)) == ["IHDR", "tEXt", "iTXt", "tEXt", "tEXt"])
        for keyword in ["", String(repeating: "a", count: 80), "σ", "a\0b"] {
            #expect(throws: PictureError.self) {
                try picture.encoded(as: .png, texts: [PictureText(keyword, "x")])
            }
        }
    }

    /// D3
    @Test func textBombsAreRefused() throws {
        let good = [UInt8](try Picture(width: 1, height: 1, colour: [0]).encoded(as: .png))
        // 5 MiB of zeros, deflated by the library under test of the decoder: a PNG's own pixel data.
        let zeros = Picture(width: 2048, height: 2560, colour: [0])
        let png = try PNGChunks([UInt8](zeros.encoded(as: .png)))
        let deflated = png.chunks.filter { $0.type == "IDAT" }.flatMap { png.bytes[$0.data] }
        #expect(deflated.count < 10_000)
        let bomb = PNGChunks.chunk("zTXt", Array("a\0\0".utf8) + deflated)
        let error = #expect(throws: PictureError.self) {
            try Picture.texts(of: Array(good.prefix(33)) + bomb + good.dropFirst(33))
        }
        #expect(error?.kind == .tooLarge)
        // A text that is cut is left out, the others are read.
        let cut = PNGChunks.chunk("zTXt", Array("a\0\0".utf8) + deflated.prefix(100))
        let text = try PictureText("k", "v").chunk()
        #expect(
            try Picture.texts(of: Array(good.prefix(33)) + cut + text + good.dropFirst(33))
                == [PictureText("k", "v")])
        #expect(throws: PictureError.self) { try Picture.texts(of: Data("text".utf8)) }
    }
}

struct WritingTests {
    private let picture = noise(width: 20, height: 10, channels: 3, seed: 4)

    @Test func theNameDecidesTheFormat() throws {
        try withTemporaryFolder { folder in
            for (name, format) in [
                ("a.png", PictureFormat.png), ("b.JPG", .jpeg), ("c.jpeg", .jpeg), ("d.webp", .webp),
            ] {
                let url = folder.appending(path: name)
                try picture.write(to: url)
                #expect(try Picture.header(of: url).format == format)
            }
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(files.sorted() == ["a.png", "b.JPG", "c.jpeg", "d.webp"])
            let error = #expect(throws: PictureError.self) {
                try picture.write(to: folder.appending(path: "e.gif"))
            }
            #expect(error?.description.contains("e.gif") == true)
        }
    }

    @Test func placesThatCannotBeWritten() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "file")
            try Data("x".utf8).write(to: file)
            try FileManager.default.createDirectory(
                at: folder.appending(path: "folder.png"), withIntermediateDirectories: false)
            let long = String(repeating: "n", count: 300) + ".png"
            for path in ["none/a.png", "file/a.png", "folder.png", long] {
                let url = folder.appending(path: path)
                let error = #expect(throws: FileError.self, "\(path)") { try picture.write(to: url) }
                #expect(error?.path == url.path)
                #expect(error?.description.hasPrefix(url.path) == true)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(left.sorted() == ["file", "folder.png"])
        }
    }

    @Test func aFailureLeavesTheOldFileAndNothingElse() throws {
        struct Interruption: Error {}
        try withTemporaryFolder { folder in
            let url = folder.appending(path: "a.bin")
            try Files.replace(url.path, with: "old".utf8)
            #expect(throws: Interruption.self) {
                let file = try AtomicFile(url.path)
                try Array("new".utf8).withUnsafeBytes { try file.write($0) }
                // Until the end, the name holds the old content.
                #expect(try Data(contentsOf: url) == Data("old".utf8))
                throw Interruption()
            }
            #expect(try Data(contentsOf: url) == Data("old".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.bin"])
            try Files.replace(url.path, with: "new".utf8)
            #expect(try Data(contentsOf: url) == Data("new".utf8))
        }
    }

    @Test func linksAreFollowed() throws {
        try withTemporaryFolder { folder in
            let (target, link) = (folder.appending(path: "target"), folder.appending(path: "link"))
            try Data("old".utf8).write(to: target)
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: target)
            try Files.replace(link.path, with: "new".utf8)
            #expect(try Data(contentsOf: target) == Data("new".utf8))
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == target.path)
        }
    }

    #if os(Linux)
        @Test func aFullDiskIsAnError() throws {
            // The device that is always full.
            let error = #expect(throws: FileError.self) {
                try Files.replace("/dev/full", with: "x".utf8)
            }
            #expect(error?.description.contains("the disk is full; make room") == true)
        }
    #endif
}
