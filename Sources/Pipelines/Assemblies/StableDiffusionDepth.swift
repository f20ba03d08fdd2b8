import Checkpoints
import Diffusion
import Networks
import Storage
import Tensors

/// Stable Diffusion 2 that changes a picture and is given how far away what it shows is, beside the latents: depths of the
/// request, or those that the model's own estimator finds in the picture.
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
        let depth = try stretched(depth(of: stage, say), like: stage.settings.sampleShape)
            .to(stage.settings.sampleType).to(model.device)
        return { _, _ in BatchInputs(beside: depth) }
    }

    /// The depths of a request, or of its picture, `[1, 1, height, width]`.
    private func depth(of stage: LatentStage, _ say: (Sentence) -> Void) throws -> Tensor {
        if let depth = stage.request.depth { return try checked(depth) }
        guard case .picture(let picture)? = stage.request.reference else { throw lacksPicture }
        let estimator = try model.source.build(
            DepthEstimator.self, .depthEstimator, elementType: model.elementType, on: model.device,
            prepares: false)
        let pixels = try PicturePreprocessing(model.source, for: estimator.configuration)
            .pixels(of: stage.request.opaque(picture, .reference, say))
        return estimator(pixels.to(model.elementType).to(model.device)).to(.float32).unsqueezed(1)
    }

    private var lacksPicture: PipelineError {
        PipelineError(
            "\(name) finds depths in a picture (.png .jpg .webp): give one as \(.reference), or \(.depth)")
    }

    /// The depths of a request.
    private func checked(_ depth: Tensor) throws -> Tensor {
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
            throw PipelineError(
                "depths are the same everywhere: give those of what the picture shows as \(.depth)")
        }
        return (small - least) * 2 / (most - least) - 1
    }

    package func checkConditions(of stage: LatentStage) throws {
        guard stage.task == .imageToImage else {
            throw PipelineError("\(name) changes a picture: give \(.reference)")
        }
        try checkTexts(of: stage)
        if let depth = stage.request.depth {
            _ = try stretched(checked(depth), like: stage.settings.sampleShape)
        } else {
            try checkEstimator(of: stage)
        }
    }

    private func checkEstimator(of stage: LatentStage) throws {
        guard case .picture? = stage.request.reference else { throw lacksPicture }
        guard try model.source.has(.depthEstimator) else {
            throw PipelineError(
                "\(name) is conditioned on depths, and has no estimator of them (depth_estimator): give \(.depth)"
            )
        }
        try model.source.check(DepthEstimator.self, .depthEstimator)
        let configuration = try model.source.explaining(.depthEstimator) {
            try DepthEstimator.configuration(model.source.configuration(of: .depthEstimator))
        }
        guard configuration.numChannels == 3 else {
            throw PipelineError(
                "\(model.source.path): depth_estimator looks at \(configuration.numChannels) channels, and pictures have 3 (num_channels)"
            )
        }
        _ = try PicturePreprocessing(model.source, for: configuration)
    }

    package func conditionParts(of stage: LatentStage) -> [ModelComponent] {
        [.textEncoder] + (stage.request.depth == nil ? [.depthEstimator] : [])
    }
}
