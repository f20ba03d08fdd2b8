import Checkpoints
import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

/// Points and pairs from files: what NumPy and this program write, and what is damaged.
struct PointsTests {
    /// A `.npy` file: the header as NumPy writes it, then the elements.
    private func array(_ header: String, _ elements: [UInt8], version: UInt8 = 1) -> [UInt8] {
        let padding = String(repeating: " ", count: (64 - (11 + header.utf8.count) % 64) % 64)
        let text = header + padding + "\n"
        let length = UInt16(text.utf8.count)
        let count =
            version == 1
            ? [UInt8(length & 255), UInt8(length >> 8)] : [UInt8(length & 255), UInt8(length >> 8), 0, 0]
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + count + Array(text.utf8) + elements
    }

    private func bytes<Number>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes(Array.init) }

    /// A zip archive of stored entries.
    private func archive(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(value >> (8 * $0) & 255) }
        }
        var (file, directory): ([UInt8], [UInt8]) = ([], [])
        for (name, bytes) in entries {
            let sizes = little(0, 4) + little(bytes.count, 4) + little(bytes.count, 4)
            let start = file.count
            file += [0x50, 0x4B, 3, 4] + little(20, 2) + little(0, 8) + sizes + little(name.utf8.count, 2)
            file += little(0, 2) + Array(name.utf8) + bytes
            directory += [0x50, 0x4B, 1, 2] + little(20, 2) + little(20, 2) + little(0, 8) + sizes
            directory += little(name.utf8.count, 2) + little(0, 12) + little(start, 4) + Array(name.utf8)
        }
        let end = little(0, 4) + little(entries.count, 2) + little(entries.count, 2)
        return file + directory + [0x50, 0x4B, 5, 6] + end + little(directory.count, 4)
            + little(file.count, 4)
            + little(0, 2)
    }

    private let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (20, 2), }"
    private var points: [Float] { (0..<40).map { Float($0) / 4 } }

    private func path(_ folder: URL, _ bytes: [UInt8], _ name: String = "points.npz") throws -> String {
        try folder.write(Data(bytes), as: name).path
    }

    @Test func bothKindsOfFilesGiveTheSamePoints() throws {
        try withTemporaryFolder { folder in
            let labels = array(
                "{'descr': '<i8', 'fortran_order': False, 'shape': (20,), }",
                bytes((0..<20).map { Int64($0 % 3) }))
            let doubles = array(
                "{'descr': '<f8', 'fortran_order': False, 'shape': (20, 2), }",
                bytes(points.map(Double.init)),
                version: 2)
            let single = array(header, bytes(points))
            let written = folder.appending(path: "points.safetensors").path
            try SafetensorsWriter([
                ("points", Tensor(points, shape: [20, 2])),
                ("labels", Tensor((0..<20).map { Int32($0 % 3) }, shape: [20])),
            ]).write(to: written)
            let paths = [
                try path(folder, archive([("points.npy", single), ("labels.npy", labels)])),
                try path(folder, archive([("labels.npy", labels), ("points.npy", doubles)]), "other"),
                written,
            ]
            for path in paths {
                let data = try TensorDataset(points: path)
                #expect(data.count == 20 && Array(data.exampleShape) == [2] && data.classCount == 3)
                let batch = try data.batch(at: [7, 0])
                #expect(try batch.data.array(of: Float.self) == [3.5, 3.75, 0, 0.25])
                #expect(try batch.labels?.array(of: Int.self) == [1, 0])
                #expect(batch.data.elementType == .float32 && batch.captions == nil)
            }
        }
    }

    @Test func everyTenthIsHeldBack() throws {
        try withTemporaryFolder { folder in
            let path = try path(folder, archive([("points.npy", array(header, bytes(points)))]))
            let (train, held) = (
                try TensorDataset(points: path, part: .train),
                try TensorDataset(points: path, part: .evaluation)
            )
            #expect(train.count == 18 && held.count == 2 && train.classNames == nil)
            #expect(try held.batch(at: [0, 1]).data.array(of: Float.self) == [4.5, 4.75, 9.5, 9.75])
            #expect(try train.batch(at: [9]).data.array(of: Float.self) == [5, 5.25])
        }
    }

    @Test func pairsKeepTheirNoise() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "pairs.safetensors").path
            let data = Tensor((0..<32).map { Float($0) }, shape: [2, 1, 4, 4])
            try SafetensorsWriter([("noise", -data), ("data", data)]).write(to: path)
            let pairs = try TensorDataset(pairs: path)
            let batch = try pairs.batch(at: [1])
            #expect(Array(pairs.exampleShape) == [1, 4, 4])
            #expect(
                try batch.tensors["noise"]?.array(of: Float.self) == batch.data.array(of: Float.self).map(-))
            #expect(throws: DatasetError.self) { try TensorDataset(points: path) }
        }
    }

    @Test func ownTensorsAreALine() throws {
        let data = try TensorDataset([
            "data": Tensor.zeros([5, 3]), "labels": Tensor([0, 1, 1, 0, 1] as [Int64]),
        ])
        #expect(data.count == 5 && data.classNames == ["0", "1"])
        #expect(throws: DatasetError.self) {
            try TensorDataset(["data": .zeros([5, 3]), "noise": .zeros([4, 3])])
        }
        #expect(throws: DatasetError.self) {
            try TensorDataset(["data": .zeros([2, 3]), "labels": Tensor([0, -1] as [Int64])])
        }
    }

    @Test func damagedFilesAreASentence() throws {
        let good = array(header, bytes(points))
        let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }"
        let cases: [([UInt8], String)] = [
            (Array("{}".utf8), "bytes"),
            (Array(archive([("points.npy", good)]).dropLast(10)), "cut short"),
            (archive([("other.npy", good)]), "there is no points"),
            (archive([("points.npy", Array(good.dropLast(4)))]), "needs 160 bytes, and there are 156"),
            (archive([("points.npy", array(huge, []))]), "too large"),
            (
                archive([("points.npy", array(header.replacing("False", with: "True"), bytes(points)))]),
                "Fortran"
            ),
            (archive([("points.npy", array(header.replacing("<f4", with: "|O"), bytes(points)))]), "float32"),
            (
                archive([("points.npy", array(header.replacing("<f4", with: ">f4"), bytes(points)))]),
                "float32"
            ),
            (
                archive([("points.npy", array(header.replacing("20, 2", with: "-20, 2"), bytes(points)))]),
                "header"
            ),
            (
                archive([("points.npy", array(header.replacing(", }", with: ", 'x': 1}"), bytes(points)))]),
                "header"
            ),
            (archive([("points.npy", array(header + header, bytes(points)))]), "header"),
            (archive([("points.npy", [0x93] + Array("NUMPY".utf8) + [1, 0, 255, 255, 1])]), "no array"),
            (archive([("points.npy", array(header, bytes(points.map { $0 == 3 ? .nan : $0 })))]), "1 values"),
            (
                archive([
                    ("points.npy", good),
                    (
                        "labels.npy",
                        array(header.replacing("20, 2", with: "20,"), bytes(Array(points.prefix(20))))
                    ),
                ]), "labels has shape"
            ),
        ]
        try withTemporaryFolder { folder in
            for (bytes, part) in cases {
                let path = try path(folder, bytes)
                #expect { try TensorDataset(points: path) } throws: { error in
                    "\(error)".contains(part) && "\(error)".contains("points.npz") && error is DatasetError
                }
            }
            #expect(throws: DatasetError.self) { try TensorDataset(points: folder.path) }
            #expect(throws: DatasetError.self) { try TensorDataset(points: "/nowhere") }
        }
    }

    /// Pictures as reference batches have them: bytes with the channels innermost, and classes.
    @Test func archivesOfPictures() throws {
        try withTemporaryFolder { folder in
            let pixels = (0..<(12 * 2 * 3 * 3)).map { UInt8($0 % 251) }
            let pictures = array(
                "{'descr': '|u1', 'fortran_order': False, 'shape': (12, 2, 3, 3), }", pixels)
            let labels = array(
                "{'descr': '<i8', 'fortran_order': False, 'shape': (12,), }",
                bytes((0..<12).map { Int64($0 % 5) }))
            let both = try path(folder, archive([("arr_0.npy", pictures), ("arr_1.npy", labels)]))
            let data = try NumPyPictures(contentsOf: both)
            #expect(data.count == 12 && Array(data.exampleShape) == [3, 2, 3] && data.classCount == 5)
            let batch = try data.batch(at: [11, 4])
            #expect(try batch.labels?.array(of: Int.self) == [1, 4])
            let values = try batch.data.array(of: Float.self)
            for (place, number) in [11, 4].enumerated() {
                for (channel, row, column) in [(0, 0, 0), (2, 1, 2), (1, 0, 1)] {
                    let byte = pixels[((number * 2 + row) * 3 + column) * 3 + channel]
                    let value = values[((place * 3 + channel) * 2 + row) * 3 + column]
                    #expect(abs(value - (Float(byte) / 127.5 - 1)) < 1e-6)
                }
            }
            #expect(try NumPyPictures(contentsOf: both, part: .evaluation).count == 1)
            #expect(
                try NumPyPictures(contentsOf: both, part: .train).batch(at: [10]).data.isIdentical(
                    to: data.batch(at: [11]).data))
            let grey = array(
                "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2), }", Array(pixels[..<12]))
            let plain = try NumPyPictures(contentsOf: path(folder, archive([("images.npy", grey)]), "grey"))
            #expect(Array(plain.exampleShape) == [1, 2, 2] && plain.classNames == nil)
            let few = array(
                "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", bytes([Int64(0), 1]))
            let floats = array("{'descr': '<f4', 'fortran_order': False, 'shape': (20, 2), }", bytes(points))
            for (entries, words) in [
                ([("mu.npy", floats)], "there is no arr_0 or images"), ([("arr_0.npy", floats)], "float32"),
                ([("arr_0.npy", pictures), ("labels.npy", few)], "do not fit 12 pictures"),
            ] {
                let bad = try path(folder, archive(entries), "bad")
                #expect { try NumPyPictures(contentsOf: bad) } throws: { "\($0)".contains(words) }
            }
            #expect { try NumPyPictures(contentsOf: path(folder, Array("PNG".utf8), "text")) } throws: {
                "\($0)".contains("no .npz archive")
            }
        }
    }
}
