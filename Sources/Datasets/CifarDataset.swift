import Foundation
import Pictures
import Storage
import Tensors

/// CIFAR-10 in its binary form: 60,000 colour pictures of 32×32 pixels in ten classes.
///
/// A folder holds `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`, and the names of the classes, a line each,
/// in `batches.meta.txt`. A file is a sequence of records of 3,073 bytes: the class, then the red, green and blue planes,
/// each row by row from the top. The pixels stay bytes in memory and become numbers batch by batch.
/// Source: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.
public struct CifarDataset: Dataset {
    /// Which files are read.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// The five batches.
        case train
        /// The test batch.
        case evaluation
        /// All six.
        case all

        var files: [String] {
            let (batches, test) = ((1...5).map { "data_batch_\($0).bin" }, ["test_batch.bin"])
            switch self {
            case .train: return batches
            case .evaluation: return test
            case .all: return batches + test
            }
        }
    }

    private static let shape: Shape = [3, 32, 32]
    private let stored: StoredPictures
    /// The lines of `batches.meta.txt`; numbers where there is no such file.
    public let classNames: [String]?

    /// Reads one part from a folder.
    ///
    /// - Throws: ``DatasetError`` where a file is missing, does not hold a whole number of records, or fewer or more than
    ///   the first batch of five, or where a class has no name.
    public init(folder: URL, part: Part = .all) throws {
        let names = try Self.classNames(in: folder)
        var (pixels, labels): ([UInt8], [Int]) = ([], [])
        var first: Int?
        for name in part.files {
            let (content, path) = try Self.records(folder.appendingPathComponent(name))
            let count = content.count / (1 + Self.shape.elementCount)
            if let first, first != count, name.hasPrefix("data_batch") {
                throw DatasetError(path, "the file has \(count) pictures and the first batch \(first)")
            }
            first = first ?? count
            for start in stride(from: 0, to: content.count, by: 1 + Self.shape.elementCount) {
                let label = Int(content[start])
                guard label < names.count else {
                    throw DatasetError(
                        path,
                        "picture \(labels.count) of \(part.rawValue) is of class \(label) and there are \(names.count) classes"
                    )
                }
                labels.append(label)
                pixels += content[(start + 1)...(start + Self.shape.elementCount)]
            }
        }
        classNames = names
        stored = StoredPictures(
            shape: Self.shape, bytes: pixels, labels: labels,
            levels: (0...255).map { Picture.level(UInt8($0)) })
    }

    /// The bytes of a file, whole records.
    private static func records(_ url: URL) throws -> (content: [UInt8], path: String) {
        let (file, record) = (try GzipFile(url), 1 + shape.elementCount)
        let content = try file.content(limit: file.mostBytes)
        guard content.count % record == 0, !content.isEmpty else {
            throw DatasetError(
                file.path,
                "the file holds \(content.count) bytes, and pictures of CIFAR-10 take \(record) each")
        }
        return (content, file.path)
    }

    private static func classNames(in folder: URL) throws -> [String] {
        let url = folder.appendingPathComponent("batches.meta.txt")
        guard FileManager.default.fileExists(atPath: url.path) else { return (0...9).map(String.init) }
        let text = String(decoding: try GzipFile(url).content(limit: 1 << 16), as: UTF8.self)
        let names = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
        guard (1...256).contains(names.count) else {
            throw DatasetError(
                url.path, "the file names \(names.count) classes", remedy: "give a line to each of the ten")
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
