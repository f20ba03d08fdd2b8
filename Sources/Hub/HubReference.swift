import Storage

/// A model on the hub: `org/name`, or `org/name@revision`.
public struct HubReference: Sendable, Hashable {
    /// The organization and the model's name, with a slash between.
    public let name: String
    /// A branch, a tag or a commit; `main` where none was given.
    public let revision: String

    static let defaultRevision = "main"

    /// Whether a text has the form of a model's name on the hub: two names with a slash between, and perhaps a revision
    /// after an `@`.
    public static func isOne(_ text: String) -> Bool { (try? HubReference(text)) != nil }

    /// Reads a name.
    /// - Parameter revision: the revision, where the name has none.
    /// - Throws: `HubError` where name or revision cannot be one of the hub.
    public init(_ text: String, revision: String? = nil) throws(HubError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts[0])
        let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, names.allSatisfy(Self.isName), !name.hasSuffix(".git") else {
            throw .input("\(quoted(text)) is no model's name on the hub: give it as org/name")
        }
        let named = parts.count == 2 ? String(parts[1]) : nil
        if let named, let revision, named != revision {
            throw .input(
                "two revisions of \(name) are given, \(quoted(named)) and \(quoted(revision)): give one")
        }
        self.revision = named ?? revision ?? Self.defaultRevision
        guard Self.isRevision(self.revision) else {
            throw .input(
                "\(quoted(self.revision)) is no revision of \(name): give a branch, a tag or a commit")
        }
    }

    /// Whether the revision is a commit, which stays what it is.
    public var isCommit: Bool { Self.isCommit(revision) }

    static func isCommit(_ text: String) -> Bool { isHexadecimal(text, count: 40) }

    /// Letters, digits, `-`, `_` and `.`, as the hub allows them: at most 96, no dot or dash at an end, and no two in a row.
    private static func isName(_ part: Substring) -> Bool {
        let letters = Array(part.utf8)
        guard let first = letters.first, let last = letters.last, letters.count <= 96 else { return false }
        return letters.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
            && isWord(first) && isWord(last) && !part.contains("--") && !part.contains("..")
    }

    /// A name of git that can lead nowhere else as a path.
    private static func isRevision(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= 255 && !text.contains("..") && !text.hasSuffix(".lock")
            && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
            && text.utf8.allSatisfy { isWord($0) || "-./+@#=,".utf8.contains($0) }
    }
}

/// Whether a byte is a letter, a digit or an underscore of ASCII.
private func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
    default: false
    }
}

/// Whether a text is `count` hexadecimal digits in lower case.
func isHexadecimal(_ text: String, count: Int) -> Bool {
    text.utf8.count == count
        && text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
}
