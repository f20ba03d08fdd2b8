/// A setting that is one of a few words.
public protocol RecipeChoice: Hashable, Sendable {
    /// Every choice, in the order in which messages and documents list them.
    static var choices: [Self] { get }
    /// Other words that are read as one of the choices; they are never written.
    static var synonyms: [String: Self] { get }
    /// The choice's word.
    var word: String { get }
}

extension RecipeChoice {
    /// No other words.
    public static var synonyms: [String: Self] { [:] }

    /// The choice of a word or of a synonym; nil where there is none.
    public init?(word: String) {
        guard let choice = Self.choices.first(where: { $0.word == word }) ?? Self.synonyms[word] else {
            return nil
        }
        self = choice
    }
}

extension RecipeChoice where Self: RawRepresentable, RawValue == String, Self: CaseIterable {
    /// Every case.
    public static var choices: [Self] { Array(allCases) }
    /// The raw value.
    public var word: String { rawValue }
}

/// A choice that is a row of a table: the rows are told apart by their words.
public protocol RecipeRow: RecipeChoice {}

extension RecipeRow {
    /// Rows of one word are equal.
    public static func == (one: Self, other: Self) -> Bool { one.word == other.word }
    /// The word.
    public func hash(into hasher: inout Hasher) { hasher.combine(word) }
}
