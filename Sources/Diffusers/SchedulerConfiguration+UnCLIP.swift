import Diffusion

extension SchedulerConfiguration {
    /// A sampler of `UnCLIPScheduler` where a pipeline does not say where steps end, as diffusers' StableUnCLIPPipeline does
    /// not: each goes back by one time of the process, and the next begins far below it. Other classes find it themselves.
    package func withSteps(ofOneTime sampler: Sampler) -> Sampler {
        guard kind == .unCLIP else { return sampler }
        var changed = sampler
        let schedule = unCLIPSchedule
        changed.grid = StepGrid(
            steps: sampler.grid.steps.map { step in
                let end = (step.from.time ?? 0) - 1
                return StepGrid.Step(from: step.from, to: end < 0 ? .data : schedule.level(at: end))
            }, startScale: sampler.grid.startScale)
        return changed
    }

    /// Whether the class reads an η.
    package var readsEta: Bool { kind.reads.contains(.eta) }

    /// Whether it is the class that unCLIP's own pipelines are made for.
    package var isUnCLIP: Bool { kind == .unCLIP }
}
