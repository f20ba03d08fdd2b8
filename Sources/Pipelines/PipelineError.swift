/// Why a model cannot be opened or a request cannot be met.
public struct PipelineError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence: what, where, and what to do.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}
