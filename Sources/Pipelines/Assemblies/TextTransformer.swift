import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage

/// Latents under one text encoder, by a transformer that reads its last states, normed, and the state at the end of the
/// text: what recipes train as `mmdit`. diffusers has no such class: Stable Diffusion 3's reads two projected encoders and
/// places for a third.
package struct TextTransformer: TextAssembly {
    package static let classNames = ["LangevinTextTransformerPipeline"]
    package static let family = "mmdit"
    package static let networkComponent = ModelComponent.transformer
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { MMDiT.self }
    package static func trainedIndex(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> JSONObject? {
        network == MMDiT.self && isText ? ["_class_name": .string(classNames[0])] : nil
    }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package static var readsInversions: Bool { false }

    package func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws
        -> [TextEmbedding]
    {
        try encoding.clip(prompts, .textEncoder, isProjected: false, leaving: 0, readsEnd: true)
    }

    package func textWidths(_ encoding: TextEncoding) throws -> (context: Int, pooled: Int)? {
        let width = try encoding.checkCLIP(clips()).context
        return (width, width)
    }
}
