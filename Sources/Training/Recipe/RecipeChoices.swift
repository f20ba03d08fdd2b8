import Diffusion
import Pipelines

// Words of other rooms that a recipe may use, and what else they are called.

extension BetaSchedule: RecipeChoice {
    /// What DDIM's code and people call them.
    public static var synonyms: [String: BetaSchedule] { ["quadratic": .scaledLinear, "cosine": .cosine] }
}

extension Method: RecipeChoice {}

extension Grid: RecipeChoice {}

extension GuidanceSchedule: RecipeChoice {}
