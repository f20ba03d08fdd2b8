import Layers
import Storage

extension CheckpointFamily {
    /// OpenAI's diffusion of pictures (iDDPM and guided diffusion), by class or without.
    ///
    /// The file is the network alone. Its sizes follow from the names and shapes; what they cannot show (heads, their order,
    /// the table of β) is that of the published networks of this size.
    /// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), tables 4 and 11; Nichol and Dhariwal 2021 (arXiv:2102.09672).
    public static let guidedDiffusion = denoiser("adm", inputs: 3, usual: [256, 256, 512, 512, 1024, 1024])

    /// A network of guided diffusion that enlarges pictures, recognized likewise.
    /// Source: same paper, appendix D.2.
    public static let guidedDiffusionUpsampler = denoiser(
        "adm-upsampler", inputs: 6, usual: [192, 192, 384, 384, 768, 768])

    /// - Parameters:
    ///   - inputs: the channels that networks take.
    ///   - usual: channels of the resolutions of the network of 256 pixels.
    private static func denoiser(_ name: String, inputs: Int, usual: [Int]) -> CheckpointFamily {
        let enlarges = inputs == 6
        return CheckpointFamily(
            name, pipeline: "DDPMPipeline", parts: ["unet"], caveats: [caveat],
            marks: .tensors { tensors in
                isOfPictures(tensors, inputs: inputs) && tensors.has("out.2.weight")
                    && !tensors.hasAny("transformer.")
            },
            networks: { names, heads in
                guard let unet = CompVisUNet(names, prefix: "") else { return [] }
                let known = ADMNetwork(unet, enlarges: enlarges)
                let order: CompVisUNet.HeadOrder =
                    known.isNewOrder ? .byPart : .byHead(heads ?? known.heads)
                return [(.unet, unet.layout(prefix: "", heads: order, scopes: pictureScopes))]
            },
            configurations: { source in
                let sizes = ADMSizes(source, enlarges: enlarges, usual: usual)
                return [.unet: network(sizes), .scheduler: schedule(sizes)]
            })
    }

    /// A classifier of noisy pictures that guides such a network, recognized likewise. Its heads are in the older order at
    /// every size, and those of its pool in the newer one.
    /// Source: same paper, section 4 and the flags of its classifiers.
    public static let guidedDiffusionClassifier = CheckpointFamily(
        "adm-classifier", pipeline: "NoisyClassifierPipeline", parts: ["classifier"],
        caveats: [caveat],
        marks: .tensors { tensors in
            isOfPictures(tensors, inputs: 3) && tensors.has("out.2.positional_embedding")
        },
        networks: { names, heads in
            guard let unet = CompVisUNet(names, prefix: "") else { return [] }
            let layout = unet.layout(
                prefix: "", heads: .byHead(heads ?? .width(headChannels)), scopes: pictureScopes,
                more: poolSections)
            return [(.classifier, layout)]
        },
        configurations: { source in
            let sizes = ADMSizes(source, usual: [128, 128, 256, 256, 512, 512])
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
        "heads, their order and the schedule are those of the published networks of this size"

    /// Whether a file is of a network of that code that takes so many channels.
    private static func isOfPictures(_ tensors: TensorNames, inputs: Int) -> Bool {
        tensors.has("time_embed.0.weight") && tensors.extent("input_blocks.0.0.weight", 1) == inputs
            && CompVisUNet(tensors.all, prefix: "") != nil
    }

    /// The first words of the names of such a U-Net.
    static let pictureScopes: Set = [
        "time_embed", "label_emb", "input_blocks", "middle_block", "output_blocks", "out",
    ]

    private static let headChannels = 64

    /// The configuration of diffusers' `UNet2DModel`, or of this project's `ADMUNet` where that class cannot describe it.
    private static func network(_ sizes: ADMSizes) -> JSONObject {
        let whole = unet(sizes)
        guard !sizes.isPlain else { return whole }
        var object: JSONObject = ["_class_name": "ADMUNet2D", "in_channels": 3]
        if sizes.timeFeatures != sizes.channels[0] { object["time_features"] = .integer(sizes.timeFeatures) }
        if sizes.network.times != 1000 { object["time_scale"] = .number(1000 / Double(sizes.network.times)) }
        if sizes.network.enlarges { object["low_resolution_factor"] = 4 }
        for key in sharedKeys + ["num_class_embeds", "out_channels", "up_block_types", "upsample_type"] {
            object[key] = whole[key]
        }
        if case .count(let count) = sizes.network.heads {
            object["num_attention_heads"] = .integer(count)
            object["attention_head_dim"] = .null
        }
        return object
    }

    /// The configuration of diffusers' `UNet2DModel` with all that it has of a network.
    private static func unet(_ sizes: ADMSizes) -> JSONObject {
        let resampling = sizes.network.isImproved ? "conv" : "resnet"
        let plain =
            sizes.network.isImproved
            ? ("DownBlock2D", "UpBlock2D") : ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D")
        return Published.join(
            Published.unet(
                "UNet2DModel",
                down: sizes.network.hasAttention.map { $0 ? "AttnDownBlock2D" : plain.0 },
                up: sizes.network.hasAttention.reversed().map { $0 ? "AttnUpBlock2D" : plain.1 },
                channels: sizes.channels, inputs: 3, sampleSize: sizes.network.side),
            [
                "attention_head_dim": .integer(headChannels), "attn_norm_num_groups": 32,
                "downsample_type": .string(resampling), "layers_per_block": .integer(sizes.layers),
                "num_class_embeds": sizes.classes.map(JSONValue.integer) ?? .null,
                "out_channels": .integer(sizes.outputs),
                "resnet_time_scale_shift": sizes.scalesByTime ? "scale_shift" : "default",
                "time_embedding_type": "positional", "upsample_type": .string(resampling),
            ])
    }

    /// The keys that networks of this project take from diffusers' configuration.
    private static let sharedKeys = [
        "act_fn", "attention_head_dim", "block_out_channels", "down_block_types", "downsample_padding",
        "downsample_type", "flip_sin_to_cos", "freq_shift", "layers_per_block", "norm_eps", "norm_num_groups",
        "resnet_time_scale_shift", "sample_size",
    ]

    /// The configuration of this project's `UNetClassifier`: the way down of the network, and its pool.
    private static func classifier(_ sizes: ADMSizes, _ classes: Int) -> JSONObject {
        let whole = unet(sizes)
        var object: JSONObject = [
            "_class_name": "UNetClassifier", "num_classes": .integer(classes), "pool": "attention",
        ]
        for key in sharedKeys + ["in_channels"] { object[key] = whole[key] }
        if sizes.timeFeatures != sizes.channels[0] {
            object["time_features"] = .integer(sizes.timeFeatures)
        }
        return object
    }

    /// The schedule that networks of this size were trained on; a variance is learned where there are channels for it.
    private static func schedule(_ sizes: ADMSizes) -> JSONObject {
        [
            "_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_start": 0.0001, "clip_sample": true,
            "beta_schedule": .string(sizes.network.isCosine ? "squaredcos_cap_v2" : "linear"),
            "num_train_timesteps": .integer(sizes.network.times), "prediction_type": "epsilon",
            "variance_type": .string(sizes.outputs == 6 ? "learned_range" : "fixed_large"),
        ]
    }
}
