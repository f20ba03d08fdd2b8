import Storage

/// A data set that could not be opened or read.
public struct DatasetError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file or folder.
    public let file: String
    /// What is wrong, with the line or picture where there is one.
    public let what: String
    /// What to do about it.
    public let remedy: String

    /// One sentence: the file, what is wrong and what to do.
    public var description: String { "\(printable(file)): \(what); \(remedy)" }

    init(_ file: String, _ what: String, remedy: String = "fetch the file again") {
        self.file = file
        self.what = what
        self.remedy = remedy
    }

    /// A damaged picture for which no other of its bucket can stand in.
    init(noneOfTheSizeOf file: String) {
        self.init(
            file, "this picture and all others of its shape cannot be read",
            remedy: "repair or remove them, or choose fewer buckets")
    }
}
