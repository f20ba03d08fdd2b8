import Layers
import Storage

extension CheckpointFamily {
    /// SwinIR, alone in its file: classical, lightweight and for real-world pictures. Its sizes follow from names and shapes;
    /// only that networks for JPEG compute in 0 … 255 does not, and is known by their windows of 7 pixels.
    /// Source: Liang et al. 2021 (arXiv:2108.10257), section 4.1 and the published files.
    public static let swinIR = CheckpointFamily(
        "swinir", pipeline: "PictureUpscalerPipeline", parts: ["upscaler"],
        marks: .tensors { tensors in
            tensors.has("layers.0.residual_group.blocks.0.attn.relative_position_bias_table")
                && tensors.has("conv_first.weight")
                && (tensors.has("conv_after_body.weight") || tensors.has("conv_after_body.0.weight"))
        },
        networks: { _, _ in
            [
                (
                    .upscaler,
                    TensorLayout(
                        prefix: "", scopes: swinScopes, [(.whole, ["*": "*"])],
                        setAside: [
                            (
                                "layers.{i}.residual_group.blocks.{j}.attn_mask",
                                "it follows from the size of the picture"
                            ),
                            (
                                "layers.{i}.residual_group.blocks.{j}.attn.relative_position_index",
                                "it follows from the size of the windows"
                            ),
                        ])
                )
            ]
        },
        configurations: { source in [.upscaler: SwinSizes(source).configuration] })

    private static let swinScopes: Set = [
        "conv_first", "patch_embed", "layers", "norm", "conv_after_body", "conv_before_upsample", "upsample",
        "conv_up1", "conv_up2", "conv_up3", "conv_hr", "conv_last",
    ]
}

/// What the names and shapes of a file show; without them the classical network of four times the size.
private struct SwinSizes {
    private let source: any TensorSource
    private let names: Set<String>

    init(_ source: any TensorSource) { (self.source, names) = (source, Set(source.names)) }

    private func extent(_ name: String, _ dimension: Int) -> Int? {
        source.shape(of: name).flatMap { $0.rank > dimension ? $0[dimension] : nil }
    }

    private func block(_ group: Int, _ index: Int) -> String {
        "layers.\(group).residual_group.blocks.\(index)"
    }

    private func count(_ name: (Int) -> String) -> Int { (0...).first { !names.contains(name($0)) } ?? 0 }

    private var upsampler: String {
        if names.contains("conv_up1.weight") { return "nearest+conv" }
        if names.contains("conv_before_upsample.0.weight") { return "pixelshuffle" }
        return names.contains("upsample.0.weight") ? "pixelshuffledirect" : ""
    }

    /// How many times larger the result is.
    private func scale(channels: Int, features: Int) -> Int {
        switch upsampler {
        case "nearest+conv": return 1 << count { "conv_up\($0 + 1).weight" }
        case "pixelshuffle":
            let first = extent("upsample.0.weight", 0) ?? features
            return first == 9 * features ? 3 : 1 << count { "upsample.\(2 * $0).weight" }
        case "pixelshuffledirect":
            let outputs = (extent("upsample.0.weight", 0) ?? 0) / max(channels, 1)
            return Int(Double(outputs).squareRoot().rounded())
        default: return 1
        }
    }

    var configuration: JSONObject {
        guard let width = extent("conv_first.weight", 0), let channels = extent("conv_first.weight", 1) else {
            return Self.classical
        }
        let groups = count { "\(block($0, 0)).norm1.weight" }
        let depths = (0..<groups).map { group in count { "\(block(group, $0)).norm1.weight" } }
        let table = "attn.relative_position_bias_table"
        let heads = (0..<groups).map { extent("\(block($0, 0)).\(table)", 1) ?? 1 }
        let places = extent("\(block(0, 0)).\(table)", 0) ?? 225
        let window = (Int(Double(places).squareRoot().rounded()) + 1) / 2
        let features = extent("conv_before_upsample.0.weight", 0) ?? 64
        return [
            "_class_name": "SwinIR", "in_chans": .integer(channels), "embed_dim": .integer(width),
            "depths": .array(depths.map(JSONValue.integer)),
            "num_heads": .array(heads.map(JSONValue.integer)), "window_size": .integer(window),
            "mlp_hidden": .integer(extent("\(block(0, 0)).mlp.fc1.weight", 0) ?? 2 * width),
            "upscale": .integer(scale(channels: channels, features: features)),
            "img_range": upsampler.isEmpty && window == 7 ? 255.0 : 1.0,
            "upsampler": .string(upsampler),
            "resi_connection": names.contains("conv_after_body.0.weight") ? "3conv" : "1conv",
            "num_feat": .integer(features),
            "patch_norm": .bool(names.contains("patch_embed.norm.weight")),
            "qkv_bias": .bool(names.contains("\(block(0, 0)).attn.qkv.bias")),
        ]
    }

    private static let classical: JSONObject = [
        "_class_name": "SwinIR", "in_chans": 3, "embed_dim": 180, "depths": [6, 6, 6, 6, 6, 6],
        "num_heads": [6, 6, 6, 6, 6, 6], "window_size": 8, "mlp_hidden": 360, "upscale": 4, "img_range": 1.0,
        "upsampler": "pixelshuffle", "resi_connection": "1conv", "num_feat": 64, "patch_norm": true,
        "qkv_bias": true,
    ]
}
