import Checkpoints
import Layers
import Storage
import Tensors
import TestSupport
import Testing

/// Families recognized by names and shapes, and files that are not quite what they should be.
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
        #expect(try Set(file.configurations().keys.filter { !$0.isSchedule }) == [.unet])
        #expect(try file.configurations()[.scheduler] != nil)
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

    /// Without values nothing says what version 2 predicts.
    @Test func sd2CannotBeDistinguishedByShapes() throws {
        let file = try SingleFileCheckpoint(PublishedFile(.stableDiffusion2).source)
        #expect(file.evidence == .unknown && file.needsPrediction)
        #expect(file.caveats().contains { $0.contains("cannot be seen") })
        var given = file
        given.prediction = "epsilon"
        #expect(!given.needsPrediction && !given.caveats().contains { $0.contains("cannot be seen") })
        let configurations = try given.configurations()
        #expect(configurations[.unet]?["sample_size"] == 64)
        #expect(configurations[.scheduler]?["prediction_type"] == "epsilon")
    }

    // MARK: Strictness

    @Test func straysAreErrorsWhereItIsStrict() throws {
        let source = try PublishedFile(.stableDiffusion1).source.adding([("embedding_manager.x", [3])])
        let file = try SingleFileCheckpoint(source)
        #expect(file.strays == ["embedding_manager.x"] && file.strangers.isEmpty)
        try file.check(isStrict: false)
        #expect(throws: CheckpointError.self) { try file.check(isStrict: true) }
        let odd = try PublishedFile(.stableDiffusionXL).source.adding([("conditioner.embedders.2.x", [3])])
        let other = try SingleFileCheckpoint(odd)
        #expect(other.strangers == ["conditioner.embedders.2.x"])
        #expect(throws: CheckpointError.self) { try other.check(isStrict: false) }
    }

    /// Where no prefix begins a network's names, their first words do.
    @Test(arguments: [CheckpointFamily.diffusionTransformer, .stableDiffusion35Large])
    func whatTrainingLeavesBesideATransformerIsAStray(_ family: CheckpointFamily) throws {
        let part = try #require(PublishedFile(family).components.first { $0.component == .transformer })
        let rows = part.rows.map { row in
            (String(row.foreign.split(separator: "model.diffusion_model.").last ?? ""), row.shape)
        }
        let source = ShapeSource(rows + [("global_step", []), ("x_embedder.odd", [3])])
        let file = try SingleFileCheckpoint(source)
        #expect(file.family == family && file.strays == ["global_step"])
        #expect(try file.weights(of: .transformer).names.contains("x_embedder.odd"))
    }

    /// The published process gives way to that of the marks, with the factor that goes with the statistics.
    @Test func marksReplaceThePublishedProcess() throws {
        var tensors = ["model.diffusion_model.input_blocks.0.0.weight": Tensor.zeros([1, 4, 1, 1])]
        tensors["model.diffusion_model.input_blocks.1.0.in_layers.0.weight"] = .zeros([1])
        tensors["first_stage_model.encoder.down.0.block.0.norm1.weight"] = .zeros([1])
        func configurations(_ marks: [String: Tensor]) throws -> [ModelComponent: JSONObject] {
            let source = TensorDictionary(tensors.merging(marks) { $1 })
            return try SingleFileCheckpoint(source, family: .stableDiffusionXL).configurations()
        }
        let own = try configurations([:])
        #expect(own[.scheduler]?["prediction_type"] == "epsilon" && own[.vae]?["latents_mean"] == nil)
        let statistics = try configurations(["edm_mean": Tensor([1, 2] as [Float]), "edm_std": .ones([2])])
        #expect(statistics[.scheduler]?["_class_name"] == "EDMDPMSolverMultistepScheduler")
        #expect(
            statistics[.vae]?["latents_mean"] == [1.0, 2.0] && statistics[.vae]?["scaling_factor"] == 0.5)
        let cosine = try configurations([
            "edm_vpred.sigma_max": Tensor([120] as [Float]), "edm_vpred.sigma_min": Tensor([0.5] as [Float]),
        ])
        #expect(cosine[.scheduler]?["_class_name"] == "EDMEulerScheduler")
        #expect(cosine[.scheduler]?["sigma_max"] == 120.0 && cosine[.scheduler]?["sigma_min"] == 0.5)
        #expect(cosine[.scheduler]?["prediction_type"] == "v_prediction")
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
    @Test func numbersInNamesAreNotTrusted() {
        let names = ["blocks.0.a", "blocks.1.a", "blocks.99999999999999999999.a", "blocks.4000000000.a"]
        #expect(TensorLayout.count(names, of: "blocks.") == 2)
    }
}
