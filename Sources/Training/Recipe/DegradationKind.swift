import Datasets

/// A degradation of smaller pictures: a row with its word.
public struct DegradationKind: RecipeRow {
    /// The word of recipes.
    public let word: String
    /// What is done to a picture.
    let degradation: Degradation

    private init(_ word: String, _ degradation: Degradation) {
        (self.word, self.degradation) = (word, degradation)
    }

    /// Every degradation.
    public static let choices = [
        DegradationKind("real-esrgan", .realESRGAN), DegradationKind("first-order", .firstOrder),
    ]
}
