/// The layouts of networks that several families have in common.
enum NetworkLayouts {
    /// A U-Net of the latent-diffusion code and its autoencoder.
    static func compVis(
        _ names: [String], _ autoencoder: ModelComponent = .vae, heads: HeadSplit? = nil
    ) -> CheckpointFamily.Layouts {
        let prefix = "model.diffusion_model."
        let unet = CompVisUNet(names, prefix: prefix).map { unet in
            let heads = heads ?? CheckpointFamily.heads
            return [
                (component: ModelComponent.unet, layout: unet.layout(prefix: prefix, heads: .byHead(heads)))
            ]
        }
        return (unet ?? []) + self.autoencoder(names, autoencoder)
    }

    static func autoencoder(_ names: [String], _ component: ModelComponent) -> CheckpointFamily.Layouts {
        for prefix in ["first_stage_model.", "vae."] {
            if let found = CompVisAutoencoder(names, prefix: prefix) {
                return [(component, found.layout(prefix: prefix))]
            }
        }
        return []
    }

    /// An encoder, where the file has names with its prefix.
    static func encoder(
        _ names: [String], _ component: ModelComponent, _ prefix: String, _ layout: (String) -> TensorLayout
    ) -> CheckpointFamily.Layouts {
        names.contains { $0.hasPrefix(prefix) } ? [(component, layout(prefix))] : []
    }
}
