import Checkpoints
import Diffusers
import Diffusion
import Networks
import Pictures
import Storage
import Tensors

/// Stable Diffusion's upscaler to four times the size: a text, and the picture with some noise on it beside the latents,
/// whose amount is a label of the U-Net.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 4.4; noise on the picture as a condition: Ho et al. 2022
/// (arXiv:2106.15282), section 4.
package struct StableDiffusionUpscaler: TextAssembly, EnlargingAssembly {
    package static let classNames = ["StableDiffusionUpscalePipeline"]
    package static let family = "sd"
    package static let reads: Set<RequestField> = [.noiseLevel]
    package static let labelsAreClasses = false
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualSteps(_ task: LatentTask) -> Int { 75 }
    package func usualGuidance(_ task: LatentTask) -> Double { 9 }
    package func usedNoiseLevel(_ request: Request) -> Int? { request.noiseLevel ?? 20 }

    // diffusers' pipeline puts this factor in place of whatever the autoencoder's configuration says.
    package func unscaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor {
        latents / 0.08333
    }

    // MARK: The picture

    /// Whole squares of one latent of the result, as diffusers' pipeline takes them.
    package func shownSize(of picture: Request.Size) throws -> Request.Size {
        let unit = model.pixelsPerLatent
        guard min(picture.height, picture.width) >= unit else {
            throw PipelineError(
                "\(.reference) has \(picture.width)×\(picture.height) pixels, and \(name) needs \(unit) a side at least: give a larger one"
            )
        }
        return .init(height: picture.height / unit * unit, width: picture.width / unit * unit)
    }

    package let shownFilter = ResizeFilter.bicubic

    package func batchInputs(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> (
        (_ pictures: Range<Int>, _ noise: NoiseSource) throws -> BatchInputs
    )? {
        let pictures = try shownPictures(stage, say)
        let (level, count) = (try pictureLevel(stage.request), stage.settings.count)
        let shape = Shape(Array(pictures.shape.extents.dropFirst()))
        var conditions: BranchConditions?
        if model.network.labels != nil {
            let label = Conditions(labels: stage.labelTensor([usedNoiseLevel(stage.request) ?? 0]))
            conditions = BranchConditions(wanted: label, unwanted: label, negative: label)
        }
        return { [conditions] range, noise in
            let shown = pictures.rows(of: range, among: count) * level.alpha
            return BatchInputs(
                beside: shown.adding(noise.draw(shape), scale: level.sigma), conditions: conditions)
        }
    }

    /// The level of the noise on the picture, by the schedule of its own.
    private func pictureLevel(_ request: Request) throws -> NoiseLevel {
        let source = model.source
        let scheduler = try source.configuration(of: .lowResolutionScheduler).schedule()
        let level = usedNoiseLevel(request) ?? 0
        let rows = model.network.labels?.count ?? scheduler.trainSteps
        let most = try min(
            source.setting("max_noise_level") ?? 350, scheduler.trainSteps - 1, rows - 1)
        guard (0...max(0, most)).contains(level) else {
            throw PipelineError("\(.noiseLevel) is \(level): \(name) knows levels from 0 to \(most)")
        }
        return scheduler.computed(in: model.elementType).schedule.level(at: Double(level))
    }

    // MARK: Conditions

    package func checkConditions(of stage: LatentStage) throws {
        _ = try pictureLevel(stage.request)
        try checkTexts(of: stage)
    }
}
