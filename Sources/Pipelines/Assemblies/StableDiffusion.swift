import Checkpoints
import Diffusers
import Diffusion
import Networks

/// Latents under one text encoder: Stable Diffusion 1 and 2.
/// Source: Rombach et al. 2022 (arXiv:2112.10752).
package struct StableDiffusion: TextAssembly {
    package static let classNames = tasks("StableDiffusion") + ["LatentConsistencyModelPipeline"]
    package static let family = "sd"
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualSteps(_ task: LatentTask) throws -> Int { try isLatentConsistency() ? 4 : 50 }
    package func usualGuidance(_ task: LatentTask) throws -> Double { try isLatentConsistency() ? 8.5 : 7.5 }

    package func scheduler(_ trained: SchedulerConfiguration, _ task: LatentTask, isConverted: Bool)
        -> SchedulerConfiguration
    {
        trained.correctedForStableDiffusion(inpaints: task.inpaints, converted: isConverted)
    }

    package func clips() -> [(component: ModelComponent, isProjected: Bool)] { [(.textEncoder, false)] }

    /// The last states, normed.
    package func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws
        -> [TextEmbedding]
    {
        try encoding.clip(prompts, .textEncoder, isProjected: false, leaving: 0)
    }
}
