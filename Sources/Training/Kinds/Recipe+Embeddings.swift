import Diffusion
import Pipelines
import Tensors

// What priors and decoders of embeddings have in common.

extension Recipe {
    /// The loss on numbers that are no pixels, or on pixels.
    /// - Throws: `RecipeError` that names the keys that do not go together.
    func embeddingObjective(on process: Diffusion.Process, ofPixels: Bool = false) throws -> any Objective {
        let context = ObjectiveContext(process, word: diffusion.process.word, hasPairedNoise: false)
        do {
            return try objective.settings(decodesPixels: ofPixels).objective(on: context)
        } catch let error as DiffusionError {
            throw RecipeError("\(error).")
        }
    }

    /// What the trained model will know of its own use.
    func embeddingCard(_ process: Diffusion.Process?) -> ModelCard {
        var card = ModelCard()
        card.guidance = evaluation.guidance
        guard let process else { return card }
        card.solver = evaluation.solver
        card.steps = min(evaluation.steps, process.schedule.wholeTimeCount ?? .max)
        return card
    }

    /// What samples are drawn by.
    /// - Throws: `RecipeError` where `evaluation` cannot be followed.
    func sheetSampler(on process: Diffusion.Process) throws -> Sampler {
        do {
            let sampler = try process.sampling.sampler(
                evaluation.solver, steps: min(evaluation.steps, process.schedule.wholeTimeCount ?? .max),
                grid: evaluation.grid, options: SamplerOptions())
            try sampler.check(process.parameterization.output)
            return sampler
        } catch let error as DiffusionError {
            throw RecipeError("evaluation: \(error).")
        }
    }
}
