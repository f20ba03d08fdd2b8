import Checkpoints
import Networks
import Tensors

/// Latents under two text encoders, sizes and crops; the refiner has the second encoder only.
/// Source: Podell et al. 2023 (arXiv:2307.01952).
package struct StableDiffusionXL: TextAssembly {
    package static let classNames = tasks("StableDiffusionXL")
    package static let family = "sdxl"
    package static let takesSizes = true
    package static let reads: Set<RequestField> = [.controls, .guessMode, .imagePrompts]
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualGuidance(_ task: LatentTask) -> Double { task.inpaints ? 7.5 : 5 }

    // diffusers' pipeline that inpaints takes no moments off.
    package func scaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor {
        task.inpaints ? latents * scaling.factor : scaling.scaled(latents)
    }

    // MARK: Text

    package func clips() throws -> [(component: ModelComponent, isProjected: Bool)] {
        try (model.source.has(.textEncoder) ? [(.textEncoder, false)] : []) + [(.textEncoder2, true)]
    }

    package func zeroesUnwanted() throws -> Bool {
        try model.source.setting("force_zeros_for_empty_prompt") ?? !model.source.isRefiner
    }

    /// The last states but one of both encoders side by side, and the second one's projected text.
    package func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws
        -> [TextEmbedding]
    {
        let first =
            try model.source.has(.textEncoder)
            ? encoding.clip(prompts, .textEncoder, isProjected: false) : nil
        let second = try encoding.clip(prompts, .textEncoder2, isProjected: true)
        return prompts.indices.map { index in
            let parts = [first?[index].context, second[index].context].compactMap(\.self)
            return TextEmbedding(context: concatenated(parts, along: -1), pooled: second[index].pooled)
        }
    }

    // MARK: Numbers

    /// Whether the U-Net is conditioned on an aesthetic score in place of the target size: a refiner that changes a
    /// picture. From a text alone it makes pictures as the base does.
    func readsAestheticScore(_ task: LatentTask) throws -> Bool {
        try task != .text && model.source.isRefiner
    }

    /// Original size, crop, and target size or score.
    package func numbers(of stage: LatentStage, isUnwanted: Bool) throws -> [Double]? {
        let request = stage.settings.request
        let original = request.originalSize ?? stage.size
        let target = request.targetSize ?? stage.size
        let sizes = [Double(original.height), Double(original.width)]
        let crop = [Double(request.crop.top), Double(request.crop.left)]
        guard try readsAestheticScore(stage.task) else {
            return sizes + crop + [Double(target.height), Double(target.width)]
        }
        return isUnwanted
            ? sizes + [0, 0, request.aestheticScores.unwanted]
            : sizes + crop + [request.aestheticScores.wanted]
    }
}
