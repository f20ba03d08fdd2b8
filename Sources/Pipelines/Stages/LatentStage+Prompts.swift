import Tokenizers

extension LatentStage {
    /// The stage with the prompts of each part of its steps, and which of these every step is under. Steps are counted in the
    /// whole process, those included that a reference or another model takes.
    /// - Throws: `TokenizerError` about a prompt.
    func phases() throws -> (stages: [LatentStage], ofStep: [Int]) {
        guard request.weighsWords, let prompts = settings.prompts else { return ([self], []) }
        let count = settings.steps
        func texts(_ prompt: String) throws -> [String] {
            try PromptSchedule(PromptTag.split(prompt).text).texts(steps: count)
        }
        var known: [String: [String]] = [:]
        for prompt in prompts where known[prompt] == nil { known[prompt] = try texts(prompt) }
        let negative = try request.negativePrompt.map(texts)
        var (stages, ofStep, seen): ([LatentStage], [Int], [[String]]) = ([], [], [])
        for step in settings.sampler.grid.steps.indices {
            let place = min(settings.skippedSteps + step, count - 1)
            let own = prompts.map { known[$0]![place] }
            let all = own + (negative.map { [$0[place]] } ?? [])
            if !seen.contains(all) {
                var stage = self
                (stage.settings.prompts, stage.settings.request.negativePrompt) = (own, negative?[place])
                stages.append(stage)
                seen.append(all)
            }
            ofStep.append(seen.firstIndex(of: all)!)
        }
        return (stages, ofStep)
    }
}
