import Foundation

/// The names of classes in a text file beside the data, one on a line, in the order of their numbers.
enum ClassNameFile {
    /// The name of the file beside idx files.
    static let name = "classes.txt"

    /// Reads the names; `nil` where there is no such file.
    /// - Throws: ``DatasetError`` where it holds no names, or two that are alike.
    static func names(in folder: URL) throws -> [String]? {
        let url = folder.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        let text = String(decoding: try GzipFile(url).content(limit: 1 << 20), as: UTF8.self)
        let names = text.split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        guard !names.isEmpty, Set(names).count == names.count else {
            throw DatasetError(
                url.path, names.isEmpty ? "it names no class" : "it gives a name to two classes",
                remedy: "write the name of a class on each line, in the order of their numbers")
        }
        return names
    }
}
