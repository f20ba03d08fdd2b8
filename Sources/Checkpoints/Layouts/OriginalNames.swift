/// What the latent-diffusion code calls the parameters of the networks that come from it: its U-Net, its
/// autoencoders and its class embedder, whole, as its checkpoints hold them.
package struct OriginalNames {
    private let layout: TensorLayout

    /// The names for a network whose native names these are, nil where it is none of those.
    package init?(natives: [String]) {
        if let unet = CompVisUNet(natives: natives) {
            // The width of heads decides about values, and never about names.
            layout = unet.layout(prefix: "model.diffusion_model.", headWidth: 1)
        } else if let autoencoder = CompVisAutoencoder(natives: natives) {
            layout = autoencoder.layout(prefix: "first_stage_model.")
        } else if natives == ["embedding.weight"] {
            layout = TensorLayout(
                prefix: "cond_stage_model.", [(.whole, ["embedding.weight": "embedding.weight"])])
        } else {
            return nil
        }
    }

    /// The original name of a parameter, nil where there is none.
    package subscript(native: String) -> String? { layout.foreign(for: native)?.name }
}
