/// Why a network cannot be built from its configuration.
public struct NetworkError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The key of the configuration, as its file writes it.
    public let key: String
    /// What is wrong with its value, and what would do.
    public let problem: String

    /// An error about the value of a key.
    public init(_ key: String, _ problem: String) {
        self.key = key
        self.problem = problem
    }

    /// One sentence.
    public var description: String { "'\(key)' \(problem)" }
}
