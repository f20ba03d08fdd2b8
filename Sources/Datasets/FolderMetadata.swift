import Foundation
import Storage

/// What `metadata.jsonl` or `metadata.csv` states about the pictures in a folder, in the form of the hub's image folders:
/// each row has the path of a picture below the folder as `file_name`, and what is known of it, such as `label` and
/// `text`.
struct FolderMetadata {
    /// The files that are read, the first one that there is.
    static let names = ["metadata.jsonl", "metadata.csv"]

    /// The file's name.
    let name: String
    /// The number of each picture's class, by its path below the folder; nil where no row has a label.
    let labels: [String: Int]?
    /// The names of the classes; labels that are texts stand in the order of their bytes.
    let classNames: [String]?
    /// Whether any row has a text.
    let hasTexts: Bool
    /// The texts of each picture by column, in the order of the rows, by its path below the folder; empty where they are
    /// not read.
    let texts: [String: [String: [String]]]

    /// Several rows for each of millions of pictures.
    private static let mostBytes = 1 << 30

    /// Reads the file; nil where there is none.
    /// - Parameter columns: the columns whose texts are read, a text or a list of texts a row.
    /// - Throws: ``DatasetError`` that names the line.
    init?(folder: URL, columns: [String]) throws {
        let urls = Self.names.map { folder.appendingPathComponent($0) }
        guard let url = urls.first(where: { Files.exists($0.path) }) else { return nil }
        name = url.lastPathComponent
        let isTable = name.hasSuffix("csv")
        var reader = try LineReader(url.path, joinsQuoted: isTable, limit: Self.mostBytes)
        let rows =
            try isTable
            ? MetadataRow.rows(ofTable: &reader, columns, url.path)
            : MetadataRow.rows(ofObjects: &reader, columns, url.path)
        hasTexts = rows.contains(where: \.hasText)
        var texts: [String: [String: [String]]] = [:]
        for row in rows {
            for (column, own) in row.texts { texts[row.path, default: [:]][column, default: []] += own }
        }
        self.texts = texts
        (labels, classNames) = try Self.classes(of: rows, path: url.path)
    }

    private static func classes(of rows: [MetadataRow], path: String) throws -> ([String: Int]?, [String]?) {
        guard rows.contains(where: { $0.label != nil }) else { return (nil, nil) }
        var texts: [String: String] = [:]
        var numbers: [String: Int] = [:]
        for (index, row) in rows.enumerated() {
            switch row.label {
            case .text(let text): texts[row.path] = text
            case .number(let number): numbers[row.path] = number
            case nil:
                throw DatasetError(
                    path, "line \(row.line) has no label and other lines have", remedy: "label all or none")
            }
            guard texts.isEmpty || numbers.isEmpty else {
                throw DatasetError(
                    path, "line \(row.line) has a label of another kind than the lines before it",
                    remedy: "write all labels as texts or all as whole numbers")
            }
            guard max(texts.count, numbers.count) == index + 1 else {
                throw DatasetError(
                    path, "line \(row.line) names a picture that an earlier line names",
                    remedy: "leave one of them out")
            }
        }
        if let most = numbers.values.max() { return (numbers, (0...most).map(String.init)) }
        let names = Set(texts.values).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let order = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        return (texts.compactMapValues { order[$0] }, names)
    }
}
