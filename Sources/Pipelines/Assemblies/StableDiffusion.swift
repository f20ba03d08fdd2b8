import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage

/// Latents under one text encoder: Stable Diffusion 1 and 2.
/// Source: Rombach et al. 2022 (arXiv:2112.10752).
package struct StableDiffusion: TextAssembly {
    package static let classNames = tasks("StableDiffusion")
    package static let family = "sd"
    package static let reads: Set<RequestField> = [.controls, .guessMode, .imagePrompts]
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }
    package static func trainedIndex(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> JSONObject? {
        guard network == UNet2DCondition.self, isText else { return nil }
        let absent: JSONValue = [nil, nil]
        return [
            "_class_name": "StableDiffusionPipeline", "feature_extractor": absent, "image_encoder": absent,
            "safety_checker": absent, "requires_safety_checker": false,
        ]
    }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualGuidance(_ task: LatentTask) -> Double { 7.5 }

    package func scheduler(_ trained: SchedulerConfiguration, _ task: LatentTask, isConverted: Bool)
        -> SchedulerConfiguration
    {
        trained.correctedForStableDiffusion(inpaints: task.inpaints, converted: isConverted)
    }
}
