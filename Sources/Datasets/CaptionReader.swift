import Foundation
import Storage

/// Gives the pictures of a folder their captions: from the columns of its rows, and from files beside the pictures.
///
/// `a.txt` and `a.caption` beside `a.png` hold captions, one a line.
struct CaptionReader {
    /// Extensions of files beside pictures.
    static let extensions = ["txt", "caption"]
    /// What is read where no columns are given.
    static let usual = ["text"] + extensions
    private static let mostBytes = 1 << 16

    /// The columns; empty for the usual ones, whose captions are drawn alike.
    let columns: [CaptionColumn]
    let rows: FolderMetadata?
    /// The paths of the files beside pictures.
    let texts: Set<String>

    /// Pictures with their captions.
    /// - Throws: ``DatasetError`` where no picture has one, no picture has a column, or a file cannot be read.
    func captioned(_ files: [PictureFile], in folder: URL) throws -> [PictureFile] {
        var found: Set<String> = []
        let names = columns.isEmpty ? Self.usual : columns.map(\.name)
        let captioned = try files.map { file in
            func texts(_ name: String) throws -> [String] {
                let own = try (rows?.texts[file.path]?[name] ?? []) + lines(beside: file.url, name)
                if !own.isEmpty { found.insert(name) }
                return own
            }
            var file = file
            file.captions =
                try columns.isEmpty
                ? ExampleCaptions(names.flatMap(texts)) : ExampleCaptions(columns) { try texts($0.name) }
            return file
        }
        if let empty = columns.map(\.name).first(where: { !found.contains($0) }) {
            throw DatasetError(
                folder.path, "no picture of this folder has a caption of the column \(quoted(empty))",
                remedy:
                    "name columns of \(FolderMetadata.names.joined(separator: " or ")), or txt or caption for files beside the pictures"
            )
        }
        guard !found.isEmpty else {
            throw DatasetError(
                folder.path,
                "no picture of this folder has a caption\(rows.map { ": \($0.name) gives none a text" } ?? "")",
                remedy:
                    "write a line such as {\"file_name\": \"a.png\", \"text\": \"a cat\"} for each picture into metadata.jsonl, or its caption into a.txt beside it"
            )
        }
        return captioned
    }

    /// The lines of the file with an extension beside a picture; none where there is no such file.
    private func lines(beside picture: URL, _ name: String) throws -> [String] {
        guard Self.extensions.contains(name) else { return [] }
        let path = picture.deletingPathExtension().appendingPathExtension(name).path
        guard texts.contains(path) else { return [] }
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: Self.mostBytes)
        } catch {
            throw DatasetError(path, "it cannot be read: \(error.reason)", remedy: "correct or remove it")
        }
        return try captionLines(bytes, in: path)
    }
}

/// The captions of a text, one a line; lines without a letter are none.
/// - Throws: ``DatasetError`` where the text is not in UTF-8.
func captionLines(_ bytes: [UInt8], in path: String) throws -> [String] {
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw DatasetError(path, "the caption is not text in UTF-8", remedy: "save it as UTF-8")
    }
    return text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        .filter { !$0.isEmpty }
}
