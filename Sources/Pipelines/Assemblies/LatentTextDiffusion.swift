import Checkpoints
import Diffusers
import Diffusion
import Networks
import Tensors

/// Latents under a text, by the text-to-image model of latent diffusion: a transformer over BERT's word pieces, trained with
/// the U-Net.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 4.3.1.
package struct LatentTextDiffusion: TextAssembly {
    package static let classNames = ["LDMTextToImagePipeline"]
    package static let family = "ldm"
    package static let autoencoderComponent = ModelComponent.vqvae
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    // diffusers' pipeline leaves out the scheduler's scale.
    package func start(_ unit: Tensor, _ sampler: Sampler) -> Tensor { unit }

    // MARK: Text

    private static let length = 77

    package static var readsInversions: Bool { false }
    package func clips() -> [(component: ModelComponent, isProjected: Bool)] { [] }
    package func conditionParts(of stage: LatentStage) -> [ModelComponent] { [.bert] }

    package func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws
        -> [TextEmbedding]
    {
        try encoding.bert(prompts, .bert, length: Self.length)
    }

    package func textWidths(_ encoding: TextEncoding) throws -> (context: Int, pooled: Int)? {
        (try encoding.checkBERT(.bert, length: Self.length), 0)
    }
}
