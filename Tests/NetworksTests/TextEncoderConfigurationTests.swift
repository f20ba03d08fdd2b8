import Checkpoints
import Foundation
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

@Suite struct TextEncoderConfigurationTests {
    private func read<Network: ConfiguredNetwork>(_ type: Network.Type, _ text: String) throws
        -> Network.Configuration
    {
        let value = try JSONValue(parsing: text.utf8, place: "config.json")
        return try Network.configuration(#require(JSONObject(json: value)))
    }

    private func error<Value: Decodable>(_ type: Value.Type, _ text: String) -> NetworkError? {
        do {
            _ = try JSONDecoder().decode(type, from: Data(text.utf8))
            return nil
        } catch { return error as? NetworkError }
    }

    @Test func `an empty configuration has the defaults of transformers`() throws {
        #expect(try read(CLIPText.self, #"{"model_type": "clip_text_model", "dtype": "float32"}"#) == .init())
        #expect(try read(CLIPVision.self, #"{"architectures": ["CLIPVisionModel"], "x": [1]}"#) == .init())
        #expect(try read(CLIP.self, #"{"text_config": null, "text_config_dict": null}"#) == .init())
        #expect(try read(T5Encoder.self, #"{"dropout_rate": 0.1, "is_decoder": false}"#) == .init())
        #expect(try read(LDMBert.self, #"{"_name_or_path": ""}"#) == .init())
    }

    @Test func `a configuration that was written is read again`() throws {
        func again<Value: Codable>(_ value: Value) throws -> Value {
            try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
        }
        var clip = CLIPConfiguration()
        (clip.textConfig.hiddenAct, clip.textConfig.eosTokenId) = (.gelu, 2)
        (clip.textConfig.useAttentionMask, clip.textConfig.vocabSize) = (true, 77)
        (clip.visionConfig.patchSize, clip.visionConfig.numChannels) = (14, 1)
        (clip.projectionDim, clip.logitScaleInitValue) = (7, 1.5)
        #expect(try again(clip) == clip)
        var t5 = T5Configuration()
        for activation in Activation.allCases {
            for gated in [false, true] {
                (t5.denseActFn, t5.isGatedAct, t5.dKv) = (activation, gated, 3)
                #expect(try again(t5) == t5)
            }
        }
        var bert = LDMBertConfiguration()
        (bert.encoderLayers, bert.activationFunction, bert.headDim) = (2, .relu, 3)
        #expect(try again(bert) == bert)
    }

    /// (`feed_forward_proj`, what newer files say beside it, the non-linearity, whether it is gated), as
    /// transformers takes them.
    @Test(arguments: [
        ("relu", "", Activation.relu, false), ("gated-gelu", "", .newGELU, true), ("gelu", "", .gelu, false),
        ("gated-silu", "", .silu, true), ("gated-gelu", #", "dense_act_fn": "gelu""#, .gelu, true),
        ("relu", #", "dense_act_fn": "gelu_new", "is_gated_act": true"#, .newGELU, true),
    ])
    func `T5's feed-forward networks are named in two ways`(
        _ projection: String, _ more: String, _ activation: Activation, _ isGated: Bool
    ) throws {
        let found = try read(T5Encoder.self, #"{"feed_forward_proj": "\#(projection)"\#(more)}"#)
        #expect(found.denseActFn == activation && found.isGatedAct == isGated)
    }

    @Test func `an encoder's configuration is found inside that of the whole CLIP`() throws {
        let whole = """
            {"model_type": "clip", "projection_dim": 3, "text_config": {"hidden_size": 24},
             "vision_config": {"image_size": 48}}
            """
        #expect(try read(CLIPText.self, whole).hiddenSize == 24)
        #expect(try read(CLIPVisionWithProjection.self, whole).imageSize == 48)
        #expect(try read(CLIP.self, whole).projectionDim == 3)
        // Early files say it twice; the second is complete.
        let early = """
            {"text_config": {"hidden_size": 24, "vocab_size": 9}, "text_config_dict": {"hidden_size": 32}}
            """
        let text = try read(CLIP.self, early).textConfig
        #expect(text.hiddenSize == 32 && text.vocabSize == 49408)
    }

    @Test func `a configuration of another network is refused by name`() {
        #expect { try read(CLIPText.self, #"{"model_type": "siglip_text_model"}"#) } throws: {
            let text = ($0 as? CheckpointError)?.description ?? ""
            return text.contains("siglip_text_model") && text.contains("clip_text_model")
        }
        #expect { try read(T5Encoder.self, #"{"model_type": "umt5"}"#) } throws: {
            "\($0)".contains("umt5")
        }
    }

    @Test func `a wrong value is named by its key, with what would do`() {
        let text: [(String, String, String)] = [
            (#"{"hidden_size": "big"}"#, "hidden_size", "whole number"),
            (#"{"hidden_size": 0}"#, "hidden_size", "from 1"),
            (#"{"num_attention_heads": 7}"#, "num_attention_heads", "512"),
            (#"{"hidden_act": "swoosh"}"#, "hidden_act", "quick_gelu"),
            (#"{"eos_token_id": [1, 2]}"#, "eos_token_id", "whole number"),
            (#"{"layer_norm_eps": 0}"#, "layer_norm_eps", "above 0"),
            (#"{"max_position_embeddings": -1}"#, "max_position_embeddings", "from 1"),
        ]
        for (json, key, hint) in text {
            let found = error(CLIPTextConfiguration.self, json)
            #expect(found?.key == key && found?.description.contains(hint) == true, "\(json)")
        }
        for (json, key) in [
            (#"{"patch_size": 300}"#, "patch_size"), (#"{"image_size": [224, 224]}"#, "image_size"),
            (#"{"num_channels": 0}"#, "num_channels"),
        ] { #expect(error(CLIPVisionConfiguration.self, json)?.key == key) }
        for (json, key) in [
            (#"{"feed_forward_proj": "gated-swoosh"}"#, "feed_forward_proj"),
            (#"{"is_decoder": true}"#, "is_decoder"), (#"{"d_kv": 0}"#, "d_kv"),
            (#"{"relative_attention_num_buckets": 2}"#, "relative_attention_num_buckets"),
            (#"{"relative_attention_max_distance": 8}"#, "relative_attention_max_distance"),
        ] { #expect(error(T5Configuration.self, json)?.key == key) }
        #expect(error(LDMBertConfiguration.self, #"{"head_dim": 0}"#)?.key == "head_dim")
        #expect(error(CLIPConfiguration.self, #"{"text_config": {"vocab_size": 0}}"#)?.key == "vocab_size")
    }

    @Test func `pictures are normalized as every published CLIP wants them`() {
        let mean = Tensor([0.48145466, 0.4578275, 0.40821073], shape: [1, 3, 1, 1])
        let deviation = Tensor([0.26862954, 0.26130258, 0.27577711], shape: [1, 3, 1, 1])
        let x = RandomGenerator(seed: 3).normal([2, 3, 4, 5])
        let pictures = x.to(.float64) * deviation + mean
        expectClose(ChannelStatistics.clip.normalized(pictures), x.to(.float64), absolute: 1e-12)
    }
}
