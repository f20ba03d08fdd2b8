import Foundation
import Pipelines
import Tensors

/// A run of a plan as a person sees it: messages, progress, files, a summary.
struct GenerationRun {
    private let plan: GenerationPlan
    private let refining: ((Tensor) throws -> GenerationPlan)?
    private let preview: (path: String, decoder: Preview)?
    private let output: SampleOutput
    private let start: ContinuousClock.Instant

    /// - Parameters:
    ///   - start: when the command began.
    ///   - preview: where a picture of every step is shown, and what makes it.
    ///   - refining: makes the plan that goes on with the latents of the first one.
    init(
        _ plan: GenerationPlan, _ output: SampleOutput, since start: ContinuousClock.Instant,
        preview: (path: String, decoder: Preview)? = nil,
        refining: ((Tensor) throws -> GenerationPlan)? = nil
    ) {
        (self.plan, self.output, self.start) = (plan, output, start)
        (self.preview, self.refining) = (preview, refining)
    }

    func run(printing json: Bool) throws {
        let clock = ContinuousClock()
        let decodes = !output.isTensor
        let digests = try ModelDigests(plan, decodes: decodes && refining == nil)
        var firstStep: ContinuousClock.Instant?
        var previewFailure: (any Error)?
        func latents(_ plan: GenerationPlan) throws -> Tensor {
            let steps = plan.sampler.grid.steps.count
            var bar = ProgressBar(total: steps * plan.count)
            defer { bar.finish() }
            return try plan.run(
                say: say,
                onStart: {
                    firstStep = firstStep ?? clock.now
                    bar.show(step: 0)
                },
                onStep: { done, progress in
                    bar.show(step: done * steps + progress.stepsDone * progress.sample.shape[0])
                    guard let preview, previewFailure == nil else { return }
                    let picture = try preview.decoder.picture(of: progress)
                    do {
                        try picture.write(to: URL(fileURLWithPath: preview.path))
                    } catch {
                        // The picture itself does not depend on it.
                        previewFailure = error
                        say("warning: there are no more previews: \(error)")
                    }
                })
        }
        var samples = try latents(plan)
        var second: (plan: GenerationPlan, digests: ModelDigests)?
        if let refining {
            let rest = try refining(samples)
            second = (rest, try ModelDigests(rest, decodes: decodes))
            samples = try latents(rest)
        }
        let sampled = clock.now
        if decodes { samples = try (second?.plan ?? plan).pictures(of: samples, say: say) }
        let decoded = clock.now
        let receipt = try Receipt(
            plan, of: digests.record(), refining: second.map { ($0.plan, try $0.digests.record()) },
            decodes: decodes)
        let files = try output.write(samples, receipt: receipt)
        if json {
            try printSummary(receipt, files, [start, firstStep ?? start, sampled, decoded, clock.now])
        }
        if let previewFailure {
            throw ResultError(description: "the preview was not written: \(previewFailure)")
        }
    }

    private func printSummary(
        _ receipt: Receipt, _ files: [String], _ moments: [ContinuousClock.Instant]
    ) throws {
        let seconds = zip(moments.dropFirst(), moments).map { ($0 - $1) / .seconds(1) }
        try printJSON(
            RunSummary(
                files: files, seed: receipt.seed, settings: receipt,
                seconds: Dictionary(
                    uniqueKeysWithValues: zip(["load", "sample", "decode", "write"], seconds))))
    }
}
