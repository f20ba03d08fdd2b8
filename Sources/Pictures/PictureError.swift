import Storage

/// A picture that could not be read, made or written.
public struct PictureError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Kind: Hashable, Sendable {
        /// The file is missing, is not a file or could not be read.
        case unreadable
        /// The bytes are no picture of a kind that is read here.
        case unsupported
        /// The bytes are a picture, but cut short or damaged.
        case damaged
        /// The picture, or what it unpacks to, is larger than the caller allows.
        case tooLarge
        /// The picture cannot be written in the requested form.
        case unwritable
        /// A tensor is not a picture: wrong shape.
        case notAPicture
        /// A setting does not go with what is made of a picture.
        case unsuitable
    }

    /// What kind of failure it was.
    public let kind: Kind
    /// The file, where one is known.
    public var file: String?
    /// What is wrong.
    public let what: String
    /// What to do about it.
    public let remedy: String

    /// One sentence: the file, what is wrong and what to do.
    public var description: String {
        (file.map { "\(printable($0)): " } ?? "") + "\(what); \(remedy)"
    }

    package init(_ kind: Kind, _ what: String, remedy: String, file: String? = nil) {
        self.kind = kind
        self.what = what
        self.remedy = remedy
        self.file = file
    }

    static func damaged(_ what: String) -> PictureError {
        PictureError(.damaged, what, remedy: "fetch or save the file again")
    }

    static func unsupported(_ what: String) -> PictureError {
        PictureError(.unsupported, what, remedy: "convert it to PNG, JPEG or WebP")
    }

    /// The same error with a file.
    package func at(_ file: String) -> PictureError {
        var copy = self
        copy.file = file
        return copy
    }
}
