import Datasets
import Foundation
import TestSupport
import Testing

/// Shards that are damaged, cut, or meant to do harm: one sentence each, or passed over where that is safe.
struct HostileShardTests {
    private func open(_ bytes: [UInt8], captions: Bool = true, name: String = "a.tar") throws -> ShardDataset
    {
        try withTemporaryFolder { folder in
            let path = try folder.write(Data(bytes), as: name).path
            return try ShardDataset(
                [path], width: 2, height: 2, channels: 1, readsCaptions: captions, shuffleBuffer: 4)
        }
    }

    private func expectRefused(
        _ bytes: [UInt8], _ words: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: DatasetError.self, sourceLocation: sourceLocation) { try open(bytes) }
        #expect(
            error?.description.contains(words) == true, "\(error?.description ?? "")",
            sourceLocation: sourceLocation)
        #expect(error?.description.contains("\n") == false, sourceLocation: sourceLocation)
    }

    private func archive(_ build: (inout TarArchive) throws -> Void) throws -> [UInt8] {
        var archive = try TarArchive.samples(0..<3)
        try build(&archive)
        return archive.closed
    }

    /// E1: names are keys and nothing else.
    @Test func namesThatLeadElsewhereAreKeys() throws {
        let bytes = try archive { archive in
            for name in ["../x", "/x", "C:\\x"] {
                archive.add(name + ".png", try TarArchive.png(9))
                archive.add(name + ".txt", "x".utf8)
                archive.add(name + ".cls", "0".utf8)
            }
        }
        try withTemporaryFolder { folder in
            let path = try folder.write(Data(bytes), as: "in/a.tar").path
            let data = try ShardDataset([path], width: 2, height: 2, channels: 1, readsCaptions: true)
            let names = try data.batch(at: Array(0..<6)).texts["relpath"]
            #expect(names?.suffix(3) == ["../x", "/x", "C:\\x"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["in"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/in") == ["a.tar"])
        }
    }

    /// E2: links, devices, pipes and folders are no samples.
    @Test func whatIsNoFileIsPassedOver() throws {
        let bytes = try archive { archive in
            for type in "123456V".utf8 {
                archive.add(raw: TarArchive.header("y\(type).png", 0, type: type))
            }
            // A link's size is of what it leads to.
            archive.add(raw: TarArchive.header("z.png", 700, type: UInt8(ascii: "2")))
            archive.add(raw: TarArchive.header("folder.png/", 0, type: 0))
            for number in 0..<20_000 {
                archive.add(raw: TarArchive.header("l\(number).png", 0, type: UInt8(ascii: "1")))
            }
        }
        #expect(try open(bytes).count == 3)
    }

    /// E3: sizes that no member has.
    @Test func sizesThatCannotBeAreRefused() throws {
        let large: [UInt8] = [0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]
        let negative = [UInt8](repeating: 0xFF, count: 12)
        let huge: [UInt8] = [0x80, 0x7F] + [UInt8](repeating: 0xFF, count: 10)
        for (size, words) in [
            (large, "claims 12884901888 bytes"), (negative, "size is no number"), (huge, "size is no number"),
            (Array("0000000008x\0".utf8), "size is no number"), (Array("77777777777 ".utf8), "bytes, where"),
            (Array("-0000000001\0".utf8), "size is no number"),
        ] {
            expectRefused(
                try archive { $0.add(raw: TarArchive.header("q.png", 0, size: size)) }, words)
        }
    }

    /// A size to the base of 256 that is right is read.
    @Test func sizesToTheBaseOf256AreRead() throws {
        let png = try TarArchive.png(7)
        let size = [0x80] + [UInt8](repeating: 0, count: 9) + [UInt8(png.count >> 8), UInt8(png.count & 255)]
        let bytes = try archive {
            $0.add(raw: TarArchive.header("q.png", 0, size: size) + TarArchive.padded(png))
            $0.add("q.cls", "1".utf8)
        }
        #expect(try open(bytes).count == 4)
    }

    /// E4, E5
    @Test func damagedAndCutArchivesAreRefused() throws {
        let whole = try archive { _ in }
        expectRefused(try archive { $0.add(raw: TarArchive.header("q.png", 0, sum: 1)) }, "checksum is wrong")
        for length in [1, 511, 513, 600, 1024, 2048, 3000, whole.count - 10_240 + 700] {
            expectRefused(Array(whole[..<length]), length % 512 == 0 ? "end mark is missing" : "cut short")
        }
        let packed = try gzipped(whole)
        for length in [3, 20, packed.count / 2, packed.count - 9] {
            expectRefused(Array(packed[..<length]), "cut short")
        }
        var changed = packed
        changed[packed.count / 2] ^= 0x55
        #expect(throws: DatasetError.self) { try open(changed) }
        expectRefused(Array("this is no archive".utf8), "cut short")
        expectRefused([UInt8](repeating: 65, count: 2048), "checksum is wrong")
        expectRefused(whole + Array("more".utf8), "more behind its end mark")
        expectRefused(whole + whole, "more behind its end mark")
    }

    /// E6
    @Test func membersTwiceAreRefused() throws {
        expectRefused(
            try archive { archive in
                archive.add("k.png", try TarArchive.png(1))
                archive.add("k.txt", "a".utf8)
                archive.add("k.txt", "b".utf8)
            }, "two members \"k.txt\"")
        expectRefused(
            try archive { archive in
                archive.add("k.png", try TarArchive.png(1))
                archive.add("k.jpg", try TarArchive.png(1))
            }, "two pictures of the key \"k\"")
    }

    /// E7: extended headers and long names without a bound.
    @Test func extendedHeadersAreBounded() throws {
        func extended(_ text: String, _ type: String = "x") -> [UInt8] {
            TarArchive.header("pax", text.utf8.count, type: type.utf8.first!)
                + TarArchive.padded(Array(text.utf8))
        }
        func record(_ key: String, _ value: String) -> String {
            var length = key.utf8.count + value.utf8.count + 3
            length += String(length + 2).utf8.count
            if "\(length) \(key)=\(value)\n".utf8.count != length { length -= 1 }
            return "\(length) \(key)=\(value)\n"
        }
        for type in ["x", "L", "K", "g"] {
            expectRefused(
                try archive {
                    $0.add(raw: TarArchive.header("a", 1 << 30, type: type.utf8.first!, size: nil))
                }, "extended header has 1073741824 bytes")
        }
        expectRefused(
            try archive { $0.add(raw: extended(record("path", String(repeating: "a", count: 1 << 20)))) },
            "extended header has")
        expectRefused(
            try archive { archive in for _ in 0..<9 { archive.add(raw: extended("name", "L")) } },
            "more than 8 extended headers")
        for text in ["x", "99 path=a\n", "9 path=a", "0 a=b\n", "11 size=-1\n", "-5 a=b\n"] {
            expectRefused(try archive { $0.add(raw: extended(text)) }, "extended header is damaged")
        }
        // Sound ones give the name, which may be longer than a header holds.
        let long = String(repeating: "long/", count: 60) + "key"
        let png = try TarArchive.png(5)
        let bytes = try archive { archive in
            archive.add(raw: extended(record("path", long + ".png")) + TarArchive.header("short", png.count))
            archive.add(raw: TarArchive.padded(png))
            archive.add(raw: extended(long + ".cls\0", "L") + TarArchive.header("short", 1))
            archive.add(raw: TarArchive.padded(Array("2".utf8)))
            archive.add(raw: extended(record("comment", "x"), "g"))
        }
        try withTemporaryFolder { folder in
            let path = try folder.write(Data(bytes), as: "a.tar").path
            let data = try ShardDataset([path], width: 2, height: 2, channels: 1)
            #expect(try data.batch(at: [3]).texts["relpath"] == [long])
            #expect(try data.batch(at: [3]).labels?.array(of: Int.self) == [2])
        }
    }

    /// E8
    @Test func membersWithHolesAreRefused() throws {
        expectRefused(
            try archive { $0.add(raw: TarArchive.header("a.png", 0, type: UInt8(ascii: "S"))) }, "with holes")
        let text = "22 GNU.sparse.major=1\n"
        expectRefused(
            try archive {
                $0.add(
                    raw: TarArchive.header("pax", text.utf8.count, type: UInt8(ascii: "x"))
                        + TarArchive.padded(Array(text.utf8)))
            }, "with holes")
    }

    /// E9: one key in twenty may lack its picture; captions may be missing from some.
    @Test func keysWithoutPictureOrCaptionAreCounted() throws {
        var archive = try TarArchive.samples(0..<39)
        archive.add("lost.txt", "a caption".utf8)
        archive.add("README.md", "notes".utf8)
        archive.add("bare.png", try TarArchive.png(3))
        archive.add("bare.cls", "0".utf8)
        let data = try open(archive.closed)
        #expect(data.count == 40 && data.findings.withoutCaption == 1 && data.findings.total == 41)
        #expect(data.findings.damaged.map { $0.file?.hasSuffix("/lost") } == [true])
        for number in 0..<2 { archive.add("lost\(number).txt", "a caption".utf8) }
        expectRefused(archive.closed, "3 or more of 43 pictures cannot be read")
        var silent = TarArchive()
        silent.add("a.png", try TarArchive.png(1))
        expectRefused(silent.closed, "no sample has a caption")
        expectRefused(
            try archive0 { $0.add("c.png", try TarArchive.png(1)) }, "\"c\" has no .cls and others have")
    }

    private func archive0(_ build: (inout TarArchive) throws -> Void) throws -> [UInt8] { try archive(build) }

    /// D14 in shards: damaged pictures are left out, counted and named; the next one stands in.
    @Test func damagedPicturesAreReplacedAndNamed() throws {
        var archive = TarArchive()
        for number in 0..<60 {
            let png = try TarArchive.png(number, width: 40, height: 40)
            archive.add("\(number).png", number % 30 == 4 ? Array(png.dropLast(20)) : png)
        }
        try withTemporaryFolder { folder in
            let path = try folder.write(Data(archive.closed), as: "a.tar").path
            func open() throws -> ShardDataset {
                try ShardDataset([path], width: 1, height: 1, channels: 1, shuffleBuffer: 1)
            }
            func levels(_ batch: Batch) throws -> [Int] {
                try batch.data.array(of: Float.self).map { Int((($0 + 1) * 127.5).rounded()) }
            }
            let data = try open()
            #expect(try levels(data.batch(at: [3, 4, 5])) == [3, 5, 5])
            #expect(data.findings.damaged.map(\.file) == [path + "/4.png"])
            let other = try open()
            for size in [1, 7] {
                var stream = try other.batches(.init(count: 60, batchSize: size, seed: 0), at: .init())
                let met = try (0..<(60 / size)).flatMap { _ in try levels(stream.next()()) }
                let expected = (0..<60).map { $0 % 30 == 4 ? $0 + 1 : $0 }
                #expect(met == Array(expected[..<met.count]))
            }
            #expect(other.findings.damaged.count == 2)
        }
        for number in 0..<6 { archive.add("p\(number).png", "<html>".utf8) }
        let error = #expect(throws: DatasetError.self) { try self.open(archive.closed, captions: false) }
        #expect(error?.description.contains("4 or more of 66 pictures cannot be read") == true, "\(error!)")
    }

    /// E10
    @Test func emptyShardsAreRefused() throws {
        expectRefused([], "is empty")
        expectRefused(TarArchive.end, "no sample with a picture")
        expectRefused(try gzipped(TarArchive.end), "no sample with a picture")
    }

    /// E11
    @Test func captionsThatAreNoTextAreRefused() throws {
        let bytes = try archive { archive in
            archive.add("k.png", try TarArchive.png(1))
            archive.add("k.txt", [0xFF, 0xFE, 0x41])
            archive.add("k.cls", "1".utf8)
        }
        expectRefused(bytes, "k.txt: the caption is not text in UTF-8")
        #expect(try open(bytes, captions: false).count == 4)
        for (name, text, words) in [
            ("k.cls", "cat", "\"k.cls\" is \"cat\""), ("k.cls", "70000", "70000"), ("k.json", "{", "k.json"),
            ("k.json", "[1]", "no JSON object"),
        ] {
            expectRefused(
                try archive { archive in
                    archive.add("k.png", try TarArchive.png(1))
                    archive.add(name, text.utf8)
                }, words)
        }
    }

    /// E12 of members: a text without a bound.
    @Test func textsAreBounded() throws {
        expectRefused(
            try archive { archive in
                archive.add("k.png", try TarArchive.png(1))
                archive.add("k.txt", [UInt8](repeating: 65, count: 1 << 20 + 1))
            }, "where a text has at most 1048576")
    }

    /// E13: a file of some kilobytes that unpacks to gigabytes is refused after some megabytes.
    @Test func bombsAreStopped() throws {
        let start = try TarArchive.samples(0..<1).bytes
        func bomb(_ name: String) throws -> [UInt8] {
            try withTemporaryFolder { folder in
                let head = try folder.write(
                    Data(start + TarArchive.header(name, 1 << 28)), as: "head")
                let process = Process()
                process.executableURL = URL(filePath: "/bin/sh")
                process.arguments = [
                    "-c",
                    "(cat '\(head.path)'; head -c 268435456 /dev/zero) | gzip -1 > '\(folder.path)/b.gz'",
                ]
                try process.run()
                process.waitUntilExit()
                return [UInt8](try Data(contentsOf: folder.appending(path: "b.gz")))
            }
        }
        expectRefused(try bomb("x.mp4"), "more than a hundred times")
        expectRefused(try bomb("x.txt"), "where a text has at most")
    }
}
