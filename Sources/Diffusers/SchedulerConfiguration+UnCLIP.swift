import Diffusion
import Tensors

extension SchedulerConfiguration {
    /// The one process that unCLIP knows.
    var unCLIPSchedule: DiscreteSchedule {
        let cosine = BetaSchedule.cosine
        return hasSingleTables
            ? DiscreteSchedule(single: cosine.singleBetas(count: trainSteps, from: 0, to: 0))
            : DiscreteSchedule(betas: cosine.betas(count: trainSteps, from: 0, to: 0))
    }

    /// Where the last step ends: at the data, times β₀ / (1 − ᾱ₀). In diffusers' tables of single precision that is not
    /// quite 1, and its class divides by it.
    var unCLIPEnd: NoiseLevel {
        guard hasSingleTables else { return .data }
        let beta = Float(BetaSchedule.cosine.betas(count: trainSteps, from: 0, to: 0)[0])
        let kept = 1 - beta
        var end = NoiseLevel.data
        end.alpha = Double(beta / (1 - kept))
        return end
    }

    /// A sampler of `UnCLIPScheduler` where a pipeline does not say where steps end, as diffusers' StableUnCLIPPipeline does
    /// not: each goes back by one time of the process, and the next begins far below it. Other classes find it themselves.
    package func withSteps(ofOneTime sampler: Sampler) -> Sampler {
        guard kind == .unCLIP else { return sampler }
        var changed = sampler
        let schedule = unCLIPSchedule
        changed.grid = StepGrid(
            steps: sampler.grid.steps.map { step in
                StepGrid.Step(
                    from: step.from, to: endLevel(at: Int(step.from.time ?? 0) - 1, schedule))
            }, startScale: sampler.grid.startScale)
        return changed
    }

    /// Whether the class reads an η.
    package var readsEta: Bool { kind.reads.contains(.eta) }

    /// Whether it is the class that unCLIP's own pipelines are made for.
    package var isUnCLIP: Bool { kind == .unCLIP }
}
