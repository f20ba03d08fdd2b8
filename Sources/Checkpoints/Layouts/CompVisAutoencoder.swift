/// The autoencoders of the latent-diffusion and VQGAN code: levels of the decoder counted from the highest
/// resolution, attention as convolutions of extent 1.
package struct CompVisAutoencoder {
    /// The number of resolutions.
    let levels: Int

    /// The structure of an autoencoder whose names follow `prefix`, nil where they are none of one.
    package init?(_ names: some Sequence<String>, prefix: String) {
        let names = Set(names.lazy.filter { $0.hasPrefix(prefix) })
        var levels = 0
        while names.contains("\(prefix)encoder.down.\(levels).block.0.norm1.weight") { levels += 1 }
        guard levels > 0 else { return nil }
        self.levels = levels
    }

    /// The structure of an autoencoder under the names of diffusers, nil where they are none of one.
    package init?(natives: some Sequence<String>) {
        levels = TensorLayout.count(natives, of: "encoder.down_blocks.")
        guard levels > 0 else { return nil }
    }

    /// The layout, with the code book of quantised models and without losses.
    package func layout(prefix: String) -> TensorLayout {
        var rows: [(String, String)] = [
            ("encoder.norm_out.*", "encoder.conv_norm_out.*"),
            ("decoder.norm_out.*", "decoder.conv_norm_out.*"),
            ("quantize.embedding.weight", "quantize.embedding.weight"),
        ]
        for name in ["encoder.conv_in", "encoder.conv_out", "decoder.conv_in", "decoder.conv_out"] {
            rows.append(("\(name).*", "\(name).*"))
        }
        for name in ["quant_conv", "post_quant_conv"] { rows.append(("\(name).*", "\(name).*")) }
        var attentions: [(String, String)] = []
        for side in ["encoder", "decoder"] {
            for block in 0...1 {
                rows += residual("\(side).mid.block_\(block + 1)", "\(side).mid_block.resnets.\(block)")
            }
            attentions.append(("\(side).mid.attn_1", "\(side).mid_block.attentions.0"))
        }
        for level in 0..<levels {
            let (down, up) = ("encoder.down_blocks.\(level)", "decoder.up_blocks.\(levels - 1 - level)")
            for (foreign, native) in [("encoder.down.\(level)", down), ("decoder.up.\(level)", up)] {
                rows += residual("\(foreign).block.{i}", "\(native).resnets.{i}")
                attentions.append(("\(foreign).attn.{i}", "\(native).attentions.{i}"))
            }
            rows.append(("encoder.down.\(level).downsample.conv.*", "\(down).downsamplers.0.conv.*"))
            rows.append(("decoder.up.\(level).upsample.conv.*", "\(up).upsamplers.0.conv.*"))
        }
        rows += attentions.map { ("\($0).norm.*", "\($1).group_norm.*") }
        let parts = [("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")]
        let products = attentions.flatMap { foreign, native in
            parts.map { ("\(foreign).\($0)", "\(native).\($1)") }
        }
        rows += products.map { ("\($0).bias", "\($1).bias") }
        let matrices = products.map { ("\($0).weight", "\($1).weight") }
        return TensorLayout(
            prefix: prefix, [(.whole, NameMap(rows)), (.matrix, NameMap(matrices))],
            setAside: [
                ("loss.*", "it belongs to the loss of training"),
                ("colorize", "it belongs to displays of training"),
                ("model_ema.*", "it is a moving average of training"),
            ])
    }

    private func residual(_ foreign: String, _ native: String) -> [(String, String)] {
        [
            ("\(foreign).nin_shortcut.*", "\(native).conv_shortcut.*"),
            ("\(foreign).norm1.*", "\(native).norm1.*"),
            ("\(foreign).conv1.*", "\(native).conv1.*"), ("\(foreign).norm2.*", "\(native).norm2.*"),
            ("\(foreign).conv2.*", "\(native).conv2.*"),
        ]
    }
}
