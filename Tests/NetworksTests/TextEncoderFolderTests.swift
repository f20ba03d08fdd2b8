import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Counts, names and folders of the text encoders.
@Suite struct TextEncoderFolderTests {
    private func count<Network: ConfiguredNetwork>(_ type: Network.Type, _ json: String) throws -> Int {
        let configuration = try JSONDecoder().decode(Network.Configuration.self, from: Data(json.utf8))
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try Network(configuration, $0) }
        #expect(store.parameters.allSatisfy { $0.device == .meta })
        return store.parameterCount
    }

    private let largeText = """
        {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12}
        """
    private let largeVision = """
        {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24,
         "patch_size": 14, "image_size": 224}
        """

    @Test func `published parameter counts are reproduced`() throws {
        #expect(try count(CLIPText.self, largeText) == 123_060_480)
        let whole = """
            {"text_config": \(largeText), "vision_config": \(largeVision), "projection_dim": 768}
            """
        #expect(try count(CLIP.self, whole) == 427_616_513)
        #expect(
            try count(
                CLIPText.self,
                """
                {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "hidden_act": "gelu",
                 "num_hidden_layers": 23}
                """) == 340_387_840)
        #expect(
            try count(
                CLIPTextWithProjection.self,
                """
                {"hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20, "hidden_act": "gelu",
                 "num_hidden_layers": 32, "projection_dim": 1280}
                """) == 694_659_840)
        #expect(
            try count(
                T5Encoder.self,
                """
                {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64,
                 "feed_forward_proj": "gated-gelu"}
                """) == 4_762_310_656)
        #expect(try count(LDMBert.self, "{}") == 581_994_042)
    }

    /// In 8 bits the encoder of Stable Diffusion 3 leaves room in 24 GB for all else.
    @Test func `T5-XXL takes half of its memory in bfloat16`() throws {
        var configuration = T5Configuration()
        (configuration.dModel, configuration.dFf) = (4096, 10240)
        (configuration.numLayers, configuration.numHeads) = (24, 64)
        (configuration.denseActFn, configuration.isGatedAct) = (.newGELU, true)
        func bytes(_ format: MatrixFormat) throws -> Int {
            let store = ParameterStore(.shapesOnly, elementType: .bfloat16, matrices: format)
            _ = try store.build { try T5Encoder(configuration, $0) }
            return store.byteCount
        }
        let (full, small) = (try bytes(.full), try bytes(.int8))
        #expect(full == 2 * 4_762_310_656)
        #expect(Double(small) < 0.515 * Double(full))
    }

    private var tiny: CLIPTextConfiguration {
        var configuration = CLIPTextConfiguration()
        (configuration.vocabSize, configuration.hiddenSize, configuration.intermediateSize) = (20, 8, 12)
        (configuration.numHiddenLayers, configuration.numAttentionHeads) = (2, 2)
        (configuration.maxPositionEmbeddings, configuration.eosTokenId) = (5, 19)
        configuration.projectionDim = 6
        return configuration
    }

    private func made<Network: ConfiguredNetwork>(
        _ type: Network.Type, _ configuration: Network.Configuration
    ) throws -> (network: Network, store: ParameterStore) {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 4)))
        return (try store.build { try Network(configuration, $0) }, store)
    }

    @Test func `a written folder is one of transformers, and gives the same network`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("text_encoder"))
        let (network, store) = try made(CLIPTextWithProjection.self, tiny)
        try network.write(store, to: folder)
        let object = try folder.configuration()
        #expect(object["architectures"] == .array([.string("CLIPTextModelWithProjection")]))
        #expect(object["model_type"] == "clip_text_model" && object["_class_name"] == nil)
        #expect(try folderNames(folder.path) == ["config.json", "model.safetensors"])
        let loaded = try CLIPTextWithProjection.load(folder)
        #expect(loaded.network.configuration == tiny)
        #expect(loaded.store.report.used == store.names)
        let ids = Tensor([3, 4, 19, 19, 0, 19], shape: [2, 3])
        #expect(try distance(loaded.network(ids).embedding, network(ids).embedding) == 0)
    }

    /// Names as published before transformers 5 (with buffers), as transformers 5 writes them, and inside
    /// the checkpoint of a whole CLIP.
    @Test func `names of every age are understood`() throws {
        let (_, store) = try made(CLIPText.self, tiny)
        let published = store.source.tensors
        #expect(published.keys.contains("text_model.encoder.layers.1.self_attn.q_proj.weight"))
        var withBuffer = published
        withBuffer["text_model.embeddings.position_ids"] = Tensor([0, 1, 2, 3, 4], shape: [1, 5])
        var whole = withBuffer
        for name in [
            "logit_scale", "text_projection.weight", "visual_projection.weight",
            "vision_model.embeddings.class_embedding",
        ] { whole[name] = .ones([1]) }
        let bare = Dictionary(
            uniqueKeysWithValues: published.map { (String($0.dropFirst("text_model.".count)), $1) })
        for tensors in [published, withBuffer, whole, bare] {
            let again = ParameterStore(.loaded(try CLIPText.native(TensorDictionary(tensors))))
            _ = try again.build { try CLIPText(tiny, $0) }
            for name in store.names {
                #expect(try distance(#require(again[name]), #require(store[name])) == 0)
            }
        }
        var strange = published
        strange["text_model.encoder.layers.2.self_attn.q_proj.weight"] = .ones([1])
        let source = try CLIPText.native(TensorDictionary(strange))
        #expect { try ParameterStore(.loaded(source)).build { try CLIPText(tiny, $0) } } throws: {
            ($0 as? LoadError)?.report?.unused == ["text_model.encoder.layers.2.self_attn.q_proj.weight"]
        }
    }

    @Test func `T5's table is found under either name, and a decoder is passed over`() throws {
        var configuration = T5Configuration()
        (configuration.vocabSize, configuration.dModel, configuration.dKv) = (9, 4, 2)
        (configuration.dFf, configuration.numLayers, configuration.numHeads) = (6, 1, 2)
        let (_, store) = try made(T5Encoder.self, configuration)
        var both = store.source.tensors
        both["encoder.embed_tokens.weight"] = both["shared.weight"]
        both["decoder.final_layer_norm.weight"] = .ones([4])
        both["lm_head.weight"] = .ones([9, 4])
        var second = both
        second["shared.weight"] = nil
        for tensors in [both, second] {
            let again = ParameterStore(.loaded(try T5Encoder.native(TensorDictionary(tensors))))
            _ = try again.build { try T5Encoder(configuration, $0) }
            #expect(again.report.used.count == store.names.count)
        }
    }

    @Test func `8 bits change what a network says by little`() throws {
        var configuration = T5Configuration()
        (configuration.vocabSize, configuration.dModel, configuration.dKv) = (50, 64, 16)
        (configuration.dFf, configuration.numLayers, configuration.numHeads) = (96, 2, 4)
        let (network, store) = try made(T5Encoder.self, configuration)
        let small = try ParameterStore(.loaded(store.source), matrices: .int8).build {
            try T5Encoder(configuration, $0)
        }
        let ids = Tensor([3, 4, 9, 49, 0, 1], shape: [1, 6])
        let (exact, found) = (network(ids).last, small(ids).last)
        let off: Double = try ((found - exact).norm() / exact.norm()).item()
        #expect(off < 0.01 && off > 1e-6)
    }
}
