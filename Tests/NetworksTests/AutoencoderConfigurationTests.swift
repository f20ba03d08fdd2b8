import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct AutoencoderConfigurationTests {
    private func decoded<Value: Decodable>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }

    @Test func `empty configurations have the defaults of diffusers`() throws {
        let kl: AutoencoderKLConfiguration = try decoded(#"{"_class_name": "AutoencoderKL", "_x": 1}"#)
        #expect(kl == AutoencoderKLConfiguration())
        #expect(kl.latentScaling == LatentScaling(factor: 0.18215))
        #expect((kl.coder.latentChannels, kl.forceUpcast, kl.useQuantConv) == (4, true, true))
        let vq: VQModelConfiguration = try decoded("{}")
        #expect(vq == VQModelConfiguration())
        #expect((vq.coder.latentChannels, vq.codeWidth, vq.numVQEmbeddings) == (3, 3, 256))
        #expect(try decoded("{}") == AutoencoderTinyConfiguration())
    }

    @Test func `every key of the KL autoencoder is read and written back`() throws {
        let configuration: AutoencoderKLConfiguration = try decoded(
            """
            {"in_channels": 1, "out_channels": 2, "down_block_types": ["DownEncoderBlock2D",
             "AttnDownEncoderBlock2D"], "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
             "block_out_channels": [8, 12], "layers_per_block": 2, "act_fn": "GELU", "latent_channels": 2,
             "norm_num_groups": 4, "sample_size": [64, 32], "scaling_factor": 0.5,
             "mid_block_add_attention": false, "shift_factor": null, "latents_mean": [1, 2],
             "latents_std": [0.5, 4], "force_upcast": false, "use_quant_conv": false,
             "use_post_quant_conv": false}
            """)
        var expected = AutoencoderKLConfiguration()
        (expected.coder.inChannels, expected.coder.outChannels) = (1, 2)
        expected.coder.downBlockTypes = [.plain, .attention]
        expected.coder.upBlockTypes = [.attention, .plain]
        (expected.coder.blockOutChannels, expected.coder.layersPerBlock) = ([8, 12], 2)
        (expected.coder.actFn, expected.coder.latentChannels, expected.coder.normNumGroups) = (.gelu, 2, 4)
        (expected.coder.sampleSize, expected.coder.scalingFactor) = (.rectangle(height: 64, width: 32), 0.5)
        expected.coder.midBlockAddAttention = false
        (expected.latentsMean, expected.latentsStd) = ([1, 2], [0.5, 4])
        (expected.forceUpcast, expected.useQuantConv, expected.usePostQuantConv) = (false, false, false)
        #expect(configuration == expected)
        let written = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(AutoencoderKLConfiguration.self, from: written) == configuration)
        let keys = try #require(try JSONSerialization.jsonObject(with: written) as? [String: Any]).keys
        #expect(keys.count == 18)
    }

    @Test func `every key of the other two is read and written back`() throws {
        let vq: VQModelConfiguration = try decoded(
            """
            {"num_vq_embeddings": 7, "vq_embed_dim": 3, "norm_type": "spatial", "lookup_from_codebook": true,
             "force_upcast": true, "block_out_channels": [32], "sample_size": 256}
            """)
        #expect((vq.numVQEmbeddings, vq.vqEmbedDim, vq.normType) == (7, 3, .spatial))
        #expect((vq.lookupFromCodebook, vq.forceUpcast, vq.coder.sampleSize.width) == (true, true, 256))
        let writtenVQ = try JSONEncoder().encode(vq)
        #expect(try JSONDecoder().decode(VQModelConfiguration.self, from: writtenVQ) == vq)

        let tiny: AutoencoderTinyConfiguration = try decoded(
            """
            {"in_channels": 1, "out_channels": 2, "encoder_block_out_channels": [5, 5],
             "decoder_block_out_channels": [6], "act_fn": "silu", "upsample_fn": "bilinear",
             "latent_channels": 16, "upsampling_scaling_factor": 3, "num_encoder_blocks": [0, 1],
             "num_decoder_blocks": [2], "scaling_factor": 2, "shift_factor": 0.25, "force_upcast": true}
            """)
        #expect(tiny.encoderBlockOutChannels == [5, 5] && tiny.numEncoderBlocks == [0, 1])
        #expect((tiny.upsampleFn, tiny.upsamplingScalingFactor, tiny.shiftFactor) == (.bilinear, 3, 0.25))
        let writtenTiny = try JSONEncoder().encode(tiny)
        #expect(try JSONDecoder().decode(AutoencoderTinyConfiguration.self, from: writtenTiny) == tiny)
    }

    private func expectRefusal<Value: Decodable>(_ text: String, _ key: String, as type: Value.Type) {
        #expect(performing: { try decoded(text, as: type) }, throws: { ($0 as? NetworkError)?.key == key })
    }

    @Test(arguments: [
        (#"{"down_block_types": ["DownBlock2D"]}"#, "down_block_types[0]"),
        (#"{"up_block_types": ["UpBlock2D"]}"#, "up_block_types[0]"),
        (#"{"block_out_channels": [64, 64]}"#, "down_block_types"),
        (#"{"block_out_channels": []}"#, "block_out_channels"),
        (#"{"block_out_channels": [0]}"#, "block_out_channels[0]"),
        (#"{"norm_num_groups": 5}"#, "norm_num_groups"),
        (#"{"norm_num_groups": 0}"#, "norm_num_groups"),
        (#"{"act_fn": "tanh"}"#, "act_fn"), (#"{"in_channels": 0}"#, "in_channels"),
        (#"{"out_channels": -1}"#, "out_channels"), (#"{"latent_channels": "4"}"#, "latent_channels"),
        (#"{"layers_per_block": 0}"#, "layers_per_block"), (#"{"sample_size": 0}"#, "sample_size"),
        (#"{"scaling_factor": 0}"#, "scaling_factor"), (#"{"shift_factor": "a"}"#, "shift_factor"),
        (#"{"latents_mean": [1, 2, 3, 4]}"#, "latents_std"), (#"{"latents_std": [1]}"#, "latents_std"),
        (#"{"latents_mean": [0,0,0,0], "latents_std": [1, 1, 0, 1]}"#, "latents_std"),
        (#"{"latents_mean": [0,0,0,0], "latents_std": [1,1,1,1], "shift_factor": 1}"#, "shift_factor"),
        (#"{"use_quant_conv": 1}"#, "use_quant_conv"),
    ])
    func `a wrong value of the KL autoencoder is named by its key`(_ text: String, _ key: String) {
        expectRefusal(text, key, as: AutoencoderKLConfiguration.self)
    }

    @Test(arguments: [
        (#"{"num_vq_embeddings": 0}"#, "num_vq_embeddings"), (#"{"vq_embed_dim": 0}"#, "vq_embed_dim"),
        (#"{"norm_type": "layer"}"#, "norm_type"),
        (#"{"norm_type": "spatial", "vq_embed_dim": 4}"#, "vq_embed_dim"),
        (
            #"{"norm_type": "spatial", "block_out_channels": [48], "norm_num_groups": 4}"#,
            "block_out_channels"
        ),
    ])
    func `a wrong value of the codebook model is named by its key`(_ text: String, _ key: String) {
        expectRefusal(text, key, as: VQModelConfiguration.self)
    }

    @Test(arguments: [
        (#"{"encoder_block_out_channels": [64, 64, 64, 32]}"#, "encoder_block_out_channels"),
        (#"{"decoder_block_out_channels": []}"#, "decoder_block_out_channels"),
        (#"{"num_decoder_blocks": [1]}"#, "num_decoder_blocks"),
        (#"{"num_encoder_blocks": [1, 1, 1, -1]}"#, "num_encoder_blocks[3]"),
        (#"{"upsample_fn": "bicubic"}"#, "upsample_fn"), (#"{"scaling_factor": 0}"#, "scaling_factor"),
        (#"{"upsampling_scaling_factor": 0}"#, "upsampling_scaling_factor"),
    ])
    func `a wrong value of the tiny autoencoder is named by its key`(_ text: String, _ key: String) {
        expectRefusal(text, key, as: AutoencoderTinyConfiguration.self)
    }

    @Test(arguments: [true, false])
    func `a folder with old names of attention gives the same network`(_ isKL: Bool) throws {
        let prefix = isKL ? "kl-0-2" : "vq-0-0"
        let fixture = try Fixture("autoencoders/\(prefix)")
        let x = try fixture.tensor("input.latents")
        if isKL {
            try expectOldNames(try autoencoder(fixture, as: AutoencoderKL.self)) { $0.decode(x) }
        } else {
            try expectOldNames(try autoencoder(fixture, as: VQModel.self)) { $0.decode(x) }
        }
    }

    private func expectOldNames<Network: ConfiguredNetwork>(
        _ made: (network: Network, store: ParameterStore), _ answer: (Network) -> Tensor
    ) throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("vae"))
        let old = made.store.named.map { name, tensor in
            var name = name
            for (new, old) in [
                ("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn"),
            ] { name = name.replacingOccurrences(of: ".\(new).", with: ".\(old).") }
            return (name, tensor)
        }
        #expect(old.count { $0.0.contains(".proj_attn.") } >= 4)
        try Network.write(made.network.configuration, old, to: folder)
        let loaded = try Network.load(folder)
        #expect(loaded.store.report.isComplete)
        #expect(try answer(loaded.network).isIdentical(to: answer(made.network)))
    }
}
