import Foundation
import Storage

/// What `metadata.jsonl` states about the pictures in a folder, in the form of the hub's image folders: on each line a JSON
/// object with the path of a picture below the folder as `file_name`, and what is known of it, such as `label` and
/// `text`.
struct FolderMetadata {
    static let name = "metadata.jsonl"

    /// The number of each picture's class, by its path below the folder; nil where no row has a label.
    let labels: [String: Int]?
    /// The names of the classes; labels that are texts stand in the order of their bytes.
    let classNames: [String]?
    /// Whether any row has a text.
    let hasTexts: Bool
    /// The texts of each picture in the order of the rows, by its path below the folder; empty where they are not read.
    let texts: [String: [String]]

    /// Several rows for each of a million pictures.
    private static let mostBytes = 1 << 28

    /// Reads the file; nil where there is none.
    /// - Parameter readsTexts: whether texts are read, too: a text or a list of texts a row.
    /// - Throws: ``DatasetError`` that names the line.
    init?(folder: URL, readsTexts: Bool) throws {
        let url = folder.appendingPathComponent(Self.name)
        guard Files.exists(url.path) else { return nil }
        let content: [UInt8]
        do {
            content = try Files.read(url.path, atMost: Self.mostBytes)
        } catch {
            throw DatasetError(url.path, "it cannot be read: \(error.reason)", remedy: "correct or remove it")
        }
        let rows = try Self.rows(of: content, path: url.path)
        hasTexts = rows.contains(where: \.hasText)
        texts = readsTexts ? try Self.texts(of: rows, path: url.path) : [:]
        (labels, classNames) = try Self.classes(of: rows, path: url.path)
    }

    private static func rows(of content: [UInt8], path: String) throws -> [Row] {
        let decoder = JSONDecoder()
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return try lines.enumerated().compactMap { index, line in
            guard line.contains(where: { !" \r\t".utf8.contains($0) }) else { return nil }
            do {
                var row = try decoder.decode(Row.self, from: Data(line))
                row.line = index + 1
                return row
            } catch {
                throw DatasetError(
                    path,
                    "line \(index + 1) is no JSON object of a file_name and, where there is one, a label",
                    remedy:
                        "write such as {\"file_name\": \"a.png\", \"label\": 0}, labels as texts or whole numbers"
                )
            }
        }
    }

    private static func texts(of rows: [Row], path: String) throws -> [String: [String]] {
        var texts: [String: [String]] = [:]
        for row in rows where row.hasText {
            guard let own = row.texts else {
                throw DatasetError(
                    path, "line \(row.line) has a text that is neither a text nor a list of texts",
                    remedy: "write such as \"text\": \"a cat\"")
            }
            texts[row.path, default: []] += own
        }
        return texts
    }

    private static func classes(of rows: [Row], path: String) throws -> ([String: Int]?, [String]?) {
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

/// A line of the file.
private struct Row: Decodable {
    enum Label: Hashable {
        case number(Int), text(String)
    }

    /// The picture's path below the folder.
    let path: String
    let label: Label?
    let hasText: Bool
    /// The text or the list of them; nil where there is neither.
    let texts: [String]?
    /// The line, counted from 1.
    var line = 0

    enum CodingKeys: String, CodingKey {
        case label, text
        case path = "file_name"
    }

    init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: CodingKeys.self)
        path = try row.decode(String.self, forKey: .path).split(separator: "/").filter { $0 != "." }
            .joined(separator: "/")
        hasText = try row.contains(.text) && !row.decodeNil(forKey: .text)
        texts =
            (try? row.decode(String.self, forKey: .text)).map { [$0] }
            ?? (try? row.decode([String].self, forKey: .text))
        guard try row.contains(.label) && !row.decodeNil(forKey: .label) else {
            label = nil
            return
        }
        if let text = try? row.decode(String.self, forKey: .label) {
            label = .text(text)
        } else {
            let number = try row.decode(Int.self, forKey: .label)
            guard (0..<65_536).contains(number) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .label, in: row, debugDescription: "a class from 0 to 65535")
            }
            label = .number(number)
        }
    }
}
