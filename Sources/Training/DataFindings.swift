import Checkpoints
import Datasets
import Foundation
import Storage

extension DatasetFindings {
    /// A sentence about each thing that was found and that `earlier` findings did not hold.
    public func sentences(since earlier: DatasetFindings = DatasetFindings()) -> [String] {
        var sentences: [String] = []
        let known = Set(earlier.damaged)
        let damaged = damaged.filter { !known.contains($0) }
        if !damaged.isEmpty {
            let shown = damaged.prefix(5).map { "\(quoted(name($0.file ?? ""))) (\($0.what))" }
            let more = damaged.count > 5 ? " and \(damaged.count - 5) more" : ""
            sentences.append(
                "pictures in \(folder) that cannot be read are left out, \(damaged.count) of \(total): \(shown.joined(separator: ", "))\(more)"
            )
        }
        if transparentCount > 0, earlier.transparentCount == 0 {
            sentences.append(
                "pictures in \(folder) have transparent parts, \(transparentCount) of \(total), and the colours stored under them count"
            )
        }
        if earlier.folder.isEmpty { sentences += unread }
        return sentences
    }

    /// What else the folder holds and is not learnt from.
    private var unread: [String] {
        var sentences: [String] = []
        if heldBack > 0 {
            sentences.append(
                "every tenth picture of a class in \(folder) is held back to judge by, \(heldBack) in all")
        }
        if !withoutLabel.isEmpty {
            sentences.append(
                "pictures in \(folder) that no row of \(metadata) names are left out, \(withoutLabel.count) in all: \(listed(withoutLabel))"
            )
        }
        if labelsReplaceFolders {
            sentences.append("the classes of \(folder) are the labels of \(metadata), not its folders")
        }
        if withoutCaption > 0 {
            sentences.append(
                "pictures in \(folder) have no caption, \(withoutCaption) in all, and are learnt with an empty one"
            )
        }
        if hasUnreadTexts { sentences.append("the texts of \(metadata) in \(folder) are not read") }
        if !unreadFiles.isEmpty {
            sentences.append(
                "nothing reads \(listed(unreadFiles)) in \(folder), but metadata.jsonl or metadata.csv in the folder itself"
            )
        }
        return sentences
    }

    private func name(_ path: String) -> String {
        path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
    }
}

/// What a run finds in its data: reported when it is found; the pictures that cannot be read are listed in the run folder.
struct FindingsReport {
    let dataset: any Dataset
    /// The file that lists pictures, a JSON object a line.
    let path: String
    let warn: (String) -> Void
    private var reported = DatasetFindings()

    init(_ dataset: any Dataset, path: String, warn: @escaping (String) -> Void) {
        (self.dataset, self.path, self.warn) = (dataset, path, warn)
    }

    /// Reports what is new.
    mutating func update() {
        let findings = dataset.findings
        guard findings != reported else { return }
        for sentence in findings.sentences(since: reported) { warn(sentence) }
        if findings.damaged.count > reported.damaged.count {
            do {
                try write(findings)
            } catch {
                warn("the list of pictures that cannot be read was not written: \(error)")
            }
        }
        reported = findings
    }

    private struct Line: Codable {
        var file: String
        var reason: String
    }

    /// Adds to the list what it does not hold yet: a run that goes on need not meet the same pictures again.
    private func write(_ findings: DatasetFindings) throws {
        let newline = UInt8(ascii: "\n")
        var list = Files.exists(path) ? try Files.read(path) : []
        let old = Set(
            list.split(separator: newline).compactMap {
                try? JSONDecoder().decode(Line.self, from: Data($0)).file
            })
        for error in findings.damaged where !old.contains(error.file ?? "") {
            list += try sortedJSON(Line(file: error.file ?? "", reason: error.what)) + [newline]
        }
        try Files.replace(path, with: list)
    }
}
