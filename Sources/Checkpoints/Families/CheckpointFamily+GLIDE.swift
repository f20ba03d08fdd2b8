import Layers
import Storage

/// What sets the published networks of GLIDE apart: the picture that is enlarged and the one that is painted anew are laid
/// beside the noisy one.
private struct GLIDENetwork {
    /// The name of the family.
    let name: String
    /// Channels that the network takes.
    let inputs: Int
    /// Whether it enlarges a smaller picture.
    let enlarges: Bool
    /// Whether it is given a picture of which a part is hidden.
    let inpaints: Bool

    /// Channels and residual blocks of its resolutions where there is no file.
    var usual: (channels: [Int], layers: Int) {
        enlarges ? ([192, 192, 384, 384, 768, 768], 2) : ([192, 384, 576, 768], 3)
    }

    /// Whether its samples are drawn by DDIM: that which enlarges without inpainting. All others are drawn by DDPM.
    var isImplicit: Bool { enlarges && !inpaints }
}

extension CheckpointFamily {
    /// GLIDE's network of 64 pixels under a text.
    ///
    /// The file is the network with its text transformer; the merges of its tokenizer, those of GPT-2, are a file of their own.
    /// Its sizes follow from the names and shapes; what they cannot show is that of the published networks.
    /// Source: Nichol et al. 2021 (arXiv:2112.10741), and the flags and notebooks that are published with the weights.
    public static let glide = glide(.init(name: "glide", inputs: 3, enlarges: false, inpaints: false))

    /// The same network, which paints a hidden part of a picture anew.
    public static let glideInpainting = glide(
        .init(name: "glide-inpainting", inputs: 7, enlarges: false, inpaints: true))

    /// GLIDE's network from 64 to 256 pixels.
    public static let glideUpsampler = glide(
        .init(name: "glide-upsampler", inputs: 6, enlarges: true, inpaints: false))

    /// The same network, which paints a hidden part of a picture anew.
    public static let glideInpaintingUpsampler = glide(
        .init(name: "glide-inpainting-upsampler", inputs: 10, enlarges: true, inpaints: true))

    private static func glide(_ kind: GLIDENetwork) -> CheckpointFamily {
        CheckpointFamily(
            kind.name, pipeline: "DDPMPipeline", parts: ["unet"], card: card(kind),
            caveats: [
                "heads of 64 channels, the schedule and how it is sampled are those of the published networks"
            ],
            marks: .tensors { tensors in
                tensors.has("transformer.resblocks.0.attn.c_qkv.weight") && tensors.has("padding_embedding")
                    && tensors.extent("input_blocks.0.0.weight", 1) == kind.inputs
                    && CompVisUNet(tensors.all, prefix: "")?.readsText == true
            },
            networks: { names, heads in
                guard let unet = CompVisUNet(names, prefix: "") else { return [] }
                let layout = unet.layout(
                    prefix: "", heads: .byHead(heads ?? .width(headWidth)),
                    scopes: pictureScopes.union(textScopes), more: [(.whole, textNames)])
                return [(.unet, layout)]
            },
            configurations: { source in
                [.unet: network(kind, source), .scheduler: schedule(kind)]
            })
    }

    /// Channels of a head, in the U-Net and in the text transformer.
    private static let headWidth = 64

    /// The first words of the names of the text transformer.
    private static let textScopes: Set = [
        "transformer", "final_ln", "token_embedding", "positional_embedding", "padding_embedding",
        "transformer_proj",
    ]

    /// The text transformer has the published names here, too.
    private static let textNames = NameMap(
        [
            "transformer.resblocks.{i}.*", "final_ln.*", "token_embedding.weight", "positional_embedding",
            "padding_embedding", "transformer_proj.*",
        ].map { ($0, $0) })

    private static func network(_ kind: GLIDENetwork, _ source: any TensorSource) -> JSONObject {
        let sizes = ADMSizes(
            source, enlarges: kind.enlarges, usual: kind.usual.channels, usualLayers: kind.usual.layers)
        let attends = sizes.network.hasAttention
        func extent(_ name: String, _ dimension: Int, or usual: Int) -> JSONValue {
            .integer(source.shape(of: name).flatMap { $0.rank > dimension ? $0[dimension] : nil } ?? usual)
        }
        let layers = TensorLayout.count(Set(source.names), of: "transformer.resblocks.")
        let width = source.shape(of: "positional_embedding")?.extents.last ?? 512
        return [
            "_class_name": "GLIDEUNet2D", "act_fn": "silu", "attention_head_dim": .integer(headWidth),
            "block_out_channels": .array(sizes.channels.map(JSONValue.integer)),
            "down_block_types": .array(
                attends.map { $0 ? "SimpleCrossAttnDownBlock2D" : "ResnetDownsampleBlock2D" }),
            "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 3, "inpaints": .bool(kind.inpaints),
            "layers_per_block": .integer(sizes.layers),
            "low_resolution_factor": kind.enlarges ? 4 : .null, "norm_eps": 1e-5, "norm_num_groups": 32,
            "out_channels": .integer(sizes.outputs),
            "resnet_time_scale_shift": sizes.scalesByTime ? "scale_shift" : "default",
            "sample_size": .integer(sizes.network.side),
            "text_ctx": extent("positional_embedding", 0, or: 128),
            "up_block_types": .array(
                attends.reversed().map { $0 ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D" }),
            "vocab_size": extent("token_embedding.weight", 0, or: 50_257),
            "xf_heads": .integer(max(1, width / headWidth)), "xf_layers": .integer(layers > 0 ? layers : 16),
            "xf_width": .integer(width),
        ]
    }

    /// The schedule that a network was trained on; its variance is learned, and DDIM has no use for it.
    private static func schedule(_ kind: GLIDENetwork) -> JSONObject {
        var object: JSONObject = [
            "_class_name": kind.isImplicit ? "DDIMScheduler" : "DDPMScheduler", "beta_end": 0.02,
            "beta_schedule": kind.enlarges ? "linear" : "squaredcos_cap_v2", "beta_start": 0.0001,
            "clip_sample": true, "num_train_timesteps": 1000, "prediction_type": "epsilon",
            "timestep_spacing": "linspace",
        ]
        if !kind.isImplicit { object["variance_type"] = "learned_range" }
        return object
    }

    /// How the published notebooks draw samples.
    private static func card(_ kind: GLIDENetwork) -> JSONObject {
        guard kind.enlarges else {
            return [
                "exact_tables": true, "guidance": kind.inpaints ? 5 : 3, "recompute_noise": true,
                "steps": 100,
            ]
        }
        return [
            "exact_tables": true, "grid": "fast27", "recompute_noise": true,
            "solver": kind.isImplicit ? "ddim" : "ddpm",
            "steps": 27, "temperature": 0.997,
        ]
    }
}
