import Checkpoints
import Diffusion
import Networks
import Storage
import Tensors

/// Stable Diffusion 2 that changes a picture and is given how far away what it shows is, beside the latents.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.3, for conditions beside the latents; the depths are those of
/// Ranftl et al. 2021 (arXiv:2103.13413).
package struct StableDiffusionDepth: TextAssembly {
    package static let classNames = ["StableDiffusionDepth2ImgPipeline"]
    package static let family = "sd"
    package static let reads: Set<RequestField> = [.depth]
    package static let channelsBeside = 1
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualGuidance(_ task: LatentTask) -> Double { 7.5 }

    package func batchInputs(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> (
        (_ pictures: Range<Int>, _ noise: NoiseSource) throws -> BatchInputs
    )? {
        let depth = try stretched(depth(stage.request), like: stage.settings.sampleShape)
            .to(stage.settings.sampleType).to(model.device)
        return { _, _ in BatchInputs(beside: depth) }
    }

    /// The depths of a request, `[1, 1, height, width]`.
    private func depth(_ request: Request) throws -> Tensor {
        guard let depth = request.depth else {
            throw PipelineError(
                "\(name) is conditioned on depths, which are not estimated here: give \(.depth)")
        }
        try Request.check(initial: depth, .depth)
        guard depth.rank == 2, depth.shape.elementCount > 0 else {
            throw PipelineError("\(.depth) holds a tensor of shape \(depth.shape): give [height, width]")
        }
        return depth.to(.float32).unsqueezed(0).unsqueezed(0)
    }

    /// Depths at the size of latents `[channels, height, width]`, from −1, the least, to 1.
    private func stretched(_ depth: Tensor, like latents: Shape) throws -> Tensor {
        let small = depth.resizedBicubic(height: latents[1], width: latents[2])
        let (least, most) = (small.min(), small.max())
        guard try most.item(Float.self) > least.item(Float.self) else {
            throw PipelineError("\(.depth) is the same everywhere: give depths of what the picture shows")
        }
        return (small - least) * 2 / (most - least) - 1
    }

    package func checkConditions(of stage: LatentStage) throws {
        guard stage.task == .imageToImage else {
            throw PipelineError("\(name) changes a picture: give \(.reference)")
        }
        _ = try stretched(depth(stage.request), like: stage.settings.sampleShape)
        try checkTexts(of: stage)
    }
}
