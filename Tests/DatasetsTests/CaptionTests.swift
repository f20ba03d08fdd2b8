import Datasets
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// Where captions come from, and which of several is drawn.
struct CaptionTests {
    private func pictures(_ folder: URL, _ names: [String]) throws {
        for name in names {
            let png = try Picture(width: 2, height: 2, channels: 1, pixels: [0, 1, 2, 3]).encoded(as: .png)
            _ = try folder.write(Data(png), as: name)
        }
    }

    private func dataset(_ folder: URL, captions: Bool = true, memoryLimit: Int = 1 << 30) throws
        -> FolderDataset
    {
        try FolderDataset(
            folder: folder, width: 2, height: 2, channels: 1, readsCaptions: captions,
            memoryLimit: memoryLimit)
    }

    @Test(arguments: [1 << 30, 0])
    func textsOfTheMetadata(memoryLimit: Int) throws {
        try withTemporaryFolder { folder in
            try pictures(folder, ["a.png", "b.png", "c.png"])
            let rows = """
                {"file_name": "a.png", "text": "a cat"}
                {"file_name": "b.png", "text": ["a dog", "a hound", "a pet"]}
                {"file_name": "a.png", "text": "a tom"}
                """
            _ = try folder.write(Data(rows.utf8), as: "metadata.jsonl")
            let data = try dataset(folder, memoryLimit: memoryLimit)
            #expect(data.captions == ["a cat", "a tom", "a dog", "a hound", "a pet"])
            #expect(
                try data.batch(at: [1, 0, 2]).captions == [
                    ["a dog", "a hound", "a pet"], ["a cat", "a tom"], [],
                ])
            #expect(data.findings.withoutCaption == 1 && !data.findings.hasUnreadTexts)
            #expect(try dataset(folder, captions: false).batch(at: [0]).captions == nil)
        }
    }

    @Test func wrongTextsNameTheLine() throws {
        try withTemporaryFolder { folder in
            try pictures(folder, ["a.png"])
            for (row, part) in [
                (#"{"file_name": "a.png", "text": 7}"#, "line 1"),
                (#"{"file_name": "b.png", "text": "x"}"#, "no picture"),
            ] {
                _ = try folder.write(Data(row.utf8), as: "metadata.jsonl")
                #expect { try dataset(folder) } throws: { "\($0)".contains(part) }
                _ = try dataset(folder, captions: false)
            }
        }
    }

    @Test func theSeedDrawsOneOfSeveral() throws {
        struct Told: Dataset {
            let count = 40
            let exampleShape: Shape = [1]
            let classNames: [String]? = nil
            func batch(at indices: [Int]) throws -> Batch {
                Batch(
                    data: .zeros([indices.count, 1]), labels: nil,
                    captions: indices.map { ["\($0)a", "\($0)b"] })
            }
        }
        func captions(seed: UInt64, size: Int) throws -> [String: [String]] {
            var order = try BatchOrder(.init(count: 40, batchSize: size, seed: seed))
            var found: [String: [String]] = [:]
            for _ in 0..<(200 / size) {
                let draw = order.next()
                let drawn = try #require(try Told().batch(for: draw).captions)
                for (index, own) in zip(draw.indices, drawn) {
                    #expect(own.count == 1 && ["\(index)a", "\(index)b"].contains(own[0]))
                    found["\(index)", default: []].append(own[0])
                }
            }
            return found
        }
        let found = try captions(seed: 3, size: 8)
        #expect(try found == captions(seed: 3, size: 20))
        #expect(try found != captions(seed: 4, size: 8))
        // 200 fair coins are within 5 deviations of one half.
        let first = found.values.flatMap(\.self).count { $0.hasSuffix("a") }
        #expect((65...135).contains(first))
    }

    @Test func classNamesAreCaptions() throws {
        let digits = try ClassCaptions(DigitsDataset(contentsOf: digitsFile))
        #expect(try digits.batch(at: [0, 1, 2]).captions == [["0"], ["1"], ["2"]])
        #expect(digits.captions == (0...9).map(String.init))
        #expect(throws: DatasetError.self) { try ClassCaptions(TensorDataset(["data": .zeros([5, 3])])) }
    }

    /// `metadata.csv` by RFC 4180: commas, quotation marks and ends of lines in values, numbers as labels.
    @Test func rowsOfTables() throws {
        try withTemporaryFolder { folder in
            try pictures(folder, ["a.png", "b.png", "c.png"])
            let rows =
                "\u{FEFF}text,file_name,label\r\n\"a \"\"big\"\", cat\",a.png,1\r\n\"two\nlines\",./b.png,0\n,c.png,1\n"
            _ = try folder.write(Data(rows.utf8), as: "metadata.csv")
            let data = try dataset(folder)
            #expect(data.classNames == ["0", "1"])
            #expect(data.captions == ["two\nlines", "a \"big\", cat"])
            #expect(data.findings.withoutCaption == 1)
            let names = rows.replacing(",1\r\n", with: ",dog\r\n")
            _ = try folder.write(Data(names.utf8), as: "metadata.csv")
            #expect(try dataset(folder).classNames == ["0", "1", "dog"])
            for (text, words) in [
                ("", "is empty"), ("text,label\n", "does not name a column file_name"),
                ("file_name,text,text\n", "twice"), ("file_name,text\na.png\n", "line 2 has 1 values"),
                ("file_name,text\na.png,\"x\n", "line 2 is no line of values"),
                ("file_name,text\na.png,x\"y\"\n", "line 2 is no line of values"),
                ("file_name,text\na.png,x\n\"b.png\"z,y\n", "line 3 is no line of values"),
            ] {
                _ = try folder.write(Data(text.utf8), as: "metadata.csv")
                #expect { try dataset(folder) } throws: { "\($0)".contains(words) }
            }
            _ = try folder.write(Data("file_name,text\na.png,".utf8 + [0xFF, 10]), as: "metadata.csv")
            #expect { try dataset(folder) } throws: { "\($0)".contains("line 2 is no line of values") }
        }
    }

    /// Files beside pictures hold a caption a line; they are not opened where captions are not read.
    @Test func filesBesidePictures() throws {
        try withTemporaryFolder { folder in
            try pictures(folder, ["x/a.png", "x/b.png", "y/c.png"])
            _ = try folder.write(Data("a cat\r\n\n  a tom \n".utf8), as: "x/a.txt")
            _ = try folder.write(Data("a long caption".utf8), as: "x/a.caption")
            _ = try folder.write(Data("a dog".utf8), as: "y/c.caption")
            _ = try folder.write(Data("notes".utf8), as: "y/notes.txt")
            let data = try dataset(folder)
            #expect(data.captions == ["a cat", "a tom", "a long caption", "a dog"])
            #expect(data.findings.withoutCaption == 1)
            let texts = try data.batch(at: [0, 2]).texts
            #expect(texts["relpath"] == ["x/a.png", "y/c.png"] && texts["synsets"] == ["x", "y"])
            #expect(texts["human_label"] == ["x", "y"])
            #expect(texts["file_path_"] == [folder.path + "/x/a.png", folder.path + "/y/c.png"])
            // E11
            _ = try folder.write(Data([0x61, 0xC3, 0x28]), as: "x/b.txt")
            #expect { try dataset(folder) } throws: {
                "\($0)".contains("x/b.txt: the caption is not text in UTF-8")
            }
            _ = try dataset(folder, captions: false)
            _ = try folder.write(Data(count: 1 << 17), as: "x/b.txt")
            #expect { try dataset(folder) } throws: {
                "\($0)".contains("b.txt") && "\($0)".contains("131072 bytes")
            }
        }
    }

    /// Names and longer captions half and half; a column without a caption leaves its share to the others.
    @Test func columnsAreMixedByTheirShares() throws {
        try withTemporaryFolder { folder in
            try pictures(folder, ["a.png", "b.png"])
            let rows = """
                {"file_name": "a.png", "name": "n", "long": ["l1", "l2"]}
                {"file_name": "b.png", "name": "only"}
                """
            _ = try folder.write(Data(rows.utf8), as: "metadata.jsonl")
            _ = try folder.write(Data("beside".utf8), as: "a.txt")
            func open(_ columns: CaptionColumn...) throws -> FolderDataset {
                try FolderDataset(
                    folder: folder, width: 2, height: 2, channels: 1, readsCaptions: true,
                    captionColumns: columns)
            }
            let mixed = try open(CaptionColumn("name"), CaptionColumn("long"))
            #expect(try mixed.batch(at: [0]).captionWeights == [[1, 0.5, 0.5]])
            var counts: [String: Int] = [:]
            var order = try BatchOrder(.init(count: 2, batchSize: 2, seed: 6))
            for _ in 0..<2000 {
                let batch = try mixed.batch(for: order.next())
                for own in batch.captions! { counts[own[0], default: 0] += 1 }
                #expect(batch.captionWeights == nil)
            }
            // 2,000 draws with p = 1/2 and 1/4: 5 deviations are 112 and 97.
            #expect(counts["only"] == 2000 && abs(counts["n"]! - 1000) < 112, "\(counts)")
            #expect(abs(counts["l1"]! - 500) < 97, "\(counts)")
            #expect(
                try open(CaptionColumn("txt"), CaptionColumn("name")).captions == ["beside", "n", "only"])
            #expect { try open(CaptionColumn("name"), CaptionColumn("none")) } throws: {
                "\($0)".contains("no picture of this folder has a caption of the column \"none\"")
            }
        }
    }

    /// Rows that name pictures which are not there are counted and named, and refused where they are many.
    @Test func missingPicturesAreNamed() throws {
        try withTemporaryFolder { folder in
            let names = (10..<40).map { "\($0).png" }
            try pictures(folder, names)
            func write(_ more: String...) throws {
                let rows = (names + more).map { #"{"file_name": "\#($0)", "text": "x"}"# }
                _ = try folder.write(Data(rows.joined(separator: "\n").utf8), as: "metadata.jsonl")
            }
            try write("gone.png")
            let data = try dataset(folder)
            #expect(data.count == 30 && data.findings.total == 31)
            #expect(data.findings.damaged.map { $0.file } == [folder.path + "/gone.png"])
            #expect(data.findings.damaged[0].what.contains("metadata.jsonl names it"))
            try write("gone.png", "lost.png")
            #expect { try dataset(folder) } throws: {
                "\($0)".contains("2 or more of 32 pictures cannot be read") && "\($0)".contains("gone.png")
            }
        }
    }

    /// E12
    @Test func linesAreBounded() throws {
        try withTemporaryFolder { folder in
            try pictures(folder, ["a.png"])
            var line = Data(#"{"file_name": "a.png", "text": "x"}"#.utf8) + Data("\n".utf8)
            line += Data(#"{"file_name": "a.png", "text": ""#.utf8) + Data(repeating: 65, count: 100 << 20)
            _ = try folder.write(line, as: "metadata.jsonl")
            let start = ContinuousClock.now
            #expect { try dataset(folder) } throws: { "\($0)".contains("line 2 has more than 1048576 bytes") }
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }
}
