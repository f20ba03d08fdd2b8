import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// Families told by names and shapes, and files that are not quite what they should be.
@Suite struct FamilyTests {
    /// A U-Net alone is known by the width of what it attends to.
    @Test(arguments: [
        CheckpointFamily.stableDiffusion1, .stableDiffusion1Inpainting, .stableDiffusion2,
        .stableDiffusion2Inpainting, .stableDiffusionXL, .stableDiffusionXLRefiner, .upscaler4,
    ])
    func aUNetAloneIsRecognised(_ family: CheckpointFamily) throws {
        let unet = try PublishedFile(family).source.filtered { $0.hasPrefix("model.diffusion_model.") }
        #expect(CheckpointRecognition(unet) == .family(family))
        let file = try SingleFileCheckpoint(unet)
        #expect(file.components == [.unet])
        #expect(Set(file.configurations.keys.filter { !$0.isSchedule }) == [.unet])
        #expect(file.configurations[.scheduler] != nil)
        #expect(throws: CheckpointError.self) { try file.weights(of: .vae) }
    }

    @Test func aTransformerWithoutScopeIsRecognised() throws {
        let whole = try PublishedFile(.stableDiffusion35Large)
        let part = try #require(whole.components.first { $0.component == .transformer })
        let prefix = "model.diffusion_model."
        let source = ShapeSource(part.rows.map { (String($0.foreign.dropFirst(prefix.count)), $0.shape) })
        let file = try SingleFileCheckpoint(source)
        #expect(file.family == .stableDiffusion35Large && file.components == [.transformer])
        #expect(try file.weights(of: .transformer).names.count == part.rows.flatMap(\.natives).count)
    }

    static let strangers: [(String, Shape, String)] = [
        ("lora_unet_down_blocks_0.lora_down.weight", [4, 320], "LoRA"),
        ("control_model.input_blocks.0.0.weight", [320, 4, 3, 3], "ControlNet"),
        ("double_blocks.0.img_attn.qkv.weight", [9216, 3072], "Flux"),
        ("text_model.encoder.layers.0.mlp.fc1.weight", [3072, 768], "text encoder"),
        ("first_stage_model.encoder.conv_in.weight", [128, 3, 3, 3], "autoencoder"),
        ("something.weight", [1], "no known family"),
    ]

    @Test(arguments: strangers)
    func otherFilesAreNamed(_ name: String, _ shape: Shape, _ word: String) {
        guard case .unknown(let reason) = CheckpointRecognition(ShapeSource([(name, shape)])) else {
            Issue.record("\(name) was recognised")
            return
        }
        #expect(reason.contains(word), "\(reason)")
        #expect(throws: CheckpointError.self) { try SingleFileCheckpoint(ShapeSource([(name, shape)])) }
    }

    @Test func relativesAreNotTakenForTheFamily() throws {
        let name = "model.diffusion_model.input_blocks.0.0.weight"
        for (family, inputs, word) in [
            (CheckpointFamily.stableDiffusion1, 8, "InstructPix2Pix"), (.stableDiffusionXL, 9, "9 channels"),
            (.stableDiffusion2, 5, "5 channels"), (.upscaler4, 4, "4 channels"),
        ] {
            let source = try PublishedFile(family).source.filtered { $0 != name }.adding([
                (name, [320, inputs, 3, 3])
            ])
            guard case .unknown(let reason) = CheckpointRecognition(source) else {
                Issue.record("\(family) with \(inputs) channels was recognised")
                continue
            }
            #expect(reason.contains(word), "\(reason)")
        }
        let video = try PublishedFile(.stableDiffusion2).source.adding([
            ("model.diffusion_model.input_blocks.1.0.time_stack.0.in_layers.0.weight", [320])
        ])
        #expect(
            CheckpointRecognition(video)
                == .unknown(reason: "its U-Net has layers over time: it makes videos"))
        let text = try PublishedFile(.latentDiffusionVQ8).source.filtered {
            !$0.hasPrefix("cond_stage_model.")
        }
        guard case .unknown = CheckpointRecognition(text) else {
            Issue.record("an unconditional VQ-f8 model was recognised")
            return
        }
    }

    @Test func sd2CannotBeToldApart() {
        #expect(CheckpointFamily.stableDiffusion2.caveats.contains { $0.contains("cannot be told") })
    }

    // MARK: Strictness

    @Test func straysAreErrorsUnlessAllowed() throws {
        let source = try PublishedFile(.stableDiffusion1).source.adding([("embedding_manager.x", [3])])
        #expect(throws: CheckpointError.self) { try SingleFileCheckpoint(source) }
        #expect(try SingleFileCheckpoint(source, allowsStrays: true).strays == ["embedding_manager.x"])
    }

    /// A name within a network that its layout does not know reaches the report of a strict load.
    @Test func unknownNamesOfAComponentReachTheReport() throws {
        let odd = "cond_stage_model.model.transformer.resblocks.0.attn.rotary"
        let source = try PublishedFile(.stableDiffusion2).source.adding([(odd, [3])])
        let weights = try SingleFileCheckpoint(source).weights(of: .textEncoder)
        #expect(weights.names.contains(odd))
        let store = ParameterStore(.loaded(TensorDictionary([odd: Tensor([1] as [Float])])))
        let error = #expect(throws: LoadError.self) { try store.build { $0.parameter("a", [1], .zeros) } }
        #expect(error?.report?.unused == [odd])
    }

    @Test func twoLayoutsInOneFileAreRefused() throws {
        let source = try PublishedFile(.stableDiffusion1).source.adding([
            ("cond_stage_model.transformer.final_layer_norm.weight", [768])
        ])
        let error = #expect(throws: CheckpointError.self) { try SingleFileCheckpoint(source) }
        #expect(error?.problem.contains("mixes two layouts") == true)
    }

    /// `LitEma` keeps the averages of a network under names without points.
    @Test func averagesStandInForWeights() throws {
        let (weight, key) = (
            "model.diffusion_model.time_embed.0.weight", "model_ema.diffusion_modeltime_embed0weight"
        )
        var tensors = ["model.diffusion_model.input_blocks.0.0.weight": Tensor.zeros([1, 4, 1, 1])]
        tensors["model.diffusion_model.input_blocks.1.0.in_layers.0.weight"] = .zeros([1])
        tensors[weight] = Tensor([1] as [Float])
        tensors[key] = Tensor([2] as [Float])
        tensors["model_ema.num_updates"] = .zeros([])
        let all = TensorDictionary(tensors)
        let plain = try SingleFileCheckpoint(all, family: .stableDiffusion1)
        #expect(try plain.weights(of: .unet).tensor(named: "time_embedding.linear_1.weight").item() == 1.0)
        #expect(plain.setAside.count == 2)
        #expect(throws: CheckpointError.self) {
            try SingleFileCheckpoint(all, family: .stableDiffusion1, usesAverage: true)
        }
        for name in ["input_blocks.0.0.weight", "input_blocks.1.0.in_layers.0.weight"] {
            tensors["model_ema.diffusion_model" + name.filter { $0 != "." }] = Tensor([2] as [Float])
        }
        let averaged = try SingleFileCheckpoint(
            TensorDictionary(tensors), family: .stableDiffusion1, usesAverage: true)
        #expect(try averaged.weights(of: .unet).tensor(named: "time_embedding.linear_1.weight").item() == 2.0)
        #expect(try averaged.weights(of: .unet).shape(of: "conv_in.weight") == [1])
    }

    /// Names that count far, as in a hostile file, cost nothing.
    @Test func numbersInNamesAreNotBelieved() {
        let names = ["blocks.0.a", "blocks.1.a", "blocks.99999999999999999999.a", "blocks.4000000000.a"]
        #expect(TensorLayout.count(names, of: "blocks.") == 2)
    }
}
