import Foundation
import Storage

/// The paths of shards, as recipes name them: a tar file, a folder of them, or a pattern such as
/// `data/train-{0000..0099}.tar`, a path for each number.
public enum ShardPaths {
    private static let mostPaths = 1_000_000
    private static let endings = [".tar", ".tar.gz", ".tgz"]

    /// The paths that a text stands for, in order.
    ///
    /// - Throws: ``DatasetError`` where it stands for none, or a shard that it names is not there.
    public static func of(_ text: String) throws -> [String] {
        guard Files.isFolder(text) else {
            let paths = try expanded(text)
            guard let missing = paths.first(where: { !Files.exists($0) }) else { return paths }
            throw DatasetError(
                missing, "there is no such shard\(paths.count > 1 ? ", which \(quoted(text)) names" : "")",
                remedy: "give a tar file, a folder of them, or a pattern such as train-{0000..0099}.tar")
        }
        let names: [String]
        do {
            names = try Files.names(in: text).filter { isShard($0) && !$0.hasPrefix(".") }
        } catch {
            throw DatasetError(text, "the folder could not be read: \(error.reason)", remedy: "check it")
        }
        guard !names.isEmpty else {
            throw DatasetError(
                text, "there is no \(endings.joined(separator: ", ")) file in this folder",
                remedy: "give a folder of shards")
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { text + "/" + $0 }
    }

    /// Whether a file's name is that of a shard.
    public static func isShard(_ name: String) -> Bool {
        endings.contains { name.lowercased().hasSuffix($0) }
    }

    /// The text with each `{first..last}` replaced by its numbers, which have as many digits as the first one.
    private static func expanded(_ text: String) throws -> [String] {
        guard let open = text.firstIndex(of: "{"), let close = text[open...].firstIndex(of: "}") else {
            return [text]
        }
        func refusal(_ problem: String) -> DatasetError {
            DatasetError(text, problem, remedy: "write a range such as {0000..0099}")
        }
        let ends = text[text.index(after: open)..<close].split(
            separator: "..", omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ !$0.isEmpty && $0.count < 10 && $0.allSatisfy(\.isDigit) }),
            let first = Int(ends[0]), let last = Int(ends[1])
        else { throw refusal("\(quoted(text[open...close])) is no range of numbers") }
        guard first <= last else { throw refusal("the range \(text[open...close]) holds no number") }
        let rest = try expanded(String(text[text.index(after: close)...]))
        let count = (last - first + 1).multipliedReportingOverflow(by: rest.count)
        guard !count.overflow, count.partialValue <= mostPaths else {
            throw refusal("it names more than \(mostPaths) shards")
        }
        return (first...last).flatMap { number in
            let digits = String(number)
            let padded = String(repeating: "0", count: max(0, ends[0].count - digits.count)) + digits
            return rest.map { text[..<open] + padded + $0 }
        }
    }
}

extension Character {
    /// Whether it is one of 0 to 9.
    fileprivate var isDigit: Bool { isASCII && isNumber }
}
