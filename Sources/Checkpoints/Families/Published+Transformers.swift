import Layers
import Storage

extension Published {
    /// The components of Stable Diffusion 3.
    static func sd3(
        layers: Int, heads: Int, positions: Int, dual: [Int] = [], normalizesQueries: Bool = false
    ) -> [ModelComponent: JSONObject] {
        let transformer: JSONObject = [
            "_class_name": "SD3Transformer2DModel", "attention_head_dim": 64,
            "caption_projection_dim": .integer(64 * heads),
            "dual_attention_layers": .array(dual.map(JSONValue.integer)), "in_channels": 16,
            "joint_attention_dim": 4096, "num_attention_heads": .integer(heads),
            "num_layers": .integer(layers),
            "out_channels": 16, "patch_size": 2, "pooled_projection_dim": 2048,
            "pos_embed_max_size": .integer(positions), "qk_norm": normalizesQueries ? "rms_norm" : .null,
            "sample_size": 128,
        ]
        return [
            .transformer: transformer, .vae: sd3Autoencoder, .textEncoder: clipLarge(hasProjection: true),
            .textEncoder2: openCLIPBigG, .textEncoder3: t5XXL,
            .scheduler: [
                "_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0,
            ],
        ]
    }

    /// A class-conditional diffusion transformer of the sizes in a file. Heads cannot be seen there: they are
    /// those of the sizes S, B, L and XL of the paper (arXiv:2212.09748, table 1). Of other widths nothing is
    /// guessed: the published heads do not fit them, which a load says.
    static func dit(_ source: any TensorSource) -> JSONObject {
        let patch = source.shape(of: "x_embedder.proj.weight")
        let width = patch?.first ?? 1152
        let (channels, side) = (patch.map { $0.rank == 4 ? $0[1] : 4 } ?? 4, patch?.last ?? 2)
        let outputs = source.shape(of: "final_layer.linear.weight")?.first ?? 2 * channels * side * side
        let classes = (source.shape(of: "y_embedder.embedding_table.weight")?.first ?? 1001) - 1
        let positions = source.shape(of: "pos_embed").map { $0.rank == 3 ? $0[1] : 256 } ?? 256
        let (heads, headWidth) = [384: (6, 64), 768: (12, 64), 1024: (16, 64)][width] ?? (16, 72)
        let blocks = TensorLayout.count(source.names, of: "blocks.")
        return [
            "_class_name": "DiTTransformer2DModel", "activation_fn": "gelu-approximate",
            "attention_bias": true, "attention_head_dim": .integer(headWidth),
            "in_channels": .integer(channels), "norm_elementwise_affine": false, "norm_eps": 1e-5,
            "norm_num_groups": 32, "norm_type": "ada_norm_zero", "num_attention_heads": .integer(heads),
            "num_embeds_ada_norm": .integer(classes), "num_layers": .integer(blocks),
            "out_channels": .integer(outputs / max(side * side, 1)), "patch_size": .integer(side),
            "sample_size": .integer(Int(Double(positions).squareRoot().rounded()) * side),
        ]
    }
}
