import Diffusers
import Diffusion
import Networks

/// The steps of a request in latents, without those that a reference leaves out or another model takes.
struct LatentGrid {
    let assembly: any LatentAssembly
    let request: Request
    let process: Process
    /// The class of diffusers that the process is, as the model's pipeline uses it.
    let scheduler: SchedulerConfiguration?
    let steps: Int
    let size: Request.Size

    /// The class that takes the steps.
    private var used: SchedulerConfiguration? { scheduler?.configured(for: request.solver, grid: nil) }

    /// - Parameter strength: the share of the steps that are taken from a reference on.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    func sampler(strength: Double?) throws -> Sampler {
        try Request.check(steps: steps)
        var options = request.samplerOptions
        options.eta = request.eta ?? used.flatMap(assembly.usualEta)
        options.shiftExponent = scheduler.flatMap { assembly.shiftExponent($0, size) }
        func sampler() throws -> Sampler {
            try process.sampling.sampler(
                request.solver, steps: steps, grid: request.grid, options: options)
        }
        if let start = request.denoisingStart {
            let cutoff = try time(.denoisingStart, start)
            options.skippedSteps = try skippedSteps(sampler(), before: cutoff)
        } else if let strength {
            options.skippedSteps = assembly.skippedSteps(of: steps, strength: strength)
        }
        var result = try sampler()
        let isDivided = request.denoisingStart != nil || request.denoisingEnd != nil
        guard !request.takesWholeSteps || isDivided && result.hasTwoCalls else {
            throw PipelineError(
                "\(.takesWholeSteps) says where methods with two calls of the network a step (heun, dpm2, dpm2-a, dpmpp-sde) begin and stop under \(.denoisingStart) and \(.denoisingEnd): leave it out"
            )
        }
        if let end = request.denoisingEnd {
            result = try stopping(result, at: time(.denoisingEnd, end))
        }
        guard !result.grid.steps.isEmpty else {
            throw PipelineError(
                "no step of \(steps) is left to take: give more \(.steps), or more of the process (\(.strength), \(.denoisingStart), \(.denoisingEnd))"
            )
        }
        try result.check(process.parameterization.output)
        if let variance = result.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and in latents a learned variance is left aside, as diffusers' pipelines leave it: use 'fixed_small' or another solver"
            )
        }
        return result
    }

    /// How many steps of a whole run come before a time. diffusers counts calls of the network: one that has two calls
    /// a step begins with the last step that starts before the time, where another model has stopped in its middle.
    private func skippedSteps(_ sampler: Sampler, before cutoff: Double) -> Int {
        let calls = callTimes(of: sampler).flatMap(\.self)
        // PNDM's skipped steps are calls.
        if used?.kind == .pndm { return calls.count { $0 >= cutoff } }
        guard sampler.hasTwoCalls, !request.takesWholeSteps else {
            return sampler.grid.steps.count { ($0.from.time ?? 0) >= cutoff }
        }
        let left = calls.count { $0 < cutoff }
        // All steps but the last have two calls, so that an odd number of them is left.
        return max(calls.count - (left % 2 == 0 ? left + 1 : left), 0) / 2
    }

    /// A run without what comes after a time. diffusers counts calls, and so can stop in the middle of a step.
    private func stopping(_ sampler: Sampler, at cutoff: Double) -> Sampler {
        let times = callTimes(of: sampler)
        let starts = sampler.grid.steps.count { ($0.from.time ?? 0) >= cutoff }
        guard !request.takesWholeSteps else {
            return sampler.stopping(afterCalls: starts, of: times.map { _ in 1 })
        }
        let calls = times.joined().count { $0 >= cutoff }
        return sampler.stopping(afterCalls: calls, of: times.map(\.count))
    }

    private func callTimes(of sampler: Sampler) -> [[Double]] {
        used.map(sampler.callTimes) ?? sampler.grid.steps.map { [$0.from.time ?? 0] }
    }

    /// The time at a share of the process, from noise to data.
    private func time(_ field: RequestField, _ share: Double) throws -> Double {
        guard share > 0, share < 1 else {
            throw PipelineError("\(field) is \(share): it must lie between 0 and 1")
        }
        guard let scheduler else {
            throw PipelineError(
                "\(field) is a share of the training steps of diffusers' schedulers, and this model's process is of the kind '\(process.sampling.name)': leave it out"
            )
        }
        let total = Double(scheduler.trainSteps)
        return (total - share * total).rounded(.toNearestOrEven)
    }
}
