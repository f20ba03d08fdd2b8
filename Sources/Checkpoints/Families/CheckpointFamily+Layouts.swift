import Layers

extension CheckpointFamily {
    /// The components of the family that have tensors, each with its layout in a file of these names; those
    /// that the file leaves out are left out.
    /// - Parameter headWidth: the width of a head where a U-Net keeps queries, keys and values in one tensor.
    package func layouts(_ names: [String], headWidth: Int = Self.headWidth)
        -> [(component: ModelComponent, layout: TensorLayout)]
    {
        switch self {
        case .stableDiffusion1, .stableDiffusion1Inpainting:
            return compVis(names)
                + text(names, .textEncoder, "cond_stage_model.transformer.") {
                    .clipText(prefix: $0, projection: .absent)
                }
        case .stableDiffusion2, .stableDiffusion2Inpainting, .upscaler4:
            return compVis(names)
                + text(names, .textEncoder, "cond_stage_model.model.") {
                    .openCLIPText(prefix: $0, projection: .absent, unusedBlock: 23)
                }
        case .stableDiffusionXL:
            return compVis(names)
                + text(names, .textEncoder, "conditioner.embedders.0.transformer.") {
                    .clipText(prefix: $0, projection: .absent)
                }
                + text(names, .textEncoder2, "conditioner.embedders.1.model.") {
                    .openCLIPText(prefix: $0, projection: .kept)
                }
        case .stableDiffusionXLRefiner:
            return compVis(names)
                + text(names, .textEncoder2, "conditioner.embedders.0.model.") {
                    .openCLIPText(prefix: $0, projection: .kept)
                }
        case .stableDiffusion3Medium, .stableDiffusion35Medium, .stableDiffusion35Large:
            return stableDiffusion3(names)
        case .latentDiffusionVQ4: return compVis(names, .vqvae, headWidth: headWidth)
        case .latentDiffusionVQ8:
            return compVis(names, .vqvae)
                + text(names, .classEmbedder, "cond_stage_model.") {
                    TensorLayout(prefix: $0, [(.whole, ["embedding.weight": "embedding.weight"])])
                }
        case .diffusionTransformer:
            return [(.transformer, .dit(blocks: TensorLayout.count(names, of: "blocks.")))]
        }
    }

    private typealias Layouts = [(component: ModelComponent, layout: TensorLayout)]

    /// The width of heads in the published U-Nets that keep queries, keys and values in one tensor.
    package static let headWidth = 32

    private func compVis(
        _ names: [String], _ autoencoder: ModelComponent = .vae, headWidth: Int = Self.headWidth
    ) -> Layouts {
        var layouts: Layouts = []
        let prefix = "model.diffusion_model."
        if let unet = CompVisUNet(names, prefix: prefix) {
            layouts.append((.unet, unet.layout(prefix: prefix, headWidth: headWidth)))
        }
        return layouts + self.autoencoder(names, autoencoder)
    }

    private func autoencoder(_ names: [String], _ component: ModelComponent) -> Layouts {
        for prefix in ["first_stage_model.", "vae."] {
            if let found = CompVisAutoencoder(names, prefix: prefix) {
                return [(component, found.layout(prefix: prefix))]
            }
        }
        return []
    }

    private func text(
        _ names: [String], _ component: ModelComponent, _ prefix: String, _ layout: (String) -> TensorLayout
    ) -> Layouts {
        names.contains { $0.hasPrefix(prefix) } ? [(component, layout(prefix))] : []
    }

    private func stableDiffusion3(_ names: [String]) -> Layouts {
        let isWrapped = names.contains { $0.hasPrefix("model.diffusion_model.") }
        let prefix = isWrapped ? "model.diffusion_model." : ""
        let blocks = TensorLayout.count(names, of: prefix + "joint_blocks.")
        let transformer = TensorLayout.sd3Transformer(prefix: prefix, blocks: blocks)
        return [(.transformer, transformer)] + (isWrapped ? autoencoder(names, .vae) : [])
            + text(names, .textEncoder, "text_encoders.clip_l.") {
                .clipText(prefix: $0 + "transformer.", projection: .identity)
            }
            + text(names, .textEncoder2, "text_encoders.clip_g.") {
                .clipText(prefix: $0 + "transformer.", projection: .kept)
            }
            + text(names, .textEncoder3, "text_encoders.t5xxl.") { .t5Encoder(prefix: $0 + "transformer.") }
    }
}
