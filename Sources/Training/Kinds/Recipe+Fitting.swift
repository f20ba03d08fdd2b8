import Networks

extension Recipe {
    /// The model with what the data demand of it.
    /// - Throws: `RecipeError` that names the key whose value will not do.
    func fittedModel(to demands: NetworkDemands) throws -> RecipeNetwork {
        do {
            return try model.network.fitted(to: demands)
        } catch let error as NetworkError {
            throw RecipeError("model.\(error.key) \(error.problem).")
        }
    }
}
