/// Why a process or a run of it makes no sense.
public struct DiffusionError: Error, Sendable, CustomStringConvertible {
    /// One sentence: what, and what to do.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}
