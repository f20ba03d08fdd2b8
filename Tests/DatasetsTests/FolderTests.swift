import Datasets
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

struct FolderTests {
    /// A picture of one colour as a PNG.
    private func png(_ colour: [UInt8], width: Int = 6, height: Int = 4) throws -> Data {
        try Picture(width: width, height: height, colour: colour).encoded(as: .png)
    }

    /// Three classes, two of them with pictures, the names not in the order of their making.
    private func makeClasses(in folder: URL) throws {
        _ = try folder.write(png([200, 0, 0]), as: "zebra/b.png")
        _ = try folder.write(png([100, 0, 0]), as: "zebra/a.png")
        _ = try folder.write(png([50]), as: "ape/deep/c.PNG")
        _ = try folder.write(png([25, 25, 25], width: 4, height: 9), as: "ape/x.jpg")
        _ = try folder.write(Data("notes".utf8), as: "ape/notes.txt")
        _ = try folder.write(Data("notes".utf8), as: "empty/notes.txt")
        _ = try folder.write(png([0]), as: ".hidden/a.png")
    }

    @Test func classesAndPicturesAreOrderedByName() throws {
        try withTemporaryFolder { folder in
            try makeClasses(in: folder)
            for memoryLimit in [1 << 20, 0] {
                let dataset = try FolderDataset(folder: folder, width: 2, height: 2, memoryLimit: memoryLimit)
                #expect(dataset.count == 4 && dataset.classNames == ["ape", "zebra"])
                #expect(Array(dataset.exampleShape) == [3, 2, 2])
                let batch = try dataset.batch(at: [0, 1, 2, 3])
                #expect(try batch.labels?.array(of: Int.self) == [0, 0, 1, 1])
                let values = try batch.data.array(of: Float.self)
                let reds = stride(from: 0, to: 48, by: 12).map { UInt8(((values[$0] + 1) * 127.5).rounded()) }
                #expect(reds == [25, 50, 100, 200])
                #expect(values[47] == -1)
                #expect(dataset.findings.damaged.isEmpty)
                let again = try dataset.batch(at: [3, 0, 3])
                #expect(try again.labels?.array(of: Int.self) == [1, 0, 1])
                #expect(
                    try Array(again.data.array(of: Float.self).prefix(12)) == Array(values.suffix(12)))
            }
        }
    }

    @Test func aFlatFolderHasNoClasses() throws {
        try withTemporaryFolder { folder in
            for (name, level) in [("10.png", 10), ("9.png", 9)] as [(String, UInt8)] {
                _ = try folder.write(png([level]), as: name)
            }
            let dataset = try FolderDataset(folder: folder, width: 3, height: 1, channels: 1)
            #expect(dataset.classNames == nil && dataset.count == 2)
            let batch = try dataset.batch(at: [0, 1])
            #expect(batch.labels == nil)
            #expect(
                try batch.data.array(of: Float.self).map { ($0 + 1) * 127.5 }.map { $0.rounded() } == [
                    10, 10, 10, 9, 9, 9,
                ])
        }
    }

    /// D14: up to 5 % of damaged pictures are left out and counted.
    @Test func fewDamagedPicturesAreLeftOutAndManyAreAnError() throws {
        try withTemporaryFolder { folder in
            for index in 0..<39 {
                _ = try folder.write(png([UInt8(index)]), as: String(format: "%02d.png", index))
            }
            let cut = try png([255], width: 64, height: 64).dropLast(30)
            _ = try folder.write(cut, as: "20-cut.png")
            for memoryLimit in [1 << 20, 0] {
                let dataset = try FolderDataset(
                    folder: folder, width: 1, height: 1, channels: 1, memoryLimit: memoryLimit)
                let all = try dataset.batch(at: Array(0..<dataset.count)).data.array(of: Float.self)
                let levels = all.map { Int((($0 + 1) * 127.5).rounded()) }
                // With its header whole, the cut picture is noticed when it is read, and the next stands in.
                #expect(levels == (memoryLimit == 0 ? Array(0...20) + Array(20...38) : Array(0...38)))
                #expect(dataset.findings.damaged.map { $0.file?.hasSuffix("20-cut.png") } == [true])
            }
            for index in 0..<2 { _ = try folder.write(Data("<html>".utf8), as: "page\(index).png") }
            let error = #expect(throws: DatasetError.self) {
                try FolderDataset(folder: folder, width: 1, height: 1, channels: 1)
            }
            #expect(
                error?.description.contains("of 42 pictures cannot be read") == true,
                "\(error?.description ?? "")")
        }
    }

    @Test func whatIsNoDataSetIsAnError() throws {
        try withTemporaryFolder { folder in
            let open = { (url: URL) in try FolderDataset(folder: url, width: 2, height: 2) }
            #expect(throws: DatasetError.self) { try open(folder) }
            #expect(throws: DatasetError.self) { try open(folder.appending(path: "none")) }
            let file = try folder.write(png([1]), as: "a.png")
            #expect(throws: DatasetError.self) { try open(file) }
            #expect(throws: DatasetError.self) { try FolderDataset(folder: folder, width: 0, height: 2) }
            #expect(throws: DatasetError.self) {
                try FolderDataset(folder: folder, width: 2, height: 2, channels: 4)
            }
            _ = try folder.write(png([1]), as: "class/a.png")
            let mixed = #expect(throws: DatasetError.self) { try open(folder) }
            #expect(mixed?.description.contains("both") == true)
        }
    }

    @Test func circlesOfLinksEnd() throws {
        try withTemporaryFolder { folder in
            _ = try folder.write(png([1]), as: "class/a.png")
            try FileManager.default.createSymbolicLink(
                at: folder.appending(path: "class/loop"), withDestinationURL: folder)
            #expect(try FolderDataset(folder: folder, width: 2, height: 2).count == 1)
        }
    }
}
