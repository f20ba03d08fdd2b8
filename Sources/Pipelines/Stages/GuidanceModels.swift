import Diffusion
import Networks
import Tensors

/// The denoiser of some pictures under some branches, which pass through the network together in their order.
package typealias BranchDenoisers = (
    _ pictures: Range<Int>, _ branches: [GuidanceBranch], _ inputs: BatchInputs
) -> Denoiser

/// A picture of which a part is made anew.
package struct KnownPicture {
    /// `[1, channels, height, width]`
    var data: Tensor
    /// 1 where it is made anew, `[1, 1, height, width]`.
    var mask: Tensor
}

/// What a batch is given that belongs to it alone, beside its samples.
package struct BatchInputs {
    /// Channels that are laid beside the sample, `[1 or pictures, …]`.
    var beside: Tensor?
    /// What the network is conditioned on beside the conditions of the whole stage, one row or one for each picture.
    var conditions: BranchConditions?
    /// A picture of which a part is made anew, for a network that takes it.
    var known: KnownPicture?
    /// Networks that control this one.
    var control: ControlledCalls?
}

/// Other models that have a part in the guidance of a stage.
struct GuidanceModels: Sendable {
    /// A worse version of the model, under the same conditions.
    var guide: (any Stage)?
    /// A classifier of noisy samples.
    var classifier: NoiseClassifier?
    /// A CLIP that knows noise.
    var similarity: NoisySimilarity?

    /// Begins with the digests of the files of each.
    /// - Throws: an error about files that cannot be opened.
    func digests() throws -> [GuideDigests] {
        let all: [(WritableKeyPath<Receipt, Receipt.Guide?>, ModelDigests?)] = try [
            (\.guide, guide?.digests(decodes: false)), (\.classifier, classifier?.digests()),
            (\.noisyCLIP, similarity?.digests()),
        ]
        return all.compactMap { place, digests in digests.map { (place, $0) } }
    }
}

/// The digests of a model that has a part in guidance, and where a receipt has it.
typealias GuideDigests = (place: WritableKeyPath<Receipt, Receipt.Guide?>, digests: ModelDigests)

extension StageSettings {
    /// Checks guidance, and opens the models that have a part in it.
    /// - Throws: `DiffusionError` that names an option; `PipelineError` where a model does not fit this one.
    mutating func addGuides() throws {
        try guidance.check(with: request.guidanceParts, on: sampler)
        guard guidance.rescale == 0 || prediction != nil else {
            throw PipelineError(
                "\(.guidanceRescale) acts on a network's prediction, and networks of a \(process.sampling.name) are preconditioned: leave it out"
            )
        }
        if let guide = request.guide {
            guard pictureShape == nil || guide.assembly is any StoredAssembly else {
                throw PipelineError(
                    "\(.guide): \(guide.name) makes points, and \(model) pictures: give a model of the same samples"
                )
            }
            let stages = try guide.assembly.stages(request.ofGuide(pictures: pictureShape, steps: steps))
            var stage = stages[0]
            guard stage.settings.sampleShape == sampleShape else {
                throw PipelineError(
                    "\(.guide): samples of \(guide.name) are \(stage.settings.sampleShape), and those of \(model) \(sampleShape): give a model of the same samples"
                )
            }
            stage.settings.sampler = sampler.forNetwork(of: stage.settings.process, on: process)
            // It reads the prompts of the same steps.
            (stage.settings.steps, stage.settings.skippedSteps) = (steps, skippedSteps)
            stage.settings.stepCount = stepCount
            guides.guide = stage
        }
        if let classifier = request.classifier {
            guides.classifier = try classifier.assembly.classifier(
                of: sampleShape, labels: labels ?? [], sampler: sampler, process: process)
        }
        if let clip = request.noisyCLIP {
            guard let prompts else {
                throw PipelineError(
                    "\(.noisyCLIP) compares pictures with a text, and \(model) is conditioned on none: leave it out"
                )
            }
            guides.similarity = try clip.assembly.similarity(
                to: prompts, of: sampleShape, sampler: sampler, process: process)
        }
    }

    /// Turns the run round: from data to the unit noise that leads to them.
    /// - Parameters:
    ///   - parameterization: what stands between samples and the network; `nil` for an exact model.
    ///   - scale: what unit noise is multiplied with at the start; the grid's where `nil`.
    /// - Throws: `DiffusionError` where the solver cannot climb.
    mutating func invert(_ parameterization: Parameterization?, scale: Double? = nil) throws {
        resultScale = scale ?? sampler.grid.startScale
        sampler = try sampler.inverted(parameterization)
    }

    /// The class of each picture for the classifier of a request, where it has one.
    static func classifierLabels(_ request: Request) throws -> [Int]? {
        guard let classifier = request.classifier, request.guidanceMethod?.reads.contains(.classifier) == true
        else { return nil }
        guard let count = classifier.assembly.classifiedCount else {
            throw PipelineError("\(.classifier): \(classifier.name) is no classifier of noisy samples")
        }
        return try request.labels(of: count, model: classifier.name)
    }
}

extension Stage {
    /// Loads the guided denoiser of some pictures.
    func guidedDenoisers(
        _ say: @escaping (Sentence) -> Void
    ) throws -> (_ pictures: Range<Int>, _ inputs: BatchInputs) -> Denoiser {
        try guided(denoisers(say), say)
    }

    /// The guided denoiser of some pictures, made of the model's own.
    func guided(
        _ own: @escaping BranchDenoisers, _ say: @escaping (Sentence) -> Void
    ) throws -> (_ pictures: Range<Int>, _ inputs: BatchInputs) -> Denoiser {
        guard settings.isGuided else { return { own($0, settings.branches, $1) } }
        let guide = try settings.guides.guide?.denoisers(say)
        return { pictures, inputs in
            var parts = GuidanceParts(prediction: settings.prediction ?? .noise) { own(pictures, $0, inputs) }
            parts.guide = guide?(pictures, [.conditional], inputs)
            parts.classifier = settings.guides.classifier?.logProbability(of: pictures)
            parts.similarity = settings.guides.similarity?.value(pictures)
            (parts.isInverse, parts.grid) = (settings.request.inverts, settings.sampler.grid)
            parts.movesMeans = settings.sampler.solver is DDPMSolver
            return settings.guidance.denoiser(parts)
        }
    }
}

extension Sampler {
    /// This sampler for a network of another process, which has its times from the log-SNR unless the times of the grid
    /// mean the same on its schedule.
    func forNetwork(of other: Process, on process: Process) -> Sampler {
        var sampler = self
        let isSame = grid.steps.allSatisfy { step in
            guard let time = step.from.time else { return true }
            let (one, two) = (process.schedule.level(at: time), other.schedule.level(at: time))
            return (one.alpha, one.sigma) == (two.alpha, two.sigma)
        }
        sampler.hasTimesOfProcess = hasTimesOfProcess && isSame
        return sampler
    }
}
