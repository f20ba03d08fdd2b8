/// Why the contents of a file were refused or could not be written.
///
/// The text is one sentence that names the file, the key or place in it, and what to do.
public struct ContentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or folder meant, as it was given.
    public let place: String
    /// What is wrong with it, and what to do.
    public let problem: String

    /// Makes an error about a file or folder.
    public init(_ place: String, _ problem: String) {
        self.place = place
        self.problem = problem
    }

    /// The place and the problem.
    public var description: String {
        place.isEmpty ? problem : "\(printable(place)): \(problem)"
    }
}
