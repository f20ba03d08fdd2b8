import Foundation
import Pictures
import Storage
import Tensors

/// CIFAR-10 or CIFAR-100 in their binary form: 60,000 colour pictures of 32×32 pixels in ten or a hundred classes.
///
/// CIFAR-10 is a folder of `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, with the names of the classes, a
/// line each, in `batches.meta.txt`. A file is a sequence of records of 3,073 bytes: the class, then the red, green and blue
/// planes, each row by row from the top. CIFAR-100 is a folder of `train.bin`, `test.bin` and `fine_label_names.txt`; its
/// records begin with the number of one of twenty groups of classes, which is passed over. The pixels stay bytes in memory
/// and become numbers batch by batch.
/// Source: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.
public struct CifarDataset: Dataset {
    /// Which files are read.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// The five batches, or the one of CIFAR-100.
        case train
        /// The test batch.
        case evaluation
        /// All.
        case all

        fileprivate func files(_ layout: Layout) -> [String] {
            switch self {
            case .train: layout.batches
            case .evaluation: [layout.test]
            case .all: layout.batches + [layout.test]
            }
        }
    }

    /// What sets the files of the two apart.
    fileprivate struct Layout {
        let batches: [String]
        let test: String
        let names: String
        let classCount: Int
        /// Bytes of a record before the pixels, of which the last one is the class.
        let labelLength: Int
        var recordLength: Int { labelLength + CifarDataset.shape.elementCount }

        static let ten = Layout(
            batches: (1...5).map { "data_batch_\($0).bin" }, test: "test_batch.bin",
            names: "batches.meta.txt",
            classCount: 10, labelLength: 1)
        static let hundred = Layout(
            batches: ["train.bin"], test: "test.bin", names: "fine_label_names.txt", classCount: 100,
            labelLength: 2)

        /// The layout of a folder: that of CIFAR-100 where its training file is there.
        init(of folder: URL) {
            let path = folder.appendingPathComponent(Self.hundred.batches[0]).path
            self = FileManager.default.fileExists(atPath: path) ? .hundred : .ten
        }

        private init(batches: [String], test: String, names: String, classCount: Int, labelLength: Int) {
            (self.batches, self.test, self.names) = (batches, test, names)
            (self.classCount, self.labelLength) = (classCount, labelLength)
        }
    }

    fileprivate static let shape: Shape = [3, 32, 32]
    private let stored: StoredPictures
    /// The lines of the file of names; numbers where there is no such file.
    public let classNames: [String]?

    /// Reads one part from a folder.
    ///
    /// - Throws: ``DatasetError`` where a file is missing, does not hold a whole number of records, or fewer or more than
    ///   the first batch of five, or where a class has no name.
    public init(folder: URL, part: Part = .all) throws {
        let layout = Layout(of: folder)
        let names = try Self.classNames(layout, in: folder)
        var (pixels, labels): ([UInt8], [Int]) = ([], [])
        var first: Int?
        for name in part.files(layout) {
            let (content, path) = try Self.records(folder.appendingPathComponent(name), layout)
            let count = content.count / layout.recordLength
            if let first, first != count, name != layout.test {
                throw DatasetError(path, "the file has \(count) pictures and the first batch \(first)")
            }
            first = first ?? count
            for start in stride(from: 0, to: content.count, by: layout.recordLength) {
                let label = Int(content[start + layout.labelLength - 1])
                guard label < names.count else {
                    throw DatasetError(
                        path,
                        "picture \(labels.count) of \(part.rawValue) is of class \(label) and there are \(names.count) classes"
                    )
                }
                labels.append(label)
                pixels += content[(start + layout.labelLength)..<(start + layout.recordLength)]
            }
        }
        classNames = names
        stored = StoredPictures(
            shape: Self.shape, bytes: pixels, labels: labels,
            levels: (0...255).map { Picture.level(UInt8($0)) })
    }

    /// The bytes of a file, whole records.
    private static func records(_ url: URL, _ layout: Layout) throws -> (content: [UInt8], path: String) {
        let file = try GzipFile(url)
        let content = try file.content(limit: file.mostBytes)
        guard content.count % layout.recordLength == 0, !content.isEmpty else {
            throw DatasetError(
                file.path,
                "the file holds \(content.count) bytes, and pictures of CIFAR-\(layout.classCount) take \(layout.recordLength) each"
            )
        }
        return (content, file.path)
    }

    private static func classNames(_ layout: Layout, in folder: URL) throws -> [String] {
        let url = folder.appendingPathComponent(layout.names)
        guard FileManager.default.fileExists(atPath: url.path) else {
            return (0..<layout.classCount).map(String.init)
        }
        let text = String(decoding: try GzipFile(url).content(limit: 1 << 16), as: UTF8.self)
        let names = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
        guard (1...256).contains(names.count) else {
            throw DatasetError(
                url.path, "the file names \(names.count) classes",
                remedy: "give a line to each of the \(layout.classCount)")
        }
        return names
    }

    /// The number of records.
    public var count: Int { stored.count }
    /// `[3, 32, 32]`.
    public var exampleShape: Shape { stored.shape }
    /// Pictures `[batch, 3, 32, 32]` and their classes `[batch]`.
    public func batch(at indices: [Int]) throws -> Batch { stored.batch(at: indices) }
}
