import Checkpoints
import Diffusers
import Diffusion
import Networks

/// Latents under one text encoder: Stable Diffusion 1 and 2.
/// Source: Rombach et al. 2022 (arXiv:2112.10752).
package struct StableDiffusion: TextAssembly {
    package static let classNames = tasks("StableDiffusion")
    package static let family = "sd"
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualGuidance(_ task: LatentTask) -> Double { 7.5 }

    package func scheduler(_ trained: SchedulerConfiguration, _ task: LatentTask, isConverted: Bool)
        -> SchedulerConfiguration
    {
        trained.correctedForStableDiffusion(inpaints: task.inpaints, converted: isConverted)
    }
}
