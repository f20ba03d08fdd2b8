import Foundation
import Pictures

/// A picture in a folder, and the number of its class.
struct PictureFile: Sendable {
    let url: URL
    let label: Int
    var captions: [String] = []
}

/// What a folder holds, in a fixed order: by class, then by name.
struct FolderListing {
    let files: [PictureFile]
    let classNames: [String]?
    /// Pictures that `metadata.jsonl` names and that are not there.
    let missing: [PictureError]
    /// What else a person should know.
    let findings: DatasetFindings

    /// - Parameter readsTexts: whether the texts of `metadata.jsonl` are the pictures' captions.
    init(_ folder: URL, readsTexts: Bool) throws {
        let own = try FolderContents(of: folder)
        let classes = try own.folders.map { ($0.lastPathComponent, try FolderContents(below: $0)) }
        let pictures = own.pictures + classes.flatMap(\.1.pictures)
        guard !pictures.isEmpty else {
            throw DatasetError(
                folder.path, "there is no .png, .jpg or .webp picture in this folder",
                remedy: "give a folder of pictures, or one with a folder for each class")
        }
        let metadata = try FolderMetadata(folder: folder, readsTexts: readsTexts)
        var findings = DatasetFindings()
        findings.hasUnreadTexts = !readsTexts && metadata?.hasTexts ?? false
        findings.unreadFiles = (own.metadata + classes.flatMap(\.1.metadata))
            .map { $0.path(below: folder) }.filter { $0 != FolderMetadata.name }
        let holding = classes.filter { !$0.1.pictures.isEmpty }
        var found: [PictureFile]
        if let metadata, let labels = metadata.labels {
            let labelled = try Labelled(pictures, labels, in: folder)
            findings.withoutLabel = labelled.without
            findings.labelsReplaceFolders = holding.count > 1
            (found, classNames) = (labelled.files, metadata.classNames)
            missing = labels.keys.filter { !labelled.names.contains($0) }.sorted().map {
                PictureError(
                    .unreadable,
                    "\(FolderMetadata.name) names it and there is no such .png, .jpg or .webp picture",
                    remedy: "correct the row", file: folder.path + "/" + $0)
            }
        } else {
            (found, classNames) = try FolderListing.byFolder(own.pictures, holding, in: folder)
            missing = []
        }
        if readsTexts {
            found = try FolderListing.captioned(found, by: metadata?.texts ?? [:], in: folder)
            findings.withoutCaption = found.count { $0.captions.isEmpty }
        }
        files = found
        self.findings = findings
    }

    /// The files whose place in their class is wanted.
    func files(where isWanted: (Int) -> Bool) -> [PictureFile] {
        var places: [Int: Int] = [:]
        return files.filter { file in
            defer { places[file.label, default: 0] += 1 }
            return isWanted(places[file.label, default: 0])
        }
    }

    /// The files with the texts that rows give them.
    private static func captioned(
        _ files: [PictureFile], by texts: [String: [String]], in folder: URL
    ) throws -> [PictureFile] {
        let captioned = files.map { file in
            var file = file
            file.captions = texts[file.url.path(below: folder)] ?? []
            return file
        }
        guard captioned.contains(where: { !$0.captions.isEmpty }) else {
            throw DatasetError(
                folder.path, "\(FolderMetadata.name) gives no picture of this folder a text",
                remedy:
                    "write a line such as {\"file_name\": \"a.png\", \"text\": \"a cat\"} for each picture")
        }
        return captioned
    }

    /// Every folder is a class; without folders there are none.
    private static func byFolder(
        _ own: [URL], _ classes: [(name: String, contents: FolderContents)], in folder: URL
    ) throws -> ([PictureFile], [String]?) {
        guard !classes.isEmpty else { return (own.map { PictureFile(url: $0, label: 0) }, nil) }
        guard own.isEmpty else {
            throw DatasetError(
                folder.path, "there are pictures both in the folder and in folders below it",
                remedy: "keep them in one place, or in a folder for each class")
        }
        let files = classes.enumerated().flatMap { label, entry in
            entry.contents.pictures.map { PictureFile(url: $0, label: label) }
        }
        return (files, classes.map(\.name))
    }

    /// Pictures with the labels that rows give them.
    private struct Labelled {
        var files: [PictureFile] = []
        /// Every picture that is there, by its path below the folder.
        var names: Set<String> = []
        /// Those that no row names.
        var without: [String] = []

        init(_ pictures: [URL], _ labels: [String: Int], in folder: URL) throws {
            for url in pictures {
                let name = url.path(below: folder)
                names.insert(name)
                guard let label = labels[name] else {
                    without.append(name)
                    continue
                }
                files.append(PictureFile(url: url, label: label))
            }
            guard !files.isEmpty else {
                throw DatasetError(
                    folder.path, "\(FolderMetadata.name) names none of the pictures in this folder",
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
        }
    }
}

extension URL {
    /// The path of a file below a folder.
    fileprivate func path(below folder: URL) -> String {
        String(path.dropFirst(folder.path.count).drop { $0 == "/" })
    }
}
