import Foundation
import Layers
import Networks
import Tensors
import Testing

@Suite struct UNet2DConfigurationTests {
    private func decoded(_ text: String) throws -> UNet2DConfiguration {
        try JSONDecoder().decode(UNet2DConfiguration.self, from: Data(text.utf8))
    }

    @Test func `an empty configuration has the defaults of diffusers`() throws {
        let configuration = try decoded(
            #"{"_class_name": "UNet2DModel", "_diffusers_version": "0.42.1", "_x": [1]}"#)
        #expect(configuration == UNet2DConfiguration())
        #expect(configuration.blockOutChannels == [224, 448, 672, 896])
        #expect(configuration.attentionHeadDim == 8)
    }

    @Test func `null and absent differ`() throws {
        #expect(try decoded(#"{"attention_head_dim": null}"#).attentionHeadDim == nil)
        #expect(try decoded(#"{"mid_block_type": null}"#).midBlockType == nil)
    }

    @Test func `values, old block names and both kinds of sizes are read and written back`() throws {
        let configuration = try decoded(
            """
            {"sample_size": [6, 4], "in_channels": 1, "out_channels": 2, "center_input_sample": true,
             "time_embedding_type": "learned", "time_embedding_dim": 24, "freq_shift": 1,
             "flip_sin_to_cos": false, "down_block_types": ["UNetResDownBlock2D", "ResnetDownsampleBlock2D"],
             "mid_block_type": null, "up_block_types": ["ResnetUpsampleBlock2D", "UNetResAttnUpBlock2D"],
             "block_out_channels": [8, 16], "layers_per_block": 1, "mid_block_scale_factor": 1.5,
             "downsample_padding": 0, "downsample_type": "resnet", "upsample_type": "resnet", "dropout": 0.25,
             "act_fn": "GELU", "attention_head_dim": null, "norm_num_groups": 4, "attn_norm_num_groups": 2,
             "norm_eps": 1e-6, "resnet_time_scale_shift": "scale_shift", "add_attention": false,
             "class_embed_type": "timestep", "num_class_embeds": 5, "num_train_timesteps": 40}
            """)
        var expected = UNet2DConfiguration()
        expected.sampleSize = .rectangle(height: 6, width: 4)
        (expected.inChannels, expected.outChannels, expected.centerInputSample) = (1, 2, true)
        (expected.timeEmbeddingType, expected.timeEmbeddingDim) = (.learned, 24)
        (expected.freqShift, expected.flipSinToCos) = (1, false)
        (expected.downBlockTypes, expected.upBlockTypes) = ([.plain, .residual], [.residual, .attention])
        (expected.midBlockType, expected.blockOutChannels, expected.layersPerBlock) = (nil, [8, 16], 1)
        (expected.midBlockScaleFactor, expected.downsamplePadding) = (1.5, 0)
        (expected.downsampleType, expected.upsampleType) = (.resnet, .resnet)
        (expected.dropout, expected.actFn, expected.attentionHeadDim) = (0.25, .gelu, nil)
        (expected.normNumGroups, expected.attnNormNumGroups, expected.normEps) = (4, 2, 1e-6)
        (expected.resnetTimeScaleShift, expected.addAttention) = (.scaleShift, false)
        (expected.classEmbedType, expected.numClassEmbeds, expected.numTrainTimesteps) = (.timestep, 5, 40)
        #expect(configuration == expected)
        let written = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(UNet2DConfiguration.self, from: written) == configuration)
        let keys = try #require(try JSONSerialization.jsonObject(with: written) as? [String: Any])
        #expect(Set(keys.keys) == Set(UNet2DConfiguration.keys.map(\.name)))
        #expect(try decoded(#"{"sample_size": 32}"#).sampleSize == .square(32))
        #expect(try decoded(#"{"sample_size": null}"#).sampleSize == nil)
    }

    @Test(arguments: [
        (#"{"down_block_types": ["SkipDownBlock2D"]}"#, "down_block_types[0]", "SkipDownBlock2D"),
        (#"{"up_block_types": ["CrossAttnUpBlock2D"]}"#, "up_block_types[0]", "AttnUpBlock2D"),
        (#"{"mid_block_type": "Big"}"#, "mid_block_type", "UNetMidBlock2D"),
        (#"{"act_fn": "tanh"}"#, "act_fn", "silu"),
        (#"{"time_embedding_type": "sine"}"#, "time_embedding_type", "fourier"),
        (#"{"time_embedding_type": "learned"}"#, "num_train_timesteps", "learned"),
        (#"{"resnet_time_scale_shift": "spatial"}"#, "resnet_time_scale_shift", "scale_shift"),
        (#"{"class_embed_type": "projection"}"#, "class_embed_type", "identity"),
        (#"{"downsample_type": "fir"}"#, "downsample_type", "resnet"),
        (#"{"in_channels": "three"}"#, "in_channels", "whole number"),
        (#"{"in_channels": 0}"#, "in_channels", "from 1"),
        (#"{"in_channels": 1.5}"#, "in_channels", "whole number"),
        (#"{"flip_sin_to_cos": "no"}"#, "flip_sin_to_cos", "true or false"),
        (#"{"norm_num_groups": null}"#, "norm_num_groups", "whole number"),
        (#"{"norm_num_groups": 0}"#, "norm_num_groups", "from 1"),
        (#"{"norm_num_groups": 5}"#, "norm_num_groups", "224"),
        (#"{"attn_norm_num_groups": 5}"#, "attn_norm_num_groups", "896"),
        (#"{"norm_eps": -1}"#, "norm_eps", "positive"),
        (#"{"block_out_channels": []}"#, "block_out_channels", "1 to 16"),
        (#"{"block_out_channels": [1000000000, 8, 8, 8]}"#, "block_out_channels[0]", "65536"),
        (#"{"block_out_channels": [32, 64]}"#, "down_block_types", "4 entries"),
        (#"{"layers_per_block": 100000}"#, "layers_per_block", "256"),
        (#"{"attention_head_dim": 0}"#, "attention_head_dim", "from 1"),
        (#"{"attention_head_dim": 900}"#, "attention_head_dim", "448"),
        (#"{"dropout": 1}"#, "dropout", "probability"),
        (#"{"mid_block_scale_factor": 0}"#, "mid_block_scale_factor", "other than 0"),
        (#"{"downsample_padding": 2}"#, "downsample_padding", "from 0 to 1"),
        (#"{"freq_shift": 112}"#, "freq_shift", "112"),
        (#"{"sample_size": "big"}"#, "sample_size", "height and width"),
        (#"{"sample_size": [1, 2, 3]}"#, "sample_size", "height and width"),
        (#"{"sample_size": 0}"#, "sample_size", "from 1"),
        (#"{"num_class_embeds": -3}"#, "num_class_embeds", "from 1"),
    ])
    func `a wrong value is named by its key, with what would do`(
        _ text: String, _ key: String, _ hint: String
    ) {
        #expect { try decoded(text) } throws: {
            guard let error = $0 as? NetworkError else { return false }
            return error.key == key && error.description.contains(hint)
        }
    }

    @Test func `a network that cannot be is refused before any parameter is made`() {
        var configuration = UNet2DConfiguration()
        configuration.normNumGroups = 5
        let store = ParameterStore(.shapesOnly)
        #expect(throws: NetworkError.self) { try store.build { try UNet2D(configuration, $0) } }
        #expect(store.names.isEmpty)
    }
}
