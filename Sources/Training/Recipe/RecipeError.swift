/// Why a recipe cannot be used: one sentence that says what is wrong, where, and what to do.
public struct RecipeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence, to be shown to a person as it stands.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}
