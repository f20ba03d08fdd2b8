import Diffusers
import Diffusion
import Networks
import Tensors

extension GenerationPlan {
    /// The steps of a request, without those that a reference leaves out or another model takes.
    static func sampler(
        _ model: GenerationModel, _ request: GenerationRequest, _ own: SchedulerConfiguration, _ task: Task,
        _ strength: Double?, _ size: GenerationRequest.Size
    ) throws -> Sampler {
        let steps = try request.sampling.steps ?? Self.steps(model, task)
        try SamplingPlan.check(steps: steps)
        var options = SamplerOptions()
        options.eta = request.sampling.eta
        if model.source.kind != .diffusionTransformer,
            own.configured(for: request.sampling.solver, grid: nil).kind == .tcd
        {
            // diffusers' pipelines, but that one, hand over their own η, not the scheduler's.
            options.eta = options.eta ?? 0
        }
        if model.source.kind == .stableDiffusion3, own.usesDynamicShift, let patch = model.network.patch {
            let side = model.pixelsPerLatent * patch
            options.shiftExponent = own.shiftExponent(tokens: (size.height / side) * (size.width / side))
        }
        func sampler() throws -> Sampler {
            try own.sampler(
                request.sampling.solver, steps: steps, grid: request.sampling.grid, options: options)
        }
        if let start = request.denoisingStart {
            let cutoff = try time("--denoising-start", start, own)
            options.skippedSteps = try skippedSteps(sampler(), before: cutoff, request, own)
        } else if let strength {
            // Stable Diffusion 3 rounds the steps that are left up, all others round them down.
            let left = min(Double(steps) * strength, Double(steps))
            options.skippedSteps =
                model.source.kind == .stableDiffusion3 ? Int(Double(steps) - left) : steps - Int(left)
        }
        var result = try sampler()
        let isDivided = request.denoisingStart != nil || request.denoisingEnd != nil
        guard !request.takesWholeSteps || isDivided && result.hasTwoCalls else {
            throw PipelineError(
                "--whole-steps says where methods with two calls of the network a step (heun, dpm2, dpm2-a, dpmpp-sde) begin and stop under --denoising-start and --denoising-end: leave it out"
            )
        }
        if let end = request.denoisingEnd {
            let cutoff = try time("--denoising-end", end, own)
            result = stopping(result, at: cutoff, request, own)
        }
        guard !result.grid.steps.isEmpty else {
            throw PipelineError(
                "no step of \(steps) is left to take: give more --steps, or more of the process (--strength, --denoising-start, --denoising-end)"
            )
        }
        try result.check(own.process.parameterization.output)
        if let variance = result.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and in latents a learned variance is left aside, as diffusers' pipelines leave it: use 'fixed_small' or another solver"
            )
        }
        return result
    }

    /// How many steps of a whole run come before a time. diffusers counts calls of the network: one that has two calls
    /// a step begins with the last step that starts before the time, where another model has stopped in its middle.
    private static func skippedSteps(
        _ sampler: Sampler, before cutoff: Double, _ request: GenerationRequest,
        _ own: SchedulerConfiguration
    ) -> Int {
        let used = own.configured(for: request.sampling.solver, grid: nil)
        let calls = Array(sampler.callTimes(used).joined())
        // PNDM's skipped steps are calls.
        if used.kind == .pndm { return calls.count { $0 >= cutoff } }
        guard sampler.hasTwoCalls, !request.takesWholeSteps else {
            return sampler.grid.steps.count { ($0.from.time ?? 0) >= cutoff }
        }
        let left = calls.count { $0 < cutoff }
        // All steps but the last have two calls, so that an odd number of them is left.
        return max(calls.count - (left % 2 == 0 ? left + 1 : left), 0) / 2
    }

    /// A run without what comes after a time. diffusers counts calls, and so can stop in the middle of a step.
    private static func stopping(
        _ sampler: Sampler, at cutoff: Double, _ request: GenerationRequest, _ own: SchedulerConfiguration
    ) -> Sampler {
        let times = sampler.callTimes(own.configured(for: request.sampling.solver, grid: nil))
        let starts = sampler.grid.steps.count { ($0.from.time ?? 0) >= cutoff }
        guard !request.takesWholeSteps else {
            return sampler.stopping(afterCalls: starts, of: times.map { _ in 1 })
        }
        let calls = times.joined().count { $0 >= cutoff }
        return sampler.stopping(afterCalls: calls, of: times.map(\.count))
    }

    /// The time at a share of the process, from noise to data.
    private static func time(_ option: String, _ share: Double, _ own: SchedulerConfiguration) throws
        -> Double
    {
        guard share > 0, share < 1 else {
            throw PipelineError("\(option) is \(share): it must lie between 0 and 1")
        }
        let total = Double(own.trainSteps)
        return (total - share * total).rounded(.toNearestOrEven)
    }
}
