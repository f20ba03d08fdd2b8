import Storage

/// Why a run folder or one of its files cannot be used: what, where, and what to do, in one sentence.
public struct RunError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence, to be shown to a person as it stands.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }

    /// A file operation failed while `task` was done, such as "The checkpoint of step 5 was not saved".
    init(_ task: String, _ failure: FileError) {
        self.init("\(task): \(failure.action) \(failure.path) failed: \(failure.reason).")
    }
}
