import Checkpoints
import Datasets
import Foundation
import Networks
import Pictures
import Pipelines
import Tensors
import TestSupport
import Testing
import Training

/// Training on latents: encoded ones give the losses of those that are encoded in every step, the model is a whole pipeline
/// with decoded pictures, and what does not belong together is refused.
@Suite struct LatentTrainingTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["sd1", "ldm", "sd2"] {
            try Fixture("pipelines/\(name)").write("model", to: folder(name))
        }
    }

    private static let networks = [
        "dit": "kind: dit, num_attention_heads: 2, attention_head_dim: 8, num_layers: 1",
        "unet2d":
            "kind: unet2d, block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4, down_block_types: [DownBlock2D, DownBlock2D], up_block_types: [UpBlock2D, UpBlock2D]",
        "unet2d-condition":
            "kind: unet2d-condition, block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4, attention_head_dim: 2, down_block_types: [DownBlock2D, CrossAttnDownBlock2D], up_block_types: [CrossAttnUpBlock2D, UpBlock2D]",
        "mmdit":
            "kind: mmdit, num_attention_heads: 2, attention_head_dim: 8, num_layers: 1, pos_embed_max_size: 8",
    ]

    private func recipe(
        _ network: String, conditioning: String, autoencoder: String, data: String, flip: Bool = false
    ) throws -> Recipe {
        let process = network == "mmdit" ? "{process: flow, prediction: flow}" : "{train_steps: 50}"
        let text = conditioning == "text" ? ", text_encoder: \(folder("sd1"))" : ""
        return try Recipe(
            yaml: """
                data: {\(data), split: train, flip: \(flip)}
                model: {\(Self.networks[network]!), conditioning: \(conditioning), autoencoder: \(folder(autoencoder))\(text)}
                diffusion: \(process)
                training:
                  {steps: 3, batch_size: 8, warmup_steps: 0, checkpoint_every: 2, sample_every: 0, log_every: 1, threads: 1}
                evaluation: {steps: 2, count: 10, solver: \(network == "mmdit" ? "flow-euler" : "ddim")}
                """)
    }

    private func digits(_ captions: String) -> String {
        "kind: digits, path: \(fixturePath("../../data/digits/digits.csv.gz")), size: 16, captions: \(captions)"
    }

    private func trained(_ recipe: Recipe, _ name: String) throws -> [[String: Double]] {
        let trainer = try Trainer(recipe: recipe, folder: folder(name), resume: false)
        #expect(try trainer.train() == .complete)
        return try MetricsLog.read(folder(name) + "/metrics.jsonl").map(\.values)
    }

    @Test(arguments: [
        ("dit", "class", "sd1", true), ("unet2d", "none", "ldm", false), ("unet2d", "class", "ldm", true),
        ("unet2d-condition", "class", "sd1", false), ("unet2d-condition", "text", "sd1", true),
        ("mmdit", "text", "ldm", false),
    ])
    func encodedLatentsGiveTheSameLosses(
        network: String, conditioning: String, autoencoder: String, flip: Bool
    ) throws {
        let isText = conditioning == "text"
        let online = try recipe(
            network, conditioning: conditioning, autoencoder: autoencoder,
            data: digits(isText ? "class-names" : "none"), flip: flip)
        let encoding = try LatentEncoding(
            online.data, autoencoder: folder(autoencoder), textEncoder: isText ? folder("sd1") : nil,
            batchSize: 100)
        _ = try encoding.write(to: folder("latents"))
        let encoded = try recipe(
            network, conditioning: conditioning, autoencoder: autoencoder,
            data: "kind: latents, path: \(folder("latents")), captions: \(isText ? "file" : "none")",
            flip: flip)
        let (first, second) = try (trained(online, "online"), trained(encoded, "encoded"))
        #expect(first.count == 3 && second.count == 3)
        for (one, two) in zip(first, second) {
            for key in ["loss", "validation_loss"] where one[key] != nil || two[key] != nil {
                let (one, two) = (try #require(one[key]), try #require(two[key]))
                #expect(abs(one - two) <= 1e-6 * one, "\(key): \(one), \(two)")
            }
        }
        #expect(first[0]["loss"] != first[1]["loss"] && first[2]["validation_loss"] != nil)
        try expectPipeline(folder("online"), network, conditioning)
    }

    /// The folder of a run is sampled as any other model, its sheets are decoded pictures, and both are one picture.
    private func expectPipeline(_ run: String, _ network: String, _ conditioning: String) throws {
        let model = try Model(run)
        #expect(model.diffusesLatents && model.takesPrompt == (conditioning == "text"))
        #expect(model.classCount == (conditioning == "class" ? 10 : nil))
        let sheet = try Picture(contentsOf: URL(fileURLWithPath: run + "/samples/step-3.png"))
        var request = Request()
        (request.count, request.seed) = (10, 0)
        if conditioning == "class" { request.classes = .all }
        if conditioning == "text" {
            let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
            request.prompts = names
        }
        let pictures = try model.run(request).pictures()
        #expect(pictures.shape == [10, 3, 16, 16])
        #expect(try Picture.sheet(of: pictures).width == sheet.width)
        if conditioning != "text" { #expect(try Picture.sheet(of: pictures).pixels == sheet.pixels) }
        // Without a class where the network knows one that stands for none.
        if conditioning == "class" {
            request.classes = nil
            #expect(try model.run(request).pictures().shape == [10, 3, 16, 16])
        }
    }

    @Test func anInterruptedRunGoesOnBitForBit() throws {
        let recipe = try recipe(
            "unet2d-condition", conditioning: "class", autoencoder: "sd1", data: digits("none"))
        _ = try trained(recipe, "whole")
        func interrupted() throws {
            var steps = 0
            let first = try Trainer(recipe: recipe, folder: folder("parts"), resume: false)
            #expect(
                try first.train(isInterrupted: { steps == 1 }, report: { _ in steps += 1 }) == .interrupted)
        }
        try interrupted()
        let second = try Trainer(recipe: recipe, folder: folder("parts"), resume: true)
        #expect(try second.train() == .complete)
        for name in ["model.safetensors", "ema.safetensors", "optimizer.safetensors"] {
            let files = ["whole", "parts"].map { folder.bytes("\($0)/checkpoints/step-3/\(name)") }
            #expect(!files[0].isEmpty && files[0] == files[1], "\(name)")
        }
        let table = try SafetensorsFile(
            path: folder("whole/model/class_embedder/diffusion_pytorch_model.safetensors"))
        #expect(table.shape(of: "embedding.weight") == [11, 512])
    }

    private func refusal(_ recipe: Recipe) -> String {
        do {
            _ = try recipe.parts()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func whatDoesNotBelongTogetherIsRefused() throws {
        let data = digits("class-names")
        let online = try recipe("unet2d-condition", conditioning: "text", autoencoder: "sd1", data: data)
        _ = try LatentEncoding(
            online.data, autoencoder: folder("sd1"), textEncoder: folder("sd1"), split: .train, batchSize: 100
        ).write(to: folder("latents"))
        let encoded = "kind: latents, path: \(folder("latents")), captions: file"
        func changed(_ change: (inout Recipe) -> Void) throws -> Recipe {
            var recipe = try recipe(
                "unet2d-condition", conditioning: "text", autoencoder: "sd1", data: encoded)
            change(&recipe)
            return recipe
        }
        #expect(try refusal(changed { _ in }).isEmpty)
        // Another autoencoder of as many channels, and one of another number.
        #expect(
            try refusal(changed { $0.model.autoencoder = folder("ldm") }).contains(
                "were made by another autoencoder"))
        #expect(try refusal(changed { $0.model.autoencoder = folder("sd2") }).contains("another autoencoder"))
        #expect(
            try refusal(changed { $0.model.autoencoder = folder("nowhere") }).hasPrefix("model.autoencoder"))
        let width = try CLIPText.configuration(of: ModelFolder(folder("sd2/text_encoder"))).hiddenSize
        let other = try refusal(changed { $0.model.textEncoder = folder("sd2") })
        #expect(
            other.contains(width == 24 ? "by another one" : "gives \(width) features a token"), "\(other)")
        #expect(try refusal(changed { $0.model.textTokens = 20 }).contains("77 tokens"))
        #expect(try refusal(changed { $0.data.flip = true }).contains("without mirror images"))
        #expect(throws: RecipeError.self) { try changed { $0.model.autoencoder = nil }.validate() }
        #expect(throws: RecipeError.self) {
            try recipe("dit", conditioning: "none", autoencoder: "sd1", data: "kind: points, path: x")
                .validate()
        }
        // Latents that the U-Net cannot halve, pictures that the autoencoder cannot.
        let small = try recipe("unet2d", conditioning: "none", autoencoder: "ldm", data: digits("none"))
        var odd = small
        odd.data.size = 12
        #expect(refusal(odd).contains("halves latents"), "\(refusal(odd))")
        odd.data.size = 14
        #expect(refusal(odd).contains("multiple of 4"), "\(refusal(odd))")
    }

    /// A second run at a higher resolution: places are computed anew or brought to the new size.
    @Test(arguments: ["dit", "mmdit"]) func resolutionIsRaised(network: String) throws {
        let conditioning = network == "dit" ? "class" : "text"
        let data = digits(network == "dit" ? "none" : "class-names")
        _ = try trained(recipe(network, conditioning: conditioning, autoencoder: "sd1", data: data), "low")
        var high = try recipe(
            network, conditioning: conditioning, autoencoder: "sd1",
            data: data.replacingOccurrences(of: "size: 16", with: "size: 32"))
        high.model.from = folder("low")
        if network == "mmdit" {
            guard var larger = high.model.network.configuration.settings as? MMDiTConfiguration else {
                return
            }
            larger.posEmbedMaxSize = 16
            high.model.network = RecipeNetwork(NetworkConfiguration(larger))
        }
        let trainer = try Trainer(recipe: high, folder: folder("high"), resume: false)
        if network == "mmdit" {
            let old = try SafetensorsFile(
                path: folder("low/model/transformer/diffusion_pytorch_model.safetensors"))
            let expected = PlaceTable().resized(
                try old.tensor(named: "pos_embed.pos_embed"), to: [1, 256, 16])
            expectClose(try #require(trainer.state.store["pos_embed.pos_embed"]), expected)
        }
        #expect(try trainer.train() == .complete)
        #expect(try Model(folder("high")).diffusesLatents)
    }
}
