import Foundation
import Pictures

/// A picture in a folder, and the number of its class.
struct PictureFile: Sendable {
    let url: URL
    /// Its path below the folder of the data.
    let path: String
    let label: Int
    /// The folder that is its class; nil where folders are no classes.
    var classFolder: String?
    var captions = ExampleCaptions()
}

/// What a folder holds, in a fixed order: by class, then by name.
struct FolderListing {
    let files: [PictureFile]
    let classNames: [String]?
    /// Pictures that rows name and that are not there.
    let missing: [PictureError]
    /// What else a person should know.
    let findings: DatasetFindings

    /// - Parameter columns: the columns of captions; nil where no captions are read.
    init(_ folder: URL, captions columns: [CaptionColumn]?) throws {
        let own = try FolderContents(of: folder)
        let classes = try own.folders.map { ($0.lastPathComponent, try FolderContents(below: $0)) }
        let pictures = own.pictures + classes.flatMap(\.1.pictures)
        guard !pictures.isEmpty else {
            throw DatasetError(
                folder.path, "there is no .png, .jpg or .webp picture in this folder",
                remedy: "give a folder of pictures, or one with a folder for each class")
        }
        let metadata = try FolderMetadata(
            folder: folder, columns: columns.map { $0.isEmpty ? CaptionReader.usual : $0.map(\.name) } ?? [])
        var findings = DatasetFindings()
        findings.metadata = metadata?.name ?? FolderMetadata.names[0]
        findings.hasUnreadTexts = columns == nil && metadata?.hasTexts ?? false
        findings.unreadFiles = (own.metadata + classes.flatMap(\.1.metadata))
            .map { $0.path(below: folder) }.filter { $0 != metadata?.name }
        let holding = classes.filter { !$0.1.pictures.isEmpty }
        var found: [PictureFile]
        if let metadata, let labels = metadata.labels {
            let labelled = try Labelled(pictures, labels, in: folder, by: metadata.name)
            findings.withoutLabel = labelled.without
            findings.labelsReplaceFolders = holding.count > 1
            (found, classNames) = (labelled.files, metadata.classNames)
        } else {
            (found, classNames) = try FolderListing.byFolder(own.pictures, holding, in: folder)
        }
        missing = metadata.map { FolderListing.missing(of: $0, from: pictures, in: folder) } ?? []
        if let columns {
            let texts = Set((own.texts + classes.flatMap(\.1.texts)).map(\.path))
            let reader = CaptionReader(columns: columns, rows: metadata, texts: texts)
            found = try reader.captioned(found, in: folder)
            findings.withoutCaption = found.count { $0.captions.texts.isEmpty }
        }
        files = found
        self.findings = findings
    }

    /// What rows name and nobody finds.
    private static func missing(
        of metadata: FolderMetadata, from pictures: [URL], in folder: URL
    ) -> [PictureError] {
        let there = Set(pictures.map { $0.path(below: folder) })
        let named = Set(metadata.labels.map { Array($0.keys) } ?? []).union(metadata.texts.keys)
        return named.subtracting(there).sorted().map {
            PictureError(
                .unreadable,
                "\(metadata.name) names it and there is no such .png, .jpg or .webp picture",
                remedy: "correct the row", file: folder.path + "/" + $0)
        }
    }

    /// The files whose place in their class is wanted.
    func files(where isWanted: (Int) -> Bool) -> [PictureFile] {
        var places: [Int: Int] = [:]
        return files.filter { file in
            defer { places[file.label, default: 0] += 1 }
            return isWanted(places[file.label, default: 0])
        }
    }

    /// Every folder is a class; without folders there are none.
    private static func byFolder(
        _ own: [URL], _ classes: [(name: String, contents: FolderContents)], in folder: URL
    ) throws -> ([PictureFile], [String]?) {
        guard !classes.isEmpty else {
            return (own.map { PictureFile(url: $0, path: $0.path(below: folder), label: 0) }, nil)
        }
        guard own.isEmpty else {
            throw DatasetError(
                folder.path, "there are pictures both in the folder and in folders below it",
                remedy: "keep them in one place, or in a folder for each class")
        }
        let files = classes.enumerated().flatMap { label, entry in
            entry.contents.pictures.map {
                PictureFile(url: $0, path: $0.path(below: folder), label: label, classFolder: entry.name)
            }
        }
        return (files, classes.map(\.name))
    }

    /// Pictures with the labels that rows give them.
    private struct Labelled {
        var files: [PictureFile] = []
        /// Those that no row names.
        var without: [String] = []

        init(_ pictures: [URL], _ labels: [String: Int], in folder: URL, by metadata: String) throws {
            for url in pictures {
                let name = url.path(below: folder)
                guard let label = labels[name] else {
                    without.append(name)
                    continue
                }
                files.append(PictureFile(url: url, path: name, label: label))
            }
            guard !files.isEmpty else {
                throw DatasetError(
                    folder.path, "\(metadata) names none of the pictures in this folder",
                    remedy: "write paths below the folder as file_name")
            }
            files.sort {
                $0.label == $1.label
                    ? $0.url.path.utf8.lexicographicallyPrecedes($1.url.path.utf8) : $0.label < $1.label
            }
        }
    }
}

/// The names in a folder that matter to a data set, sorted by the bytes of their UTF-8. Hidden ones do not.
private struct FolderContents {
    private(set) var pictures: [URL] = []
    private(set) var folders: [URL] = []
    /// Files that tell of pictures, in the forms of the hub's image folders.
    private(set) var metadata: [URL] = []
    /// Files that may hold the captions of the picture of the same name.
    private(set) var texts: [URL] = []

    /// Links to folders are not followed, so nothing is met twice and no circle can be entered.
    init(of folder: URL) throws {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw DatasetError(
                folder.path, "the folder could not be read", remedy: "check the path and its permissions")
        }
        let sorted = names.filter { !$0.hasPrefix(".") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for name in sorted {
            let url = folder.appendingPathComponent(name)
            var status = stat()
            guard lstat(url.path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                folders.append(url)
            } else if PictureFormat(fileExtension: url.pathExtension) != nil {
                pictures.append(url)
            } else if ["metadata.jsonl", "metadata.csv", "metadata.parquet"].contains(name) {
                metadata.append(url)
            } else if CaptionReader.extensions.contains(url.pathExtension.lowercased()) {
                texts.append(url)
            }
        }
    }

    /// Everything in a folder and the folders in it.
    init(below folder: URL) throws {
        self = try FolderContents(of: folder)
        for inner in folders {
            let contents = try FolderContents(below: inner)
            pictures += contents.pictures
            metadata += contents.metadata
            texts += contents.texts
        }
    }
}

extension URL {
    /// The path of a file below a folder.
    fileprivate func path(below folder: URL) -> String {
        String(path.dropFirst(folder.path.count).drop { $0 == "/" })
    }
}
