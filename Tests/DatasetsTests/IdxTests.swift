import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

struct IdxTests {
    private let reference: IdxReference

    init() throws { reference = try fixture("idx") }

    @Test func batchesEqualTheReference() throws {
        try withTemporaryFolder { folder in
            for (images, labels) in [
                (reference.images, reference.labels), (reference.images_gz, reference.labels_gz),
            ] {
                let dataset = try IdxDataset(
                    images: folder.write(images, as: "i"), labels: folder.write(labels, as: "l"))
                #expect(dataset.count == 12 && Array(dataset.exampleShape) == [1, 5, 4])
                #expect(dataset.classNames == ["0", "1", "2", "3"])
                let batch = try dataset.batch(at: reference.picked)
                #expect(Array(batch.data.shape) == [5, 1, 5, 4])
                #expect(try batch.data.array(of: Float.self) == reference.batch)
                #expect(try batch.labels?.array(of: Int.self) == reference.batch_labels)
            }
        }
    }

    @Test func foldersUseTheUsualNames() throws {
        try withTemporaryFolder { folder in
            _ = try folder.write(reference.images_gz, as: "train-images-idx3-ubyte.gz")
            _ = try folder.write(reference.labels, as: "train-labels-idx1-ubyte")
            #expect(try IdxDataset(folder: folder).count == 12)
            let error = #expect(throws: DatasetError.self) { try IdxDataset(folder: folder, part: .test) }
            #expect(error?.description.contains("t10k-images-idx3-ubyte") == true)
            let unlabelled = try IdxDataset(
                images: folder.appending(path: "train-images-idx3-ubyte.gz"), labels: nil)
            #expect(unlabelled.classNames == nil)
            #expect(try unlabelled.batch(at: [0]).labels == nil)
        }
    }

    @Test func classesHaveTheNamesOfTheirFile() throws {
        try withTemporaryFolder { folder in
            _ = try folder.write(reference.images_gz, as: "train-images-idx3-ubyte.gz")
            _ = try folder.write(reference.labels, as: "train-labels-idx1-ubyte")
            let names = folder.appending(path: "classes.txt")
            try Data("T-shirt\n trouser \r\n\nbag\nboot\n".utf8).write(to: names)
            #expect(try IdxDataset(folder: folder).classNames == ["T-shirt", "trouser", "bag", "boot"])
            for (text, words) in [
                ("a\nb\n", "there are 2 classes"), ("\n\n", "it names no class"),
                ("a\nb\na\nd", "two classes"),
            ] {
                try Data(text.utf8).write(to: names)
                let error = #expect(throws: DatasetError.self) { try IdxDataset(folder: folder) }
                #expect(error?.description.contains(words) == true)
            }
        }
    }

    @Test func bothPartsAreReadAsOne() throws {
        try withTemporaryFolder { folder in
            for prefix in ["train", "t10k"] {
                _ = try folder.write(reference.images_gz, as: "\(prefix)-images-idx3-ubyte.gz")
                _ = try folder.write(reference.labels, as: "\(prefix)-labels-idx1-ubyte")
            }
            let all = try IdxDataset(folder: folder, part: .all)
            #expect(all.count == 24 && all.classNames == ["0", "1", "2", "3"])
            for shift in [0, 12] {
                let batch = try all.batch(at: reference.picked.map { $0 + shift })
                #expect(try batch.data.array(of: Float.self) == reference.batch)
                #expect(try batch.labels?.array(of: Int.self) == reference.batch_labels)
            }
            var other = reference.images
            (other[11], other[15]) = (other[15], other[11])
            _ = try folder.write(other, as: "t10k-images-idx3-ubyte")
            try FileManager.default.removeItem(at: folder.appending(path: "t10k-images-idx3-ubyte.gz"))
            let error = #expect(throws: DatasetError.self) { try IdxDataset(folder: folder, part: .all) }
            #expect(error?.description.contains("two parts") == true)
        }
    }

    @Test func badFilesAreErrors() throws {
        func big(_ values: [Int]) -> Data {
            Data(values.flatMap { value in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } })
        }
        let (images, packed) = (reference.images, reference.images_gz)
        let cases: [(Data, String)] = [
            (images.dropLast(), "claims"), (images + [0], "more than"), (images.prefix(10), "cut short"),
            (images.prefix(3), "no idx"), (packed.dropLast(9), "cut short"), (packed.prefix(40), "cut short"),
            (big([2051, 1 << 32 - 1, 1 << 32 - 1, 1 << 32 - 1]) + images, "can hold"),
            (big([2051, 1 << 31, 1 << 31, 4]) + images, "can hold"),
            (big([2051, 0, 5, 4]), "zero"), (reference.labels, "2049 where 2051"),
            (big([0x0D03, 1, 1, 1]) + [0, 0, 0, 0], "where 2051"),
            (Data("PK\u{3}\u{4} archive".utf8), "no idx"),
        ]
        try withTemporaryFolder { folder in
            let labels = try folder.write(reference.labels, as: "labels")
            for (data, words) in cases {
                let url = try folder.write(data, as: "images")
                let error = #expect(throws: DatasetError.self, "\(words)") {
                    try IdxDataset(images: url, labels: labels)
                }
                #expect(error?.description.contains(words) == true, "\(words): \(error?.description ?? "")")
                #expect(error?.file == url.path)
            }
            // Everywhere a byte of the packed file is changed there is an error or the same content.
            for position in packed.indices {
                var copy = packed
                copy[position] ^= 0x41
                let url = try folder.write(copy, as: "images")
                if let dataset = try? IdxDataset(images: url, labels: labels) {
                    #expect(
                        try dataset.batch(at: reference.picked).data.array(of: Float.self)
                            == reference.batch)
                }
            }
        }
    }

    @Test func labelsMustFit() throws {
        try withTemporaryFolder { folder in
            let images = try folder.write(reference.images, as: "images")
            var fewer = reference.labels
            fewer[7] = 11
            let short = try folder.write(fewer.dropLast(), as: "short")
            let error = #expect(throws: DatasetError.self) { try IdxDataset(images: images, labels: short) }
            #expect(error?.description.contains("11 labels") == true)
            let labels = try folder.write(reference.labels, as: "labels")
            let range = #expect(throws: DatasetError.self) {
                try IdxDataset(images: images, labels: labels, classNames: ["a", "b", "c"])
            }
            #expect(range?.description.contains("3 classes") == true)
            #expect(
                try IdxDataset(images: images, labels: labels, classNames: ["a", "b", "c", "d"]).classCount
                    == 4)
        }
    }
}

struct MappedDatasetTests {
    @Test func paddingSurroundsThePicture() throws {
        let digits = try DigitsDataset(contentsOf: digitsFile)
        let padded = try digits.padded(toHeight: 11, width: 12)
        #expect(Array(padded.exampleShape) == [1, 11, 12] && padded.count == 1797 && padded.classCount == 10)
        let (small, large) = (try digits.batch(at: [7, 3]), try padded.batch(at: [7, 3]))
        #expect(Array(large.data.shape) == [2, 1, 11, 12])
        let (a, b) = (try small.data.array(of: Float.self), try large.data.array(of: Float.self))
        for picture in 0..<2 {
            for y in 0..<11 {
                for x in 0..<12 {
                    let (inY, inX) = (y - 1, x - 2)
                    let isInside = (0..<8).contains(inY) && (0..<8).contains(inX)
                    let expected = isInside ? a[picture * 64 + inY * 8 + inX] : -1
                    #expect(b[picture * 132 + y * 12 + x] == expected)
                }
            }
        }
        #expect(throws: DatasetError.self) { try digits.padded(toHeight: 4, width: 32) }
    }

    @Test func channelsAreConverted() throws {
        let digits = try DigitsDataset(contentsOf: digitsFile, part: .evaluation)
        let colour = try digits.converted(toChannels: 3)
        #expect(Array(colour.exampleShape) == [3, 8, 8])
        let values = try colour.batch(at: [5]).data.array(of: Float.self)
        let grey = try digits.batch(at: [5]).data.array(of: Float.self)
        #expect(values == grey + grey + grey)
        let back = try colour.converted(toChannels: 1).batch(at: [5]).data.array(of: Float.self)
        #expect(zip(back, grey).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(throws: DatasetError.self) { try digits.converted(toChannels: 2) }
    }
}
