import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

struct CifarTests {
    /// A record whose plane c has at row y and column x the byte 64c + 2y + x, plus the picture's number.
    private func record(_ number: Int, label: Int) -> Data {
        var data = Data([UInt8(label)])
        for channel in 0..<3 {
            for row in 0..<32 {
                for column in 0..<32 {
                    data.append(UInt8(truncatingIfNeeded: 64 * channel + 2 * row + column + number))
                }
            }
        }
        return data
    }

    private func batch(_ numbers: Range<Int>, classes: Int = 10) -> Data {
        numbers.reduce(Data()) { $0 + record($1, label: $1 % classes) }
    }

    /// Two pictures in each batch, three in the test's.
    private func fill(_ folder: URL) throws {
        for index in 0..<5 {
            _ = try folder.write(batch(2 * index..<2 * index + 2), as: "data_batch_\(index + 1).bin")
        }
        _ = try folder.write(batch(10..<13), as: "test_batch.bin")
        let names = [
            "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
        ]
        _ = try folder.write(Data((names.joined(separator: "\n") + "\n\n").utf8), as: "batches.meta.txt")
    }

    @Test func recordsArePicturesAndClasses() throws {
        try withTemporaryFolder { folder in
            try fill(folder)
            let train = try CifarDataset(folder: folder, part: .train)
            #expect(train.count == 10 && train.exampleShape == [3, 32, 32])
            #expect(train.classNames?.count == 10 && train.classNames?[3] == "cat")
            let batch = try train.batch(at: [7, 2])
            #expect(batch.data.shape == [2, 3, 32, 32])
            #expect(try batch.labels?.array(of: Int.self) == [7, 2])
            let values = try batch.data.array(of: Float.self)
            for (place, number) in [7, 2].enumerated() {
                for (channel, row, column) in [(0, 0, 0), (1, 3, 30), (2, 31, 31), (2, 0, 5)] {
                    let byte = UInt8(truncatingIfNeeded: 64 * channel + 2 * row + column + number)
                    let found = values[((place * 3 + channel) * 32 + row) * 32 + column]
                    #expect(abs(found - (Float(byte) / 127.5 - 1)) < 1e-6)
                }
            }
            let test = try CifarDataset(folder: folder, part: .evaluation)
            #expect(
                try test.count == 3 && test.batch(at: [0, 1, 2]).labels?.array(of: Int.self) == [0, 1, 2])
            let all = try CifarDataset(folder: folder)
            #expect(all.count == 13)
            #expect(
                try all.batch(at: [12]).data.array(of: Float.self)
                    == test.batch(at: [2]).data.array(of: Float.self))
        }
    }

    @Test func classesHaveNumbersWithoutNames() throws {
        try withTemporaryFolder { folder in
            try fill(folder)
            try FileManager.default.removeItem(at: folder.appending(path: "batches.meta.txt"))
            #expect(try CifarDataset(folder: folder).classNames == (0...9).map(String.init))
        }
    }

    /// Each damaged file is named with what is wrong; the others are whole.
    @Test(arguments: [
        ("data_batch_2.bin", "6145 bytes"), ("test_batch.bin", "3072 bytes"),
        ("data_batch_4.bin", "1 pictures and the first batch 2"), ("data_batch_1.bin", "class 10"),
        ("data_batch_5.bin", "is empty"), ("data_batch_3.bin", "could not be read"),
        ("batches.meta.txt", "0 classes"),
    ])
    func damagedFilesAreRefused(name: String, words: String) throws {
        let damaged: [String: Data?] = [
            "data_batch_2.bin": batch(0..<2).dropLast(), "test_batch.bin": batch(0..<1).dropLast(),
            "data_batch_4.bin": batch(0..<1), "data_batch_1.bin": batch(9..<11, classes: 11),
            "data_batch_5.bin": Data(), "data_batch_3.bin": nil, "batches.meta.txt": Data("\n \n".utf8),
        ]
        try withTemporaryFolder { folder in
            try fill(folder)
            let url = folder.appending(path: name)
            try FileManager.default.removeItem(at: url)
            if case .some(.some(let content)) = damaged[name] { _ = try folder.write(content, as: name) }
            let error = #expect(throws: DatasetError.self) { try CifarDataset(folder: folder) }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
            #expect(error?.file == url.path)
        }
    }

    /// CIFAR-100: records of two labels, of which the second is the class.
    @Test func aHundredClasses() throws {
        try withTemporaryFolder { folder in
            func records(_ numbers: Range<Int>) -> Data {
                numbers.reduce(Data()) { $0 + Data([UInt8($1 % 20)]) + record($1, label: 99 - $1) }
            }
            _ = try folder.write(records(0..<4), as: "train.bin")
            _ = try folder.write(records(4..<6), as: "test.bin")
            let train = try CifarDataset(folder: folder, part: .train)
            #expect(train.count == 4 && train.classNames?.count == 100)
            let batch = try train.batch(at: [3])
            #expect(try batch.labels?.array(of: Int.self) == [96])
            let first = try batch.data.array(of: Float.self)[0]
            #expect(abs(first - (3 / 127.5 - 1)) < 1e-6)
            #expect(try CifarDataset(folder: folder).count == 6)
            let names = (0..<100).map { "class \($0)" }.joined(separator: "\n")
            _ = try folder.write(Data(names.utf8), as: "fine_label_names.txt")
            #expect(try CifarDataset(folder: folder, part: .evaluation).classNames?[95] == "class 95")
            _ = try folder.write(records(0..<1).dropLast(), as: "test.bin")
            #expect { try CifarDataset(folder: folder) } throws: {
                "\($0)".contains("CIFAR-100 take 3074 each")
            }
        }
    }
}
