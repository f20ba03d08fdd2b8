import Foundation
import Pipelines
import Storage
import Tensors

/// A run of a plan as a person sees it: messages, progress, files, a summary.
struct GenerationRun {
    private let plan: GenerationPlan
    private let refiner: GenerationPlan?
    private let preview: (path: String, decoder: Preview)?
    private let notes: [String]
    private let output: SampleOutput
    private let start: ContinuousClock.Instant

    /// - Parameters:
    ///   - start: when the command began.
    ///   - notes: what a person should know of the model, said when all is known to be right: a refusal is one sentence.
    ///   - preview: where a picture of every step is shown, and what makes it.
    ///   - refiner: the plan that goes on with the latents of the first one.
    /// - Throws: an error about whatever can be known before the first step.
    init(
        _ plan: GenerationPlan, _ output: SampleOutput, since start: ContinuousClock.Instant,
        notes: [String], preview: (path: String, decoder: Preview)? = nil,
        refiner: GenerationPlan? = nil
    ) throws {
        (self.plan, self.output, self.start) = (plan, output, start)
        (self.notes, self.preview, self.refiner) = (notes, preview, refiner)
        try plan.checkParts(decodes: refiner == nil && !output.isTensor)
        try refiner?.checkParts(decodes: !output.isTensor)
    }

    func run(printing json: Bool) throws {
        let clock = ContinuousClock()
        let decodes = !output.isTensor
        let digests = try ModelDigests(plan, decodes: decodes && refiner == nil)
        let refinerDigests = try refiner.map { try ModelDigests($0, decodes: decodes) }
        for note in notes { say("note: \(note)") }
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
                        try picture.write(to: URL(file: preview.path))
                    } catch {
                        // The picture itself does not depend on it.
                        previewFailure = error
                        say("warning: there are no more previews: \(error)")
                    }
                })
        }
        var (last, samples) = (plan, try latents(plan))
        if let refiner {
            last = try refiner.starting(from: samples)
            samples = try latents(last)
        }
        let sampled = clock.now
        if decodes { samples = try last.pictures(of: samples, say: say) }
        let decoded = clock.now
        let receipt = try Receipt(
            plan, of: digests.record(), refining: refinerDigests.map { (last, try $0.record()) },
            decodes: decodes)
        let files = try output.write(samples, receipt: receipt)
        if json {
            try printJSON(
                RunSummary(
                    files: files, seed: receipt.seed, settings: receipt,
                    phases: ["load", "sample", "decode", "write"],
                    moments: [start, firstStep ?? start, sampled, decoded, clock.now]))
        }
        if let previewFailure {
            throw ResultError(description: "the preview was not written: \(previewFailure)")
        }
    }
}
