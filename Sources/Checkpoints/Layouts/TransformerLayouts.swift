// Diffusion transformers in single files.

extension TensorLayout {
    /// The transformer of Stable Diffusion 3 (`mmdit.py`) as diffusers' `SD3Transformer2DModel`.
    ///
    /// The network's last block reads its texts' modulation as scale and shift, the file as shift and scale.
    /// - Parameter blocks: how many blocks there are.
    package static func sd3Transformer(prefix: String, blocks: Int) -> TensorLayout {
        var rows = [
            ("pos_embed", "pos_embed.pos_embed"), ("x_embedder.proj.*", "pos_embed.proj.*"),
            ("context_embedder.*", "context_embedder.*"), ("final_layer.linear.*", "proj_out.*"),
        ]
        for (foreign, native) in [("t_embedder", "timestep_embedder"), ("y_embedder", "text_embedder")] {
            rows.append(("\(foreign).mlp.0.*", "time_text_embed.\(native).linear_1.*"))
            rows.append(("\(foreign).mlp.2.*", "time_text_embed.\(native).linear_2.*"))
        }
        let (block, native) = ("joint_blocks.{i}", "transformer_blocks.{i}")
        rows += [
            ("x_block.attn.ln_q", "attn.norm_q"), ("x_block.attn.ln_k", "attn.norm_k"),
            ("context_block.attn.ln_q", "attn.norm_added_q"),
            ("context_block.attn.ln_k", "attn.norm_added_k"),
            ("x_block.attn.proj", "attn.to_out.0"), ("context_block.attn.proj", "attn.to_add_out"),
            ("x_block.attn2.ln_q", "attn2.norm_q"), ("x_block.attn2.ln_k", "attn2.norm_k"),
            ("x_block.attn2.proj", "attn2.to_out.0"), ("x_block.adaLN_modulation.1", "norm1.linear"),
            ("x_block.mlp.fc1", "ff.net.0.proj"), ("x_block.mlp.fc2", "ff.net.2"),
            ("context_block.mlp.fc1", "ff_context.net.0.proj"), ("context_block.mlp.fc2", "ff_context.net.2"),
        ].map { ("\(block).\($0).*", "\(native).\($1).*") }
        func modulation(_ block: Int) -> (String, String) {
            (
                "joint_blocks.\(block).context_block.adaLN_modulation.1.*",
                "transformer_blocks.\(block).norm1_context.linear.*"
            )
        }
        rows += (0..<max(blocks - 1, 0)).map(modulation)
        let exchanged = [modulation(blocks - 1), ("final_layer.adaLN_modulation.1.*", "norm_out.linear.*")]
        let names = [
            ("x_block.attn", ["attn.to_q", "attn.to_k", "attn.to_v"]),
            ("x_block.attn2", ["attn2.to_q", "attn2.to_k", "attn2.to_v"]),
            ("context_block.attn", ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"]),
        ]
        let parts: [Section] = (0..<3).map { part in
            let rows = names.map { ("\(block).\($0).qkv.*", "\(native).\($1[part]).*") }
            return (.part(part, of: 3), NameMap(rows))
        }
        let scopes: Set = [
            "pos_embed", "x_embedder", "context_embedder", "t_embedder", "y_embedder", "joint_blocks",
            "final_layer",
        ]
        return TensorLayout(
            prefix: prefix, scopes: prefix.isEmpty ? scopes : [],
            [(.whole, NameMap(rows)), (.halvesExchanged, NameMap(exchanged))] + parts)
    }

    /// The original class-conditional DiT as diffusers' `DiTTransformer2DModel`, which keeps the embedders of
    /// time and class in every block.
    package static func dit(blocks: Int) -> TensorLayout {
        let (block, native) = ("blocks.{i}", "transformer_blocks.{i}")
        let rows = [
            ("x_embedder.proj.*", "pos_embed.proj.*"), ("final_layer.adaLN_modulation.1.*", "proj_out_1.*"),
            ("final_layer.linear.*", "proj_out_2.*"),
            ("\(block).adaLN_modulation.1.*", "\(native).norm1.linear.*"),
            ("\(block).attn.proj.*", "\(native).attn1.to_out.0.*"),
            ("\(block).mlp.fc1.*", "\(native).ff.net.0.proj.*"),
            ("\(block).mlp.fc2.*", "\(native).ff.net.2.*"),
        ]
        var sections: [Section] = [(.whole, NameMap(rows))]
        for (part, name) in ["to_q", "to_k", "to_v"].enumerated() {
            sections.append(
                (.part(part, of: 3), NameMap([("\(block).attn.qkv.*", "\(native).attn1.\(name).*")])))
        }
        for index in 0..<blocks {
            let embedders = "transformer_blocks.\(index).norm1.emb"
            let rows = [
                ("t_embedder.mlp.0.*", "\(embedders).timestep_embedder.linear_1.*"),
                ("t_embedder.mlp.2.*", "\(embedders).timestep_embedder.linear_2.*"),
                ("y_embedder.embedding_table.*", "\(embedders).class_embedder.embedding_table.*"),
            ]
            sections.append((.whole, NameMap(rows)))
        }
        return TensorLayout(
            prefix: "",
            scopes: ["pos_embed", "x_embedder", "t_embedder", "y_embedder", "blocks", "final_layer"],
            sections,
            setAside: [("pos_embed", reason: "it is computed")])
    }

    /// How many scopes `prefix0`, `prefix1`, … there are, without a gap.
    package static func count(_ names: some Sequence<String>, of prefix: String) -> Int {
        let numbers = Set(
            names.lazy.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).prefix { $0 != "." } }
        )
        var count = 0
        while numbers.contains(String(count)[...]) { count += 1 }
        return count
    }
}
