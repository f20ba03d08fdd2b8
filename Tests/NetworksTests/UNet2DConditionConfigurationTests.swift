import Foundation
import Layers
import Networks
import Tensors
import Testing

@Suite struct UNet2DConditionConfigurationTests {
    private func decoded(_ text: String) throws -> UNet2DConditionConfiguration {
        try JSONDecoder().decode(UNet2DConditionConfiguration.self, from: Data(text.utf8))
    }

    @Test func `an empty configuration has the defaults of diffusers`() throws {
        #expect(try decoded("{}") == UNet2DConditionConfiguration())
    }

    /// As diffusers writes a configuration: keys that change nothing, or say what is so anyway, included.
    @Test func `the configuration of Stable Diffusion XL is read as it is published`() throws {
        let configuration = try decoded(
            """
            {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.19.0.dev0", "act_fn": "silu",
             "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64,
             "addition_time_embed_dim": 256, "attention_head_dim": [5, 10, 20],
             "block_out_channels": [320, 640, 1280], "center_input_sample": false, "class_embed_type": null,
             "class_embeddings_concat": false, "conv_in_kernel": 3, "conv_out_kernel": 3,
             "cross_attention_dim": 2048, "cross_attention_norm": null,
             "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
             "downsample_padding": 1, "dual_cross_attention": false, "encoder_hid_dim": null,
             "encoder_hid_dim_type": null, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
             "layers_per_block": 2, "mid_block_only_cross_attention": null, "mid_block_scale_factor": 1,
             "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
             "num_attention_heads": null, "num_class_embeds": null, "only_cross_attention": false,
             "out_channels": 4, "projection_class_embeddings_input_dim": 2816, "attention_type": "default",
             "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": false,
             "resnet_time_scale_shift": "default", "sample_size": 128, "time_cond_proj_dim": null,
             "time_embedding_act_fn": null, "time_embedding_dim": null, "time_embedding_type": "positional",
             "timestep_post_act": null, "transformer_layers_per_block": [1, 2, 10],
             "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
             "upcast_attention": null, "use_linear_projection": true}
            """)
        var expected = PublishedUNets.large
        expected.sampleSize = .square(128)
        #expect(configuration == expected)
    }

    @Test func `every value is read and written back`() throws {
        let configuration = try decoded(
            """
            {"sample_size": [6, 4], "in_channels": 1, "out_channels": 2, "center_input_sample": true,
             "flip_sin_to_cos": false, "freq_shift": 1,
             "down_block_types": ["AttnDownBlock2D", "CrossAttnDownBlock2D"],
             "mid_block_type": "UNetMidBlock2D",
             "up_block_types": ["AttnUpBlock2D", "CrossAttnUpBlock2D"], "only_cross_attention": [true, false],
             "block_out_channels": [8, 16], "layers_per_block": [1, 2], "downsample_padding": 0,
             "mid_block_scale_factor": 1.5, "dropout": 0.25, "act_fn": "gelu", "norm_num_groups": 4,
             "norm_eps": 1e-6, "cross_attention_dim": [7, 7], "transformer_layers_per_block": [1, [2, 1]],
             "reverse_transformer_layers_per_block": [3, [1, 2]], "attention_head_dim": [2, 4],
             "use_linear_projection": true, "class_embed_type": "simple_projection", "num_class_embeds": 5,
             "upcast_attention": true, "resnet_time_scale_shift": "scale_shift",
             "time_embedding_type": "fourier", "time_embedding_dim": 24, "time_embedding_act_fn": "silu",
             "timestep_post_act": "mish", "time_cond_proj_dim": 9, "conv_in_kernel": 1, "conv_out_kernel": 5,
             "projection_class_embeddings_input_dim": 11, "class_embeddings_concat": true}
            """)
        var expected = UNet2DConditionConfiguration()
        expected.sampleSize = .rectangle(height: 6, width: 4)
        (expected.inChannels, expected.outChannels, expected.centerInputSample) = (1, 2, true)
        (expected.flipSinToCos, expected.freqShift) = (false, 1)
        expected.downBlockTypes = [.attention, .crossAttention]
        (expected.midBlockType, expected.upBlockTypes) = (.plain, [.attention, .crossAttention])
        (expected.onlyCrossAttention, expected.blockOutChannels) = (.each([true, false]), [8, 16])
        (expected.layersPerBlock, expected.downsamplePadding) = (.each([1, 2]), 0)
        (expected.midBlockScaleFactor, expected.dropout, expected.actFn) = (1.5, 0.25, .gelu)
        (expected.normNumGroups, expected.normEps, expected.crossAttentionDim) = (4, 1e-6, .each([7, 7]))
        expected.transformerLayersPerBlock = .each([.same(1), .each([2, 1])])
        expected.reverseTransformerLayersPerBlock = [.same(3), .each([1, 2])]
        (expected.attentionHeadDim, expected.useLinearProjection) = (.each([2, 4]), true)
        (expected.classEmbedType, expected.numClassEmbeds) = (.simpleProjection, 5)
        (expected.upcastAttention, expected.resnetTimeScaleShift) = (true, .scaleShift)
        (expected.timeEmbeddingType, expected.timeEmbeddingDim) = (.fourier, 24)
        (expected.timeEmbeddingActFn, expected.timestepPostAct) = (.silu, .mish)
        (expected.timeCondProjDim, expected.convInKernel, expected.convOutKernel) = (9, 1, 5)
        (expected.projectionClassEmbeddingsInputDim, expected.classEmbeddingsConcat) = (11, true)
        #expect(configuration == expected)
        for configuration in [expected] + PublishedUNets.all.map(\.configuration) {
            let written = try JSONEncoder().encode(configuration)
            #expect(
                try JSONDecoder().decode(UNet2DConditionConfiguration.self, from: written) == configuration)
            let keys = try #require(try JSONSerialization.jsonObject(with: written) as? [String: Any])
            #expect(Set(keys.keys) == Set(UNet2DConditionConfiguration.keys.map(\.name)))
        }
    }

    @Test(arguments: [
        (#"{"num_attention_heads": 8}"#, "num_attention_heads", "attention_head_dim"),
        (#"{"dual_cross_attention": true}"#, "dual_cross_attention", "one context"),
        (#"{"encoder_hid_dim": 0}"#, "encoder_hid_dim", "from 1"),
        (#"{"encoder_hid_dim_type": "text_proj"}"#, "encoder_hid_dim", "encoder_hid_dim_type"),
        (
            #"{"encoder_hid_dim": 9, "encoder_hid_dim_type": "image_proj"}"#, "encoder_hid_dim_type",
            "text_proj"
        ),
        (
            #"{"encoder_hid_dim": 9, "cross_attention_dim": [8, 8, 8, 8]}"#, "cross_attention_dim",
            "one number"
        ),
        (#"{"attention_type": "gated"}"#, "attention_type", "default"),
        (#"{"addition_embed_type": "text_image"}"#, "addition_embed_type", "text_time"),
        (
            #"{"addition_embed_type": "text", "addition_embed_type_num_heads": 7}"#,
            "addition_embed_type_num_heads", "1280 features"
        ),
        (
            #"{"addition_embed_type": "text", "cross_attention_dim": [8, 8, 8, 8]}"#,
            "cross_attention_dim", "one number"
        ),
        (
            #"{"mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "attention_head_dim": 7}"#,
            "attention_head_dim", "does not divide"
        ),
        (
            #"{"mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "cross_attention_norm": "group_norm", "cross_attention_dim": 40}"#,
            "cross_attention_norm", "32 groups"
        ),
        (
            #"{"mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "cross_attention_norm": "layer_norm", "cross_attention_dim": 40}"#,
            "cross_attention_norm", "1280 features"
        ),
        (#"{"cross_attention_norm": "batch_norm"}"#, "cross_attention_norm", "group_norm"),
        (#"{"resnet_out_scale_factor": 0}"#, "resnet_out_scale_factor", "other than 0"),
        (#"{"down_block_types": ["KDownBlock2D"]}"#, "down_block_types[0]", "CrossAttnDownBlock2D"),
        (#"{"up_block_types": ["KUpBlock2D"]}"#, "up_block_types[0]", "CrossAttnUpBlock2D"),
        (#"{"mid_block_type": "UNetMidBlock3D"}"#, "mid_block_type", "UNetMidBlock2DCrossAttn"),
        (#"{"time_embedding_type": "learned"}"#, "time_embedding_type", "fourier"),
        (#"{"class_embed_type": "vector"}"#, "class_embed_type", "simple_projection"),
        (#"{"act_fn": "tanh"}"#, "act_fn", "silu"),
        (#"{"time_embedding_act_fn": "tanh"}"#, "time_embedding_act_fn", "silu"),
        (#"{"norm_num_groups": null}"#, "norm_num_groups", "whole number"),
        (#"{"cross_attention_dim": null}"#, "cross_attention_dim", "a list of them"),
        (#"{"only_cross_attention": 3}"#, "only_cross_attention", "true, false"),
        (#"{"transformer_layers_per_block": "two"}"#, "transformer_layers_per_block", "such lists"),
        (
            #"{"reverse_transformer_layers_per_block": 2}"#, "reverse_transformer_layers_per_block",
            "such lists"
        ),
        (#"{"block_out_channels": []}"#, "block_out_channels", "1 to 16"),
        (#"{"block_out_channels": [32, 64]}"#, "down_block_types", "4 entries"),
        (#"{"block_out_channels": [32, 64, 0, 64]}"#, "block_out_channels[2]", "from 1"),
        (#"{"attention_head_dim": [5, 10, 20]}"#, "attention_head_dim", "3 entries"),
        (#"{"attention_head_dim": [5, 10, 0, 20]}"#, "attention_head_dim[2]", "from 1"),
        (#"{"attention_head_dim": 400}"#, "attention_head_dim", "320"),
        (#"{"layers_per_block": [2, 2]}"#, "layers_per_block", "2 entries"),
        (#"{"layers_per_block": 0}"#, "layers_per_block", "from 1"),
        (#"{"transformer_layers_per_block": [1, 1, 10]}"#, "transformer_layers_per_block", "3 entries"),
        (
            #"{"transformer_layers_per_block": [1, [1, 2], 1, 1]}"#, "transformer_layers_per_block",
            "lists 2 transformers of a block that has 3"
        ),
        (
            #"{"transformer_layers_per_block": [1, 1, 1, [1]]}"#, "reverse_transformer_layers_per_block",
            "is needed"
        ),
        (
            #"{"transformer_layers_per_block": [1, 1, 1, []]}"#, "transformer_layers_per_block",
            "no transformer"
        ),
        (
            #"{"reverse_transformer_layers_per_block": [1, [1, 2], 1, 1]}"#,
            "reverse_transformer_layers_per_block", "lists 2 transformers of a block that has 3"
        ),
        (#"{"norm_num_groups": 3}"#, "norm_num_groups", "320"),
        (#"{"norm_eps": 0}"#, "norm_eps", "positive"),
        (#"{"conv_in_kernel": 2}"#, "conv_in_kernel", "odd"),
        (#"{"conv_out_kernel": 0}"#, "conv_out_kernel", "from 1"),
        (#"{"downsample_padding": 2}"#, "downsample_padding", "from 0 to 1"),
        (#"{"dropout": 1}"#, "dropout", "probability"),
        (#"{"mid_block_scale_factor": 0}"#, "mid_block_scale_factor", "other than 0"),
        (#"{"sample_size": 0}"#, "sample_size", "from 1"),
        (#"{"freq_shift": 160}"#, "freq_shift", "160"),
        (#"{"time_embedding_type": "fourier", "time_embedding_dim": 5}"#, "time_embedding_dim", "even"),
        (#"{"time_embedding_dim": 0}"#, "time_embedding_dim", "from 1"),
        (#"{"time_cond_proj_dim": 0}"#, "time_cond_proj_dim", "from 1"),
        (#"{"num_class_embeds": 0}"#, "num_class_embeds", "from 1"),
        (#"{"class_embed_type": "projection"}"#, "projection_class_embeddings_input_dim", "'projection'"),
        (#"{"addition_embed_type": "text_time"}"#, "projection_class_embeddings_input_dim", "'text_time'"),
        (
            #"{"addition_embed_type": "text_time", "projection_class_embeddings_input_dim": 9}"#,
            "addition_time_embed_dim", "'text_time'"
        ),
        (#"{"class_embeddings_concat": true}"#, "class_embeddings_concat", "no class embedding"),
    ])
    func `a wrong value is named by its key, with what would do`(
        _ text: String, _ key: String, _ hint: String
    ) {
        #expect { try decoded(text) } throws: {
            guard let error = $0 as? NetworkError else { return false }
            return error.key == key && error.description.contains(hint)
        }
    }
}
