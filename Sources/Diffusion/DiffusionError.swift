/// Why a process or a run of it makes no sense.
public struct DiffusionError: Error, Sendable, CustomStringConvertible {
    /// The name of the option that will not do, in recipes' spelling; `nil` where it is none of a run's options.
    public let field: String?
    /// What is wrong with it, and what to do; the whole sentence where there is no field.
    public let problem: String

    /// One sentence: what, and what to do.
    public var description: String { field.map { "\($0) \(problem)" } ?? problem }

    package init(_ description: String) {
        (field, problem) = (nil, description)
    }

    /// An option of a run that will not do.
    package init(field: String, _ problem: String) {
        (self.field, self.problem) = (field, problem)
    }
}
