import Pictures
import Storage

/// A sample of a shard: the members that share a key.
struct ShardSample: Sendable {
    /// The path of the shard.
    let shard: String
    /// What its members' names have in common: folders, and the file's name up to its first point.
    let key: String
    /// The extension of the picture.
    var pictureExtension = ""
    /// The picture as it is stored; empty where it was not wanted.
    var picture: [UInt8] = []
    /// Texts by the extension of their member.
    var texts: [String: [UInt8]] = [:]

    /// What messages call the picture.
    var name: String { "\(shard)/\(key).\(pictureExtension)" }

    init(shard: String, key: String) { (self.shard, self.key) = (shard, key) }

    /// Key and extension of a member's name, as WebDataset has them; nil of names that belong to no sample, such as those
    /// that begin with a point.
    static func parts(of name: String) -> (key: String, extension: String)? {
        let start = name.utf8.lastIndex(of: UInt8(ascii: "/")).map(name.utf8.index(after:)) ?? name.startIndex
        guard let point = name[start...].utf8.firstIndex(of: UInt8(ascii: ".")), point > start else {
            return nil
        }
        return (String(name[..<point]), name[name.utf8.index(after: point)...].lowercased())
    }

    /// The class that the member `.cls` gives; nil where there is none.
    /// - Throws: ``DatasetError`` where it is no class.
    func label() throws -> Int? {
        guard let content = texts["cls"] else { return nil }
        let text = String(decoding: content, as: UTF8.self).trimmed
        guard let label = Int(text), (0..<65_536).contains(label) else {
            throw DatasetError(
                shard, "\(quoted(key + ".cls")) is \(quoted(text)), which is no class",
                remedy: "write a whole number from 0 to 65535")
        }
        return label
    }

    /// The captions of columns: a member's lines, or the texts under a key of the member `.json`.
    /// - Parameter columns: empty for the usual ones.
    /// - Throws: ``DatasetError`` where a text is not in UTF-8 or the JSON is damaged.
    func captions(_ columns: [CaptionColumn]) throws -> ExampleCaptions {
        let object = try json()
        func texts(_ name: String) throws -> [String] {
            if name != "json", let content = self.texts[name.lowercased()] {
                return try captionLines(content, in: "\(shard)/\(key).\(name)")
            }
            return object[name].flatMap { [String](text: $0) } ?? []
        }
        guard columns.isEmpty else { return try ExampleCaptions(columns) { try texts($0.name) } }
        let own = try CaptionReader.extensions.flatMap(texts)
        return ExampleCaptions(own.isEmpty ? try ["text", "caption"].flatMap(texts) : own)
    }

    /// The member `.json`; empty where there is none.
    func json() throws -> JSONObject {
        guard let content = texts["json"] else { return JSONObject() }
        do {
            let value = try JSONValue(parsing: content, place: "\(shard)/\(key).json", allowsNonFinite: true)
            guard let object = JSONObject(json: value) else {
                throw DatasetError(
                    shard, "\(quoted(key + ".json")) is no JSON object", remedy: "correct or leave it out")
            }
            return object
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "correct or leave it out")
        }
    }
}

extension String {
    /// Without spaces and ends of lines around it.
    fileprivate var trimmed: String {
        let rest = drop(while: \.isWhitespace)
        return String(rest.prefix(rest.count - rest.reversed().prefix(while: \.isWhitespace).count))
    }
}
