import Storage

/// A row of a folder's metadata.
struct MetadataRow {
    enum Label: Hashable {
        case number(Int), text(String)

        /// A class by its number, as far as classes are counted.
        init?(number: Int) {
            guard (0..<65_536).contains(number) else { return nil }
            self = .number(number)
        }
    }

    /// The picture's path below the folder.
    let path: String
    var label: Label?
    /// Whether it has a text under `text`.
    let hasText: Bool
    /// The texts of the columns that are read.
    let texts: [String: [String]]
    /// The line, counted from 1.
    let line: Int

    private static func normalized(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    // MARK: A JSON object a line

    static func rows(
        ofObjects reader: inout LineReader, _ columns: [String], _ path: String
    ) throws -> [MetadataRow] {
        var rows: [MetadataRow] = []
        while let line = try reader.next() {
            guard line.contains(where: { !" \r\t".utf8.contains($0) }) else { continue }
            rows.append(try MetadataRow(object: line, columns, number: reader.number, path))
        }
        return rows
    }

    private init(object text: ArraySlice<UInt8>, _ columns: [String], number: Int, _ path: String) throws {
        let object =
            (try? JSONValue(parsing: text, place: path)).flatMap(JSONObject.init(json:)) ?? JSONObject()
        let given = object["label"] ?? .null
        let label = Self.label(given)
        guard let name: String = try? object.required("file_name"), given == .null || label != nil else {
            throw DatasetError(
                path, "line \(number) is no JSON object of a file_name and, where there is one, a label",
                remedy:
                    "write such as {\"file_name\": \"a.png\", \"label\": 0}, labels as texts or whole numbers"
            )
        }
        (self.path, line, self.label) = (Self.normalized(name), number, label)
        hasText = object["text"] ?? .null != .null
        var texts: [String: [String]] = [:]
        for column in columns {
            guard let value = object[column], value != .null else { continue }
            guard let own = [String](text: value) else {
                throw DatasetError(
                    path, "line \(number) has a \(column) that is neither a text nor a list of texts",
                    remedy: "write such as \"\(column)\": \"a cat\"")
            }
            texts[column] = own
        }
        self.texts = texts
    }

    /// The label that a value is; nil where it is none.
    private static func label(_ value: JSONValue) -> Label? {
        switch value {
        case .string(let text): .text(text)
        case .integer(let number): Label(number: number)
        case .number(let number): Int(exactly: number).flatMap(Label.init(number:))
        default: nil
        }
    }

    // MARK: A table

    /// Rows of values between commas (RFC 4180), the names of the columns in the first one.
    static func rows(
        ofTable reader: inout LineReader, _ columns: [String], _ path: String
    ) throws -> [MetadataRow] {
        func fields(_ line: ArraySlice<UInt8>) throws -> [String] {
            guard let fields = commaSeparated(line) else {
                throw DatasetError(
                    path, "line \(reader.number) is no line of values between commas in UTF-8",
                    remedy: "write values that hold commas or quotation marks as \"a, \"\"b\"\"\"")
            }
            return fields
        }
        guard let first = try reader.next() else {
            throw DatasetError(path, "the file is empty", remedy: "name the columns in its first line")
        }
        let names = try fields(first)
        guard let place = names.firstIndex(of: "file_name"), Set(names).count == names.count else {
            throw DatasetError(
                path, "its first line does not name a column file_name, or names a column twice",
                remedy: "write such as file_name,text")
        }
        var rows: [MetadataRow] = []
        while let line = try reader.next() {
            guard !line.isEmpty else { continue }
            let values = try fields(line)
            guard values.count == names.count else {
                throw DatasetError(
                    path,
                    "line \(reader.number) has \(values.count) values and the first line \(names.count)",
                    remedy: "write as many, the ones that hold commas between quotation marks")
            }
            let named = Dictionary(uniqueKeysWithValues: zip(names, values)).filter { !$0.value.isEmpty }
            rows.append(
                MetadataRow(
                    path: normalized(values[place]), label: named["label"].map(Label.text),
                    hasText: named["text"] != nil,
                    texts: named.filter { columns.contains($0.key) }.mapValues { [$0] }, line: reader.number))
        }
        return numbered(rows)
    }

    private init(path: String, label: Label?, hasText: Bool, texts: [String: [String]], line: Int) {
        (self.path, self.label, self.hasText) = (path, label, hasText)
        (self.texts, self.line) = (texts, line)
    }

    /// A table does not tell numbers from texts: labels that all are whole numbers count as such.
    private static func numbered(_ rows: [MetadataRow]) -> [MetadataRow] {
        let numbers = rows.map { row -> Label? in
            guard case .text(let text)? = row.label else { return nil }
            return Int(text).flatMap(Label.init(number:))
        }
        guard zip(rows, numbers).allSatisfy({ $0.label == nil || $1 != nil }) else { return rows }
        return zip(rows, numbers).map { row, number in
            var row = row
            row.label = number
            return row
        }
    }
}

extension [String] {
    /// A text or a list of texts; nil where a value is neither.
    init?(text value: JSONValue) {
        if case .string(let text) = value {
            self = [text]
        } else {
            self.init(json: value)
        }
    }
}

/// The values of a line between commas; those between quotation marks hold commas, ends of lines, and pairs of quotation
/// marks for one. Nil where the line is not of this form or not in UTF-8.
/// Source: RFC 4180, section 2.
func commaSeparated(_ line: ArraySlice<UInt8>) -> [String]? {
    let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
    var rest = line.starts(with: [0xEF, 0xBB, 0xBF]) ? line.dropFirst(3) : line
    var fields: [String] = []
    while true {
        var value: [UInt8] = []
        if rest.first == quote {
            var goesOn = true
            while goesOn {
                rest = rest.dropFirst()
                guard let end = rest.firstIndex(of: quote) else { return nil }
                value += rest[..<end]
                rest = rest[(end + 1)...]
                goesOn = rest.first == quote
                if goesOn { value.append(quote) }
            }
        } else {
            value = Array(rest.prefix { $0 != comma })
            guard !value.contains(quote) else { return nil }
            rest = rest.dropFirst(value.count)
        }
        guard let text = String(validating: value, as: UTF8.self) else { return nil }
        fields.append(text)
        guard let next = rest.first else { return fields }
        guard next == comma else { return nil }
        rest = rest.dropFirst()
    }
}
