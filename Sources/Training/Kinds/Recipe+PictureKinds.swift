import Networks

// What kinds that learn from pictures of one size share.

extension Recipe {
    /// Checks that there are pictures of one size, and that nothing is given that such a kind does not read.
    /// - Throws: `RecipeError` that names the key.
    func checkPlainPictures() throws {
        let kind = model.kind.word
        guard data.kind.hasPictures else {
            throw RecipeError(
                "data.kind is \(data.kind.word), and model.kind \(kind) learns from pictures: use another.")
        }
        guard data.buckets == nil else {
            throw RecipeError("data.buckets: model.kind \(kind) takes pictures of one size; leave it out.")
        }
        guard model.from == nil else {
            throw RecipeError("model.from: model.kind \(kind) begins from random weights; leave it out.")
        }
    }
}
