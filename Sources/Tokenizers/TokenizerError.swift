import Storage

/// Why a file of a tokenizer was refused: one sentence that names the file and what to do.
public struct TokenizerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or folder.
    public let place: String
    /// What is wrong with it, and what to do.
    public let problem: String

    /// Makes an error about a file or folder.
    public init(_ place: String, _ problem: String) {
        self.place = place
        self.problem = problem
    }

    /// The place and the problem.
    public var description: String { "\(printable(place)): \(problem)" }
}
