import Diffusion
import Pipelines

// Words of other rooms that a recipe may use, and what else they are called.

extension BetaSchedule: RecipeChoice {
    public static var synonyms: [String: BetaSchedule] { ["quadratic": .scaledLinear, "cosine": .cosine] }
}

extension Prediction: RecipeChoice {
    public static var synonyms: [String: Prediction] {
        ["noise": .noise, "data": .data, "v": .velocity]
    }
}

extension SolverName: RecipeChoice {}
