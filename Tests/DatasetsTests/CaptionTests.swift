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
}
