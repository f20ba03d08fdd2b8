/// The control network of the code that introduced them (`cldm.py`), from which files of one network alone come: the way down and
/// the middle of a U-Net (`CompVisUNet`), convolutions over the picture, and one behind every feature.
/// Source: Zhang et al. 2023 (arXiv:2302.05543), and the names of its published files.
package struct CompVisControlNet {
    private let unet: CompVisUNet
    private let prefix: String
    /// Convolutions over the picture.
    private let hints: Int
    /// Features that the U-Net is given.
    private let outputs: Int

    /// The structure of a network whose names follow `control_model.` or nothing, nil where they are none of one.
    package init?(_ names: [String]) {
        let first = "input_hint_block.0.weight"
        guard let prefix = ["control_model.", ""].first(where: { names.contains($0 + first) }),
            let unet = CompVisUNet(names, prefix: prefix)
        else { return nil }
        let known = Set(names)
        (self.unet, self.prefix) = (unet, prefix)
        // Non-linearities stand between them.
        hints = (0...).first { !known.contains("\(prefix)input_hint_block.\(2 * $0).weight") } ?? 0
        outputs = TensorLayout.count(names, of: prefix + "zero_convs.")
    }

    /// The layout.
    package var layout: TensorLayout {
        let native = "controlnet_cond_embedding"
        let rows =
            (0..<hints).map { hint in
                let name = hint == 0 ? "conv_in" : hint == hints - 1 ? "conv_out" : "blocks.\(hint - 1)"
                return ("input_hint_block.\(2 * hint).*", "\(native).\(name).*")
            } + (0..<outputs).map { ("zero_convs.\($0).0.*", "controlnet_down_blocks.\($0).*") }
            + [("middle_block_out.0.*", "controlnet_mid_block.*")]
        // Where nothing begins all names, these are the network's.
        let scopes: Set = [
            "time_embed", "label_emb", "input_blocks", "middle_block", "middle_block_out", "zero_convs",
            "input_hint_block",
        ]
        // No level has queries, keys and values in one tensor.
        return unet.layout(
            prefix: prefix, heads: .byPart, scopes: prefix.isEmpty ? scopes : [],
            more: [(.whole, NameMap(rows))])
    }
}
