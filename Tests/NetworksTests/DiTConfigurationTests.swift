import Foundation
import Networks
import Testing

@Suite struct DiTConfigurationTests {
    private func dit(_ text: String) throws -> DiTConfiguration {
        try JSONDecoder().decode(DiTConfiguration.self, from: Data(text.utf8))
    }

    private func mmdit(_ text: String) throws -> MMDiTConfiguration {
        try JSONDecoder().decode(MMDiTConfiguration.self, from: Data(text.utf8))
    }

    @Test func `an empty configuration has the defaults of diffusers`() throws {
        #expect(try dit(#"{"_class_name": "DiTTransformer2DModel", "_x": [1]}"#) == DiTConfiguration())
        #expect(try mmdit(#"{"_class_name": "SD3Transformer2DModel", "_x": 1}"#) == MMDiTConfiguration())
        #expect(DiTConfiguration().width == 1152)
        #expect(MMDiTConfiguration().width == 1152)
    }

    /// `config.json` as diffusers 0.42 writes a `Transformer2DModel` of this kind.
    @Test func `the configuration of the older class is read`() throws {
        let found = try dit(
            """
            {"_class_name": "Transformer2DModel", "_diffusers_version": "0.42.1",
             "activation_fn": "gelu-approximate", "attention_bias": true, "attention_head_dim": 72,
             "attention_type": "default", "caption_channels": null, "cross_attention_dim": null,
             "double_self_attention": false, "dropout": 0.0, "in_channels": 4, "interpolation_scale": null,
             "norm_elementwise_affine": false, "norm_eps": 1e-05, "norm_num_groups": 32,
             "norm_type": "ada_norm_zero", "num_attention_heads": 16, "num_embeds_ada_norm": 1000,
             "num_layers": 28, "num_vector_embeds": null, "only_cross_attention": false, "out_channels": 8,
             "patch_size": 2, "sample_size": 32, "upcast_attention": false, "use_additional_conditions": null,
             "use_linear_projection": false}
            """)
        #expect(found == DiTConfiguration(.extraLarge))
    }

    @Test func `values are read and written back`() throws {
        var first = DiTConfiguration(.small, patchSize: 4, sampleSize: 30)
        (first.dropout, first.attentionBias, first.activationFn) = (0.25, false, .quickGELU)
        (first.numEmbedsAdaNorm, first.normElementwiseAffine, first.normEps) = (7, true, 1e-6)
        (first.inChannels, first.outChannels) = (3, nil)
        let text = try JSONEncoder().encode(first)
        #expect(try JSONDecoder().decode(DiTConfiguration.self, from: text) == first)
        let keys = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
        #expect(keys.count == 14 && keys["norm_type"] as? String == "ada_norm_zero")
        #expect(keys["out_channels"] is NSNull && keys["activation_fn"] as? String == "geglu-approximate")

        var second = MMDiTConfiguration.stableDiffusion3Medium
        (second.dualAttentionLayers, second.qkNorm, second.outChannels) = ([0, 2], .rms, nil)
        (second.posEmbedMaxSize, second.sampleSize, second.patchSize) = (nil, 64, 4)
        (second.jointAttentionDim, second.pooledProjectionDim, second.inChannels) = (11, 12, 13)
        let written = try JSONEncoder().encode(second)
        #expect(try JSONDecoder().decode(MMDiTConfiguration.self, from: written) == second)
        let names = try #require(try JSONSerialization.jsonObject(with: written) as? [String: Any])
        #expect(names.count == 13 && names["qk_norm"] as? String == "rms_norm")
        #expect(names["pos_embed_max_size"] is NSNull)
    }

    @Test(arguments: [
        (#"{"norm_type": "ada_norm_single"}"#, "norm_type", "ada_norm_zero"),
        (#"{"norm_type": "layer_norm"}"#, "norm_type", "ada_norm_zero"),
        (#"{"_class_name": "Transformer2DModel"}"#, "norm_type", "layer_norm"),
        (#"{"attention_type": "gated"}"#, "attention_type", "default"),
        (#"{"cross_attention_dim": 768}"#, "cross_attention_dim", "null"),
        (#"{"caption_channels": 4096}"#, "caption_channels", "null"),
        (#"{"num_vector_embeds": 16}"#, "num_vector_embeds", "null"),
        (#"{"double_self_attention": true}"#, "double_self_attention", "false"),
        (#"{"interpolation_scale": 2}"#, "interpolation_scale", "1 or null"),
        (#"{"patch_size": null}"#, "patch_size", "whole number"),
        (#"{"sample_size": null}"#, "sample_size", "whole number"),
        (#"{"sample_size": 1}"#, "sample_size", "from 2"),
        (#"{"num_embeds_ada_norm": null}"#, "num_embeds_ada_norm", "whole number"),
        (#"{"num_embeds_ada_norm": 0}"#, "num_embeds_ada_norm", "from 1"),
        (#"{"activation_fn": "relu"}"#, "activation_fn", "gelu-approximate"),
        (#"{"num_layers": 0}"#, "num_layers", "from 1"),
        (#"{"num_attention_heads": 1, "attention_head_dim": 6}"#, "num_attention_heads", "multiple of 4"),
        (#"{"in_channels": 0}"#, "in_channels", "from 1"),
        (#"{"out_channels": 0}"#, "out_channels", "from 1"),
        (#"{"dropout": 1}"#, "dropout", "probability"),
        (#"{"norm_eps": 0}"#, "norm_eps", "positive"),
    ])
    func `a wrong value of a DiT is named by its key, with what would do`(
        _ text: String, _ key: String, _ hint: String
    ) {
        #expect { try dit(text) } throws: { isAbout($0, key, hint) }
    }

    @Test(arguments: [
        (#"{"qk_norm": "l2"}"#, "qk_norm", "rms_norm"),
        (#"{"caption_projection_dim": 1536}"#, "caption_projection_dim", "1152"),
        (#"{"pos_embed_max_size": 0}"#, "pos_embed_max_size", "from 1"),
        (#"{"dual_attention_layers": [-1]}"#, "dual_attention_layers[0]", "from 0"),
        (#"{"dual_attention_layers": 3}"#, "dual_attention_layers", "list of whole numbers"),
        (#"{"num_attention_heads": 1, "attention_head_dim": 6}"#, "num_attention_heads", "multiple of 4"),
        (#"{"joint_attention_dim": 0}"#, "joint_attention_dim", "from 1"),
        (#"{"pooled_projection_dim": 0}"#, "pooled_projection_dim", "from 1"),
        (#"{"num_layers": 100000}"#, "num_layers", "1024"),
        (#"{"sample_size": 1}"#, "sample_size", "from 2"),
        (#"{"in_channels": "many"}"#, "in_channels", "whole number"),
    ])
    func `a wrong value of an MMDiT is named by its key, with what would do`(
        _ text: String, _ key: String, _ hint: String
    ) {
        #expect { try mmdit(text) } throws: { isAbout($0, key, hint) }
    }

    private func isAbout(_ error: any Error, _ key: String, _ hint: String) -> Bool {
        guard let error = error as? NetworkError else { return false }
        return error.key == key && error.description.contains(hint)
    }
}
