// The text encoders in single files.

private let bookkeeping = [
    (name: "logit_scale", reason: "it belongs to the comparison of texts with pictures"),
    (name: "attn_mask", reason: "it is computed"),
    (name: "text_model.embeddings.position_ids", reason: "it is computed"),
    (name: "embeddings.position_ids", reason: "it is computed"),
]

extension TensorLayout {
    /// What becomes of a text encoder's projection to the space that it shares with pictures.
    package enum TextProjection {
        /// The file's is used.
        case kept
        /// The network has none.
        case absent
        /// The network has one, and the file's own programs apply none: the identity.
        case identity
    }

    /// A CLIP text encoder under transformers' names, with `text_model` in front or without.
    package static func clipText(prefix: String, projection: TextProjection) -> TensorLayout {
        var rows = [("text_model.*", "text_model.*")]
        for scope in ["embeddings", "encoder", "final_layer_norm"] {
            rows.append(("\(scope).*", "text_model.\(scope).*"))
        }
        var sections: [Section] = []
        var setAside = bookkeeping.map { ($0.name, reason: $0.reason) }
        switch projection {
        case .kept: rows.append(("text_projection.weight", "text_projection.weight"))
        case .absent: setAside.append(("text_projection.weight", reason: "the network has no projection"))
        case .identity:
            setAside.append(("text_projection.weight", reason: "the family uses the vector before it"))
            let norm = "final_layer_norm.weight"
            sections = [
                (.identity, ["text_model.\(norm)": "text_projection.weight"])
            ]
        }
        return TensorLayout(prefix: prefix, [(.whole, NameMap(rows))] + sections, setAside: setAside)
    }

    /// A text encoder of OpenCLIP: queries, keys and values in one tensor, the projection transposed.
    ///
    /// - Parameter unusedBlock: a block whose result no one reads: Stable Diffusion 2 takes the states before
    ///   the last of 24.
    package static func openCLIPText(prefix: String, projection: TextProjection, unusedBlock: Int? = nil)
        -> TensorLayout
    {
        let (block, layer) = ("transformer.resblocks.{i}", "text_model.encoder.layers.{i}")
        let rows = [
            ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
            ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            ("ln_final.*", "text_model.final_layer_norm.*"),
            ("\(block).ln_1.*", "\(layer).layer_norm1.*"), ("\(block).ln_2.*", "\(layer).layer_norm2.*"),
            ("\(block).mlp.c_fc.*", "\(layer).mlp.fc1.*"), ("\(block).mlp.c_proj.*", "\(layer).mlp.fc2.*"),
            ("\(block).attn.out_proj.*", "\(layer).self_attn.out_proj.*"),
        ]
        var sections: [Section] = [(.whole, NameMap(rows))]
        for (index, name) in ["q_proj", "k_proj", "v_proj"].enumerated() {
            let parts = ["weight", "bias"].map {
                ("\(block).attn.in_proj_\($0)", "\(layer).self_attn.\(name).\($0)")
            }
            sections.append((.part(index, of: 3), NameMap(parts)))
        }
        var setAside = bookkeeping.map { ($0.name, reason: $0.reason) }
        if projection == .kept {
            sections.append((.transposed, ["text_projection": "text_projection.weight"]))
        } else {
            setAside.append(("text_projection", reason: "the network has no projection"))
        }
        if let unusedBlock {
            setAside.append(
                (
                    "transformer.resblocks.\(unusedBlock).*",
                    reason: "the family takes the states before the last block"
                ))
        }
        return TensorLayout(prefix: prefix, sections, setAside: setAside)
    }

    /// A T5 encoder under transformers' names.
    package static func t5Encoder(prefix: String) -> TensorLayout {
        TensorLayout(
            prefix: prefix,
            [(.whole, ["shared.weight": "shared.weight", "encoder.*": "encoder.*"])],
            setAside: [
                ("encoder.embed_tokens.weight", reason: "it is the shared table again"),
                ("logit_scale", reason: "it belongs to no T5"),
            ])
    }
}
