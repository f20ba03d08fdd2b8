import Foundation
import Storage
import Tensors

/// The 1,797 handwritten digits of 8×8 pixels that come with the project.
///
/// Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
/// Repository, 1998, doi:10.24432/C50P49. The grey levels 0…16 become −1…1, exactly.
public struct DigitsDataset: Dataset {
    /// Which rows of the file are used.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// The first 1,500.
        case train
        /// The last 297.
        case evaluation
        /// All 1,797.
        case all

        var rows: Range<Int> {
            switch self {
            case .train: 0..<1500
            case .evaluation: 1500..<1797
            case .all: 0..<1797
            }
        }
    }

    private let stored: StoredPictures

    /// Reads the digits.
    ///
    /// - Parameters:
    ///   - url: The file `digits.csv.gz`, or the same unpacked: 1,797 rows of 64 grey levels and the digit.
    ///   - part: Which rows to use.
    /// - Throws: ``DatasetError`` that names the line where the file is not of this form.
    public init(contentsOf url: URL, part: Part = .all) throws {
        let file = try GzipFile(url)
        let lines = try file.content(limit: 1 << 20).split(separator: UInt8(ascii: "\n"))
        guard lines.count == Part.all.rows.count else {
            throw DatasetError(file.path, "the file has \(lines.count) rows and the digits have 1797")
        }
        var pixels: [UInt8] = []
        var labels: [Int] = []
        for row in part.rows {
            let values = try DigitsDataset.values(of: lines[row], line: row + 1, path: file.path)
            pixels += values.dropLast()
            labels.append(Int(values[64]))
        }
        stored = StoredPictures(
            shape: [1, 8, 8], bytes: pixels, labels: labels, levels: (0...16).map { Float($0) / 8 - 1 })
    }

    private static func values(of line: ArraySlice<UInt8>, line number: Int, path: String) throws -> [UInt8] {
        let fields = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard fields.count == 65 else {
            throw DatasetError(path, "line \(number) has \(fields.count) values and must have 65")
        }
        return try fields.enumerated().map { column, field in
            let text = String(decoding: field, as: UTF8.self).trimmingCharacters(in: .whitespaces)
            let most: UInt8 = column == 64 ? 9 : 16
            guard let value = UInt8(text), value <= most else {
                throw DatasetError(
                    path,
                    "line \(number) has \(quoted(text.prefix(20))) as value \(column + 1), not one of 0…\(most)"
                )
            }
            return value
        }
    }

    /// 1,500, 297 or 1,797.
    public var count: Int { stored.count }
    /// `[1, 8, 8]`.
    public var exampleShape: Shape { stored.shape }
    /// The digits "0" to "9".
    public var classNames: [String]? { (0...9).map(String.init) }
    /// Pictures `[batch, 1, 8, 8]` and their digits `[batch]`.
    public func batch(at indices: [Int]) throws -> Batch { stored.batch(at: indices) }
}
