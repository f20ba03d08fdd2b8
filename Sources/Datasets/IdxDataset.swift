import Foundation
import Pictures
import Tensors

/// Pictures and labels in idx files, as MNIST and Fashion-MNIST come; plain or gzip.
///
/// The pixels stay bytes in memory and become numbers batch by batch.
public struct IdxDataset: Dataset {
    /// The two parts that such data sets come in, or both.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        case train, test, all

        /// What the names of their files begin with.
        var prefixes: [String] {
            switch self {
            case .train: ["train"]
            case .test: ["t10k"]
            case .all: ["train", "t10k"]
            }
        }
    }

    private let stored: StoredPictures
    /// Names of the classes; nil where there are no labels.
    public let classNames: [String]?

    /// Reads the pictures and labels of one part from a folder that holds the files under their usual names,
    /// `train-images-idx3-ubyte` and so on, with or without `.gz`, and, where it is there, `classes.txt` with the name of
    /// a class on each line.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - part: Which of the two parts to read; both, the first one first, are read as one.
    ///   - classNames: Names of the classes; where nil those of `classes.txt`, or else numbers.
    /// - Throws: ``DatasetError`` where a file is missing or bad.
    public init(folder: URL, part: Part = .train, classNames: [String]? = nil) throws {
        func file(_ prefix: String, _ kind: String) throws -> URL {
            let name = "\(prefix)-\(kind)-ubyte"
            let found = [name + ".gz", name].map { folder.appendingPathComponent($0) }
                .first { FileManager.default.fileExists(atPath: $0.path) }
            guard let found else {
                throw DatasetError(
                    folder.path, "there is no \(name) or \(name).gz here", remedy: "check the folder's name")
            }
            return found
        }
        let names = try classNames ?? ClassNameFile.names(in: folder)
        let parts = try part.prefixes.map { prefix in
            try IdxDataset(
                images: file(prefix, "images-idx3"), labels: file(prefix, "labels-idx1"),
                classNames: names)
        }
        guard parts.allSatisfy({ $0.exampleShape == parts[0].exampleShape }) else {
            throw DatasetError(
                folder.path,
                "its two parts have pictures of \(parts[0].exampleShape) and \(parts[1].exampleShape)",
                remedy: "give files of one set")
        }
        stored = parts.dropFirst().reduce(parts[0].stored) { $0.followed(by: $1.stored) }
        self.classNames = parts.compactMap(\.classNames).max { $0.count < $1.count }
    }

    /// Reads pictures and, where given, labels.
    ///
    /// - Parameters:
    ///   - images: An idx file of bytes with three dimensions (count, rows, columns).
    ///   - labels: An idx file of bytes with one dimension.
    ///   - classNames: Names of the classes; numbers where nil. A label beyond them is an error.
    /// - Throws: ``DatasetError`` where a file is bad, or both disagree.
    public init(images: URL, labels: URL?, classNames: [String]? = nil) throws {
        let pictures = try IdxFile(images, dimensions: 3)
        let shape: Shape = [1, pictures.dimensions[1], pictures.dimensions[2]]
        let levels = (0...255).map { Picture.level(UInt8($0)) }
        guard let labels else {
            stored = StoredPictures(shape: shape, bytes: try pictures.bytes(), labels: nil, levels: levels)
            self.classNames = nil
            return
        }
        // Both headers are read before any content, which takes long where they do not fit.
        let classes = try IdxFile(labels, dimensions: 1)
        guard classes.dimensions[0] == pictures.dimensions[0] else {
            throw DatasetError(
                labels.path,
                "\(classes.dimensions[0]) labels do not fit \(pictures.dimensions[0]) pictures",
                remedy: "give two files of one set")
        }
        let numbers = try classes.bytes()
        let most = Int(numbers.max() ?? 0)
        self.classNames = classNames ?? (0...most).map(String.init)
        if let names = classNames, let bad = numbers.firstIndex(where: { $0 >= names.count }) {
            throw DatasetError(
                labels.path, "label \(bad) is \(numbers[bad]) and there are \(names.count) classes",
                remedy: "name all classes or give another file")
        }
        stored = StoredPictures(
            shape: shape, bytes: try pictures.bytes(), labels: numbers.map(Int.init), levels: levels)
    }

    /// The count that the files' headers give.
    public var count: Int { stored.count }
    /// `[1, rows, columns]`.
    public var exampleShape: Shape { stored.shape }
    /// Pictures `[batch, 1, rows, columns]` and their labels `[batch]`.
    public func batch(at indices: [Int]) throws -> Batch { stored.batch(at: indices) }
}

/// An idx file of bytes: two zero bytes, the type 8, the number of dimensions, their sizes as big-endian
/// 32-bit numbers, and the values.
struct IdxFile {
    let dimensions: [Int]
    private let file: GzipFile
    private let headerLength: Int
    /// The size of the content, header included, as the header claims it.
    private let expected: Int

    /// Reads the header of a file of a given number of dimensions, and compares what it claims with the file's size.
    init(_ url: URL, dimensions count: Int) throws {
        file = try GzipFile(url)
        headerLength = 4 + 4 * count
        let header = try file.prefix(headerLength)
        guard header.count >= 4, header[0] == 0, header[1] == 0 else {
            throw DatasetError(file.path, "this is no idx file", remedy: "give an idx file, plain or gzip")
        }
        guard header[2] == 8, header[3] == count else {
            let magic = header.bigEndian32(at: 0) ?? 0
            throw DatasetError(
                file.path, "the idx file has the mark \(magic) where \(0x800 + count) is expected",
                remedy: count == 3 ? "give a file of pictures" : "give a file of labels")
        }
        guard header.count == headerLength else { throw DatasetError(file.path, "the idx file is cut short") }
        dimensions = (0..<count).map { header.bigEndian32(at: 4 + 4 * $0) ?? 0 }
        guard dimensions.allSatisfy({ $0 > 0 }) else {
            throw DatasetError(
                file.path, "the header gives the sizes \(dimensions), and one is zero",
                remedy: "give a file that holds something")
        }
        var claim = 1
        for size in dimensions {
            let (product, overflow) = claim.multipliedReportingOverflow(by: size)
            claim = overflow ? .max - headerLength : min(product, .max - headerLength)
        }
        expected = claim + headerLength
        guard expected <= file.mostBytes else {
            throw DatasetError(
                file.path,
                "the header claims \(dimensions) values, more than a file of \(file.byteCount) bytes can hold"
            )
        }
    }

    /// The values.
    func bytes() throws -> [UInt8] {
        var content = try file.content(limit: expected)
        guard content.count == expected else {
            throw DatasetError(
                file.path, "the file holds \(content.count) bytes and its header claims \(expected)")
        }
        content.removeFirst(headerLength)
        return content
    }
}
