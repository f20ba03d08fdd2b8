import Layers
import Storage

extension CheckpointFamily {
    /// The class-conditional diffusion transformer.
    public static let diffusionTransformer = CheckpointFamily(
        "dit", pipeline: "DiTPipeline", parts: ["transformer", "vae"],
        marks: .tensors { tensors in
            tensors.has("blocks.0.adaLN_modulation.1.weight")
                && tensors.has("y_embedder.embedding_table.weight") && tensors.has("x_embedder.proj.weight")
        },
        networks: { names, _ in
            [(.transformer, .dit(blocks: TensorLayout.count(names, of: "blocks.")))]
        },
        configurations: { source in [.transformer: transformer(source), .scheduler: schedule] })

    /// A class-conditional diffusion transformer of the sizes in a file. Heads cannot be seen there: they are
    /// those of the sizes S, B, L and XL of the paper (arXiv:2212.09748, table 1). Of other widths nothing is
    /// guessed: the published heads do not fit them, which a load says.
    private static func transformer(_ source: any TensorSource) -> JSONObject {
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

    private static let schedule: JSONObject = [
        "_class_name": "DDIMScheduler", "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001,
        "clip_sample": false, "num_train_timesteps": 1000, "prediction_type": "epsilon",
        "set_alpha_to_one": true, "steps_offset": 0,
    ]
}
