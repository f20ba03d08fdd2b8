import Layers
import Storage

extension CheckpointFamily {
    /// OpenAI's guided diffusion of pictures, by class or without.
    ///
    /// The file is the network alone. Its sizes follow from the names and shapes; what they cannot show is that of the
    /// published networks of 64, 128 and 256 pixels, whose levels are 4, 5 and 6: heads of 64 channels, in the newer order at
    /// 64 pixels, and the table of β, the cosine's there and linear elsewhere.
    /// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), tables 4 and 11, and the flags that their code publishes with the
    /// weights.
    public static let guidedDiffusion = CheckpointFamily(
        "adm", pipeline: "DDPMPipeline", parts: ["unet"],
        caveats: [caveat],
        marks: .tensors { tensors in
            isOfPictures(tensors) && tensors.has("out.2.weight") && !tensors.hasAny("transformer.")
        },
        networks: { names, _ in
            guard let unet = CompVisUNet(names, prefix: "") else { return [] }
            let heads: CompVisUNet.HeadOrder = isSmallest(unet) ? .byPart : .byHead(width: headChannels)
            return [(.unet, unet.layout(prefix: "", heads: heads, scopes: scopes))]
        },
        configurations: { source in
            let sizes = Sizes(source)
            return [.unet: network(sizes), .scheduler: schedule(sizes)]
        })

    /// A classifier of noisy pictures that guides such a network, recognized likewise. Its heads are in the older order at
    /// every size, and those of its pool in the newer one.
    /// Source: same paper, section 4 and the flags of its classifiers.
    public static let guidedDiffusionClassifier = CheckpointFamily(
        "adm-classifier", pipeline: "NoisyClassifierPipeline", parts: ["classifier"],
        caveats: [caveat],
        marks: .tensors { tensors in
            isOfPictures(tensors) && tensors.has("out.2.positional_embedding")
        },
        networks: { names, _ in
            guard let unet = CompVisUNet(names, prefix: "") else { return [] }
            let layout = unet.layout(
                prefix: "", heads: .byHead(width: headChannels), scopes: scopes, more: poolSections)
            return [(.classifier, layout)]
        },
        configurations: { source in
            let sizes = Sizes(source, usual: [128, 128, 256, 256, 512, 512])
            let classes = source.shape(of: "out.2.c_proj.weight")?.first ?? 1000
            return [.classifier: classifier(sizes, classes), .scheduler: schedule(sizes)]
        })

    /// The pool over all places: queries, keys and values in one tensor, a place a column.
    private static let poolSections: [TensorLayout.Section] =
        [
            (.transposed, ["out.2.positional_embedding": "pool.positional_embedding"]),
            (.matrix, ["out.2.c_proj.weight": "pool.to_out.0.weight"]),
            (.whole, ["out.2.c_proj.bias": "pool.to_out.0.bias"]),
        ]
        + ["to_q", "to_k", "to_v"].enumerated().flatMap { index, name -> [TensorLayout.Section] in
            [
                (.matrixPart(index), NameMap([("out.2.qkv_proj.weight", "pool.\(name).weight")])),
                (.part(index, of: 3), NameMap([("out.2.qkv_proj.bias", "pool.\(name).bias")])),
            ]
        }

    /// What names and shapes cannot show.
    private static let caveat =
        "heads of 64 channels, their order and the schedule are those of the published networks of this size"

    /// Whether a file is of a network of that code that halves by residual blocks and takes a picture alone.
    private static func isOfPictures(_ tensors: TensorNames) -> Bool {
        tensors.has("time_embed.0.weight") && tensors.extent("input_blocks.0.0.weight", 1) == 3
            && CompVisUNet(tensors.all, prefix: "")?.resampling == .residual
    }

    private static let scopes: Set = [
        "time_embed", "label_emb", "input_blocks", "middle_block", "output_blocks", "out",
    ]

    private static let headChannels = 64

    /// Whether a network is the one of 64 pixels.
    private static func isSmallest(_ unet: CompVisUNet) -> Bool { unet.attentions.count == 4 }

    /// What the names and shapes of a file show; without them that of the network of 256 pixels.
    private struct Sizes {
        var channels: [Int]
        var hasAttention = [false, false, false, true, true, true]
        var layers = 2
        var outputs = 6
        var classes: Int? = 1000
        var scalesByTime = true

        /// - Parameter usual: the channels of the network of 256 pixels.
        init(_ source: any TensorSource, usual: [Int] = [256, 256, 512, 512, 1024, 1024]) {
            channels = usual
            guard let unet = CompVisUNet(source.names, prefix: "") else { return }
            func rows(_ name: String) -> Int? { source.shape(of: name)?.first }
            layers = unet.layersPerBlock
            hasAttention = unet.attentions.map { $0 != .none }
            channels = unet.attentions.indices.map { level in
                rows("input_blocks.\(1 + level * (unet.layersPerBlock + 1)).0.out_layers.3.weight") ?? 0
            }
            outputs = rows("out.2.weight") ?? 3
            classes = rows("label_emb.weight")
            scalesByTime = rows("input_blocks.1.0.emb_layers.1.weight") == 2 * channels[0]
        }
    }

    /// The configuration of diffusers' `UNet2DModel`.
    private static func network(_ sizes: Sizes) -> JSONObject {
        Published.join(
            Published.unet(
                "UNet2DModel",
                down: sizes.hasAttention.map { $0 ? "AttnDownBlock2D" : "ResnetDownsampleBlock2D" },
                up: sizes.hasAttention.reversed().map { $0 ? "AttnUpBlock2D" : "ResnetUpsampleBlock2D" },
                channels: sizes.channels, inputs: 3, sampleSize: 4 << sizes.channels.count),
            [
                "attention_head_dim": .integer(headChannels), "attn_norm_num_groups": 32,
                "downsample_type": "resnet", "layers_per_block": .integer(sizes.layers),
                "num_class_embeds": sizes.classes.map(JSONValue.integer) ?? .null,
                "out_channels": .integer(sizes.outputs),
                "resnet_time_scale_shift": sizes.scalesByTime ? "scale_shift" : "default",
                "time_embedding_type": "positional", "upsample_type": "resnet",
            ])
    }

    /// The configuration of this project's `UNetClassifier`: the way down of the network, and its pool.
    private static func classifier(_ sizes: Sizes, _ classes: Int) -> JSONObject {
        let whole = network(sizes)
        let kept = [
            "act_fn", "attention_head_dim", "block_out_channels", "down_block_types", "downsample_padding",
            "downsample_type", "flip_sin_to_cos", "freq_shift", "in_channels", "layers_per_block", "norm_eps",
            "norm_num_groups", "resnet_time_scale_shift", "sample_size",
        ]
        var object: JSONObject = [
            "_class_name": "UNetClassifier", "num_classes": .integer(classes), "pool": "attention",
        ]
        for key in kept { object[key] = whole[key] }
        return object
    }

    /// The schedule that networks of this size were trained on; a variance is learned where there are channels for it.
    private static func schedule(_ sizes: Sizes) -> JSONObject {
        [
            "_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_start": 0.0001, "clip_sample": true,
            "beta_schedule": .string(sizes.channels.count == 4 ? "squaredcos_cap_v2" : "linear"),
            "num_train_timesteps": 1000, "prediction_type": "epsilon",
            "variance_type": .string(sizes.outputs == 6 ? "learned_range" : "fixed_large"),
        ]
    }
}
