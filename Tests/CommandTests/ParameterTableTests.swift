import Checkpoints
import Layers
import Storage
import TestSupport
import Testing

/// The tables of the two latent-diffusion models that the article S4 prints, row by row. `inspect` makes them
/// of the configurations alone; the article's numbers in brackets (tensors that are not trained) stand here
/// without them.
@Suite struct ParameterTableTests {
    /// CelebA-HQ, VQ with factor 4.
    private static let four: [(String, Int)] = [
        ("model.diffusion_model.time_embed", 1_005_312),
        ("model.diffusion_model.input_blocks", 73_170_272),
        ("model.diffusion_model.middle_block", 33_736_192),
        ("model.diffusion_model.output_blocks", 166_137_888), ("model.diffusion_model.out", 6_499),
        ("first_stage_model.encoder.conv_in", 3_584), ("first_stage_model.encoder.down", 11_824_000),
        ("first_stage_model.encoder.mid", 10_494_976), ("first_stage_model.encoder.norm_out", 1_024),
        ("first_stage_model.encoder.conv_out", 13_827), ("first_stage_model.decoder.conv_in", 14_336),
        ("first_stage_model.decoder.mid", 10_494_976), ("first_stage_model.decoder.up", 22_447_744),
        ("first_stage_model.decoder.norm_out", 256), ("first_stage_model.decoder.conv_out", 3_459),
        ("first_stage_model.quantize.embedding", 24_576), ("first_stage_model.quant_conv", 12),
        ("first_stage_model.post_quant_conv", 12),
    ]

    /// ImageNet by class, VQ with factor 8.
    private static let eight: [(String, Int)] = [
        ("model.diffusion_model.time_embed", 1_312_768),
        ("model.diffusion_model.input_blocks", 109_752_320),
        ("model.diffusion_model.middle_block", 61_901_824),
        ("model.diffusion_model.output_blocks", 222_007_552), ("model.diffusion_model.out", 9_732),
        ("first_stage_model.encoder.conv_in", 3_584), ("first_stage_model.encoder.down", 16_879_744),
        ("first_stage_model.encoder.mid", 10_494_976), ("first_stage_model.encoder.norm_out", 1_024),
        ("first_stage_model.encoder.conv_out", 18_436), ("first_stage_model.decoder.conv_in", 18_944),
        ("first_stage_model.decoder.mid", 10_494_976), ("first_stage_model.decoder.up", 29_736_320),
        ("first_stage_model.decoder.norm_out", 256), ("first_stage_model.decoder.conv_out", 3_459),
        ("first_stage_model.quantize.embedding", 65_536), ("first_stage_model.quant_conv", 20),
        ("first_stage_model.post_quant_conv", 20), ("cond_stage_model.embedding", 512_000),
    ]

    /// The block of the first model that the article shows in detail: a residual block, attention, and the
    /// doubling of the resolution.
    private static let block: [(String, Int)] = [
        ("0.in_layers.0", 1_344), ("0.in_layers.2", 2_709_952), ("0.emb_layers.1", 401_856),
        ("0.out_layers.0", 896), ("0.out_layers.3", 1_806_784), ("0.skip_connection", 301_504),
        ("1.norm", 896), ("1.qkv", 603_456), ("1.proj_out", 201_152), ("2.conv", 1_806_784),
    ].map { ("model.diffusion_model.output_blocks.8.\($0)", $1) }

    @Test func theTableOfFactorFour() throws {
        let folder = try TemporaryFolder()
        try write(.latentDiffusionVQ4, to: folder)
        let found = try inspected(folder, "--names", "original")
        expectRows(found, ["unet", "vqvae"], Self.four)
        #expect(found.parameters == ["unet": 274_056_163, "vqvae": 55_322_782])
        #expect(found.total == 329_378_945 && found.megabytes == 1317.51578)
        let deep = try inspected(folder, "--names", "original", "--depth", "7")
        expectRows(deep, ["unet"], Self.block) { $0.hasPrefix("model.diffusion_model.output_blocks.8.") }
        let text = try Program.run("inspect", folder.path, "--names", "original").output
        #expect(text.contains("329,378,945 parameters, 1,317.516 MB"))
        #expect(text.contains("model.diffusion_model.input_blocks   73,170,272"))
    }

    @Test func theTableOfFactorEight() throws {
        let folder = try TemporaryFolder()
        try write(.latentDiffusionVQ8, to: folder)
        let found = try inspected(folder, "--names", "original")
        expectRows(found, ["unet", "vqvae", "class_embedder"], Self.eight)
        #expect(
            found.parameters
                == ["unet": 394_984_196, "vqvae": 67_717_295, "class_embedder": 512_000])
        #expect(found.parameters["unet"]! + found.parameters["class_embedder"]! == 395_496_196)
        #expect(found.total == 463_213_491 && found.megabytes == 1852.853964)
        let text = try Program.run("inspect", folder.path).output
        #expect(text.contains("463,213,491 parameters, 1,852.854 MB"))
    }

    // MARK: Reading

    private struct Found {
        var total: Int?
        var megabytes: Double?
        var parameters: [String: Int] = [:]
        var rows: [String: [(String, Int)]] = [:]
    }

    private func inspected(_ folder: TemporaryFolder, _ options: String...) throws -> Found {
        let outcome = try Program.run(["inspect", folder.path, "--json"] + options)
        #expect(outcome.code == 0, "\(outcome.messages)")
        let json = try outcome.json()
        var found = Found()
        found.total = json["parameters"] as? Int
        found.megabytes = json["float32_megabytes"] as? Double
        for (name, component) in try #require(json["components"] as? [String: [String: Any]]) {
            found.parameters[name] = component["parameters"] as? Int
            found.rows[name] = (component["parts"] as? [[String: Any]])?.compactMap { part in
                guard let name = part["name"] as? String, let count = part["parameters"] as? Int else {
                    return nil
                }
                return (name, count)
            }
        }
        return found
    }

    private func expectRows(
        _ found: Found, _ components: [String], _ expected: [(String, Int)],
        where isMeant: (String) -> Bool = { _ in true }
    ) {
        let rows = components.flatMap { found.rows[$0] ?? [] }.filter { isMeant($0.0) }
        #expect(rows.map { "\($0.0) \($0.1)" } == expected.map { "\($0.0) \($0.1)" })
    }

    /// Writes the published configurations of a family, and no weights.
    private func write(_ family: CheckpointFamily, to folder: TemporaryFolder) throws {
        var index: JSONObject = ["_class_name": "LDMPipeline"]
        for (component, object) in family.configurations(TensorDictionary([:])) {
            let name = component.isSchedule ? "scheduler_config.json" : "config.json"
            try ModelFolder(folder(component.rawValue)).write(object, to: name)
            index[component.rawValue] = ["diffusers", try object.required("_class_name", as: JSONValue.self)]
        }
        try ModelFolder(folder.path).write(index, to: "model_index.json")
    }
}
