import Storage

/// Why a run folder or one of its files cannot be used: what, where, and what to do, in one sentence.
public struct RunError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence, to be shown to a person as it stands.
    public let description: String
    /// Whether something of the machine had run out or failed (`FileError.isOfMachine`).
    public let isOfMachine: Bool

    package init(_ description: String) {
        self.init(description, isOfMachine: false)
    }

    private init(_ description: String, isOfMachine: Bool) {
        (self.description, self.isOfMachine) = (description, isOfMachine)
    }

    /// A file operation failed while `task` was done, such as "The checkpoint of step 5 was not saved".
    init(_ task: String, _ failure: FileError) {
        self.init(
            "\(task): \(failure.action) \(failure.path) failed: \(failure.reason).",
            isOfMachine: failure.isOfMachine)
    }
}
