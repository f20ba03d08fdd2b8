/// The configuration of a network that can be trained from a recipe: defaults, and a check of the whole.
public protocol TrainableSettings: Codable, Equatable, Sendable {
    /// The defaults.
    init()

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    func validate() throws
}
