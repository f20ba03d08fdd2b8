import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// Answers are compared with those of diffusers through the program (`IPAdapterCommandTests`).
@Suite struct IPAdapterTests {
    /// Shapes of a file that need not be there.
    private struct Shapes: TensorSource {
        var shapes: [String: Shape]
        var names: [String] { shapes.keys.sorted() }
        var files: [String] { [] }
        func shape(of name: String) -> Shape? { shapes[name] }
        func elementType(of name: String) -> ElementType? { .float16 }
        func tensor(named name: String) throws -> Tensor {
            throw CheckpointError("", "\(name) has no values")
        }
    }

    /// The U-Net of Stable Diffusion 1.
    private static let stable = {
        var configuration = UNet2DConditionConfiguration()
        configuration.crossAttentionDim = .same(768)
        return configuration
    }()

    /// That of Stable Diffusion XL.
    private static let large: JSONObject = [
        "_class_name": "UNet2DConditionModel", "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 2048, "transformer_layers_per_block": [1, 2, 10],
        "attention_head_dim": [5, 10, 20], "use_linear_projection": true,
        "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    ]

    private static func configuration(_ isLarge: Bool) throws -> UNet2DConditionConfiguration {
        isLarge ? try UNet2DCondition.configuration(large) : stable
    }

    /// The layers' numbers are those of diffusers' `attn_processors`: down, up, middle.
    @Test func `layers are numbered on the way down, on the way up and in the middle`() throws {
        let names = try Self.stable.textLayers().map(\.name)
        func name(_ block: String) -> String { "\(block).transformer_blocks.0.attn2" }
        #expect(names.count == 16 && names.first == name("down_blocks.0.attentions.0"))
        #expect(names[6] == name("up_blocks.1.attentions.0"))
        #expect(names.last == name("mid_block.attentions.0"))
        let large = try Self.configuration(true).textLayers()
        #expect(large.count == 70 && large[6].name == "down_blocks.2.attentions.0.transformer_blocks.2.attn2")
        #expect(large[0].shape == [640, 2048] && large[69].shape == [1280, 2048])
    }

    /// Keys and values for each layer of a U-Net.
    private static func attention(_ isLarge: Bool) throws -> [String: Shape] {
        let layers = try configuration(isLarge).textLayers()
        let pairs = layers.enumerated().flatMap { index, layer in
            ["k", "v"].map { ("ip_adapter.\(2 * index + 1).to_\($0)_ip.weight", layer.shape) }
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    private static func plain(_ features: Int, _ width: Int) -> [String: Shape] {
        [
            "proj.weight": [4 * width, features], "proj.bias": [4 * width], "norm.weight": [width],
            "norm.bias": [width],
        ]
    }

    private static func full(_ features: Int, _ width: Int) -> [String: Shape] {
        [
            "proj.0.weight": [features, features], "proj.0.bias": [features],
            "proj.2.weight": [width, features], "proj.2.bias": [width], "proj.3.weight": [width],
            "proj.3.bias": [width],
        ]
    }

    private static func plus(_ features: Int, _ width: Int, inner: Int) -> [String: Shape] {
        var shapes: [String: Shape] = [
            "latents": [1, 16, inner], "proj_in.weight": [inner, features], "proj_in.bias": [inner],
            "proj_out.weight": [width, inner], "proj_out.bias": [width], "norm_out.weight": [width],
            "norm_out.bias": [width],
        ]
        for layer in 0..<4 {
            let (attention, rest) = ("layers.\(layer).0", "layers.\(layer).1")
            for norm in ["\(attention).norm1", "\(attention).norm2", "\(rest).0"] {
                (shapes["\(norm).weight"], shapes["\(norm).bias"]) = ([inner], [inner])
            }
            shapes["\(attention).to_q.weight"] = [inner, inner]
            shapes["\(attention).to_kv.weight"] = [2 * inner, inner]
            shapes["\(attention).to_out.weight"] = [inner, inner]
            shapes["\(rest).1.weight"] = [4 * inner, inner]
            shapes["\(rest).3.weight"] = [inner, 4 * inner]
        }
        return shapes
    }

    private static func file(_ projection: [String: Shape], isLarge: Bool) throws -> Shapes {
        let named = projection.map { ("image_proj.\($0)", $1) }
        return Shapes(
            shapes: try attention(isLarge).merging(named) { own, _ in own })
    }

    /// Counts of diffusers' modules for the published sizes; as float16 they are the sizes of the published files.
    @Test(arguments: [
        ("ip-adapter_sd15", false, plain(1024, 768), 22_319_616),
        ("ip-adapter-plus_sd15", false, plus(1280, 768, inner: 768), 49_087_488),
        ("ip-adapter-full-face_sd15", false, full(1280, 768), 21_794_304),
        ("ip-adapter_sdxl", true, plain(1280, 2048), 351_285_248),
        ("ip-adapter-plus_sdxl_vit-h", true, plus(1280, 2048, inner: 1280), 423_748_864),
    ])
    func `parameters of published adapters are counted`(
        _ name: String, _ isLarge: Bool, _ projection: [String: Shape], _ count: Int
    ) throws {
        let source = try Self.file(projection, isLarge: isLarge)
        let store = ParameterStore(.compared(source))
        let adapter = try store.build { try IPAdapter(source, $0) }
        #expect(store.parameterCount == count, "\(name)")
        #expect(adapter.projection.tokenWidth == (isLarge ? 2048 : 768))
        #expect(adapter.layers.count == (isLarge ? 70 : 16))
    }

    /// What is no adapter that is read, and what is damaged, is said by name.
    @Test func `other files are refused`() throws {
        func refused(_ words: String, _ change: (inout [String: Shape]) -> Void) throws {
            var source = try Self.file(Self.plain(1024, 768), isLarge: false)
            change(&source.shapes)
            let error = #expect(throws: (any Error).self, "\(words)") {
                try ParameterStore(.compared(source)).build { try IPAdapter(source, $0) }
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains(words))
        }
        try refused("it is no IP-Adapter") { $0 = $0.filter { $0.key.hasPrefix("image_proj.") } }
        try refused("FaceID, which reads embeddings of faces") {
            ($0["image_proj.proj.weight"], $0["image_proj.proj.0.weight"]) = (nil, [512, 512])
        }
        try refused("FaceID Plus") {
            $0["image_proj.proj.weight"] = nil
            $0["image_proj.perceiver_resampler.proj_in.weight"] = [8, 8]
        }
        try refused("that no image_proj.* here names") { $0["image_proj.proj.weight"] = nil }
        try refused("\"image_proj.norm.bias\"") { $0["image_proj.norm.bias"] = nil }
        try refused("\"image_proj.more\"") { $0["image_proj.more"] = [4] }
        try refused("\"ip_adapter.0.to_q_lora.down.weight\"") {
            $0["ip_adapter.0.to_q_lora.down.weight"] = [4, 320]
        }
        try refused("1, 3, 5, … are needed") { $0["ip_adapter.1.to_k_ip.weight"] = nil }
        try refused("its tokens have 768 features, and one of its layers reads 16") {
            $0["ip_adapter.3.to_k_ip.weight"] = [320, 16]
        }
        try refused("which are no tokens of 768") { $0["image_proj.proj.weight"] = [100, 1024] }
        try refused("one of rank 2 is needed") { $0["image_proj.proj.weight"] = [3072, 32, 32] }
    }

    /// What is made once a run answers as what is made in every call, in one batch as by itself.
    @Test func `prepared conditions give the same`() throws {
        var configuration = UNet2DConditionConfiguration()
        (configuration.blockOutChannels, configuration.normNumGroups) = ([8, 8], 4)
        (configuration.layersPerBlock, configuration.crossAttentionDim) = (.same(1), .same(6))
        configuration.attentionHeadDim = .same(2)
        configuration.downBlockTypes = [.crossAttention, .plain]
        configuration.upBlockTypes = [.plain, .crossAttention]
        let network = try ParameterStore(.initialized(RandomGenerator(seed: 1))).build {
            try UNet2DCondition(configuration, $0)
        }
        let generator = RandomGenerator(seed: 2)
        let layers = try configuration.textLayers()
        var tensors: [String: Tensor] = [
            "image_proj.proj.weight": generator.normal([12, 5]),
            "image_proj.proj.bias": generator.normal([12]),
            "image_proj.norm.weight": generator.normal([6]), "image_proj.norm.bias": generator.normal([6]),
        ]
        for (index, layer) in layers.enumerated() {
            for part in ["k", "v"] {
                tensors["ip_adapter.\(2 * index + 1).to_\(part)_ip.weight"] = generator.normal(layer.shape)
            }
        }
        let source = TensorDictionary(tensors)
        let adapter = try ParameterStore(.loaded(source)).build { try IPAdapter(source, $0) }
        let (x, time) = (generator.normal([1, 4, 8, 8]), Tensor([Float(500)]))
        func conditions(_ scale: Double?) -> Conditions {
            var conditions = Conditions(context: RandomGenerator(seed: 3).normal([1, 7, 6]))
            guard let scale else { return conditions }
            let image = RandomGenerator(seed: 4).normal([2, 5])
            let names = layers.map(\.name)
            let prompt = adapter.prompt(of: image, for: names, scale: scale)
            conditions[.imagePrompts] = ImagePrompts([prompt, prompt])
            return conditions
        }
        func answer(_ conditions: Conditions) -> Tensor { network(x, time: time, conditions) }
        let (plain, seen) = (answer(conditions(nil)), answer(conditions(0.4)))
        #expect(try (plain - seen).magnitude().max().item(Float.self) > 1e-3)
        expectClose(answer(network.preparing(conditions(0.4))), seen, absolute: 1e-6)
        // Two of the same add up.
        var one = conditions(0.4)
        one[.imagePrompts]?.prompts.removeLast()
        var doubled = conditions(0.8)
        doubled[.imagePrompts]?.prompts.removeLast()
        expectClose(answer(doubled), seen, absolute: 1e-5)
        #expect(try (answer(one) - seen).magnitude().max().item(Float.self) > 1e-4)
        let both = network.preparing(conditions(0).followed(by: conditions(0.4)))
        let rows = network(concatenated([x, x]), time: time, both)
        expectClose(rows.slice(1..<2, of: 0), answer(conditions(0.4)), absolute: 1e-6)
    }
}
