import Checkpoints
import Diffusers
import Diffusion
import Networks
import Pictures
import Storage
import Tensors

/// Latent diffusion that enlarges a picture four times: the picture lies beside the latents of a quantised autoencoder, and
/// nothing else is a condition.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 4.4.
package struct LatentSuperResolution: EnlargingAssembly {
    package static let classNames = ["LDMSuperResolutionPipeline"]
    package static let family = "ldm"
    package static let autoencoderComponent = ModelComponent.vqvae
    // diffusers' pipeline scales what the network is given as a whole.
    package static let scalesBeside = true
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2D.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualSteps(_ task: LatentTask) -> Int { 100 }

    // diffusers' pipeline does not scale latents.
    package func unscaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor {
        latents
    }

    package let shownFilter = ResizeFilter.lanczos

    package func shownSize(of picture: Request.Size) throws -> Request.Size {
        let multiple = max(32, sizeMultiple / model.pixelsPerLatent)
        guard picture.height % multiple == 0, picture.width % multiple == 0 else {
            func nearest(_ side: Int) -> Int { max(multiple, (side + multiple / 2) / multiple * multiple) }
            throw PipelineError(
                "\(.reference) has \(picture.width)×\(picture.height) pixels, and \(name) takes multiples of \(multiple): make it \(nearest(picture.width))×\(nearest(picture.height))"
            )
        }
        return picture
    }

    package func batchInputs(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> (
        (_ pictures: Range<Int>, _ noise: NoiseSource) throws -> BatchInputs
    )? {
        let (pictures, count) = (try shownPictures(stage, say), stage.settings.count)
        return { range, _ in BatchInputs(beside: pictures.rows(of: range, among: count)) }
    }

    package func conditions(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws
        -> BranchConditions
    {
        guard !stage.leavesUnconditional || stage.settings.guides.classifier != nil else {
            throw PipelineError("\(name) knows nothing to guide to: leave out \(.guidance)")
        }
        return BranchConditions(wanted: Conditions())
    }
}
