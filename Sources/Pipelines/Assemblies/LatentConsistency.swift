import Checkpoints
import Networks

/// Latents under one text encoder, by a network distilled to few steps that is conditioned on the scale of guidance.
/// Source: Luo et al. 2023 (arXiv:2310.04378).
package struct LatentConsistency: TextAssembly {
    package static let classNames = ["", "Img2Img"].map { "LatentConsistencyModel\($0)Pipeline" }
    package static let family = "sd"
    package static let reads: Set<RequestField> = [.imagePrompts]
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualSteps(_ task: LatentTask) -> Int { 4 }
    package func usualGuidance(_ task: LatentTask) -> Double { 8.5 }
}
