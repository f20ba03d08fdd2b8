import Diffusion
import Pipelines

extension Recipe {
    /// How samples are drawn from the model, while training and after it.
    public struct EvaluationSection: Equatable, Sendable {
        /// The solver, by the name that `--solver` takes.
        public var solver = Method.ddim
        /// How the steps are spread; as the process has it where absent.
        public var grid: Grid?
        /// Number of solver steps.
        public var steps = 50
        /// Scale of classifier-free guidance; 1 is the conditional branch alone.
        public var guidance = 1.0
        /// How that guidance grows over the steps; all of it acts at every one where absent.
        public var guidanceSchedule: GuidanceSchedule?
        /// Samples on a sheet.
        public var count = 64

        /// The section with every default.
        public init() {}
    }
}

extension Recipe.EvaluationSection {
    private static let reason = "it only decides how samples are drawn from the model"

    static let keys: [RecipeKey] = [
        RecipeKey(
            "evaluation.solver", \.evaluation.solver, .choice, changeable: reason,
            "The solver of sample sheets, and the model's own afterwards."),
        RecipeKey(
            "evaluation.grid", \.evaluation.grid, .optional(.choice), changeable: reason,
            "How the steps are spread; by default as the process has it."),
        RecipeKey(
            "evaluation.steps", \.evaluation.steps, .whole(1...10_000), changeable: reason,
            "Number of solver steps."),
        RecipeKey(
            "evaluation.guidance", \.evaluation.guidance, .number(0...1000), changeable: reason,
            "Scale of classifier-free guidance; 1 is the conditional branch alone."),
        RecipeKey(
            "evaluation.guidance_schedule", \.evaluation.guidanceSchedule, .optional(.choice),
            changeable: reason,
            "How that guidance grows over the steps, from the unconditional estimate; by default all of it acts at every one."
        ),
        RecipeKey(
            "evaluation.count", \.evaluation.count, .whole(1...4096), changeable: reason,
            "Samples on a sheet."),
    ]
}
