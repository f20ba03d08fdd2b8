import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// `generate --controlnet` through the program.
@Suite struct ControlNetCommandTests {
    private let tiny: TinyCheckpoint

    init() throws { tiny = try TinyCheckpoint() }

    /// A control network for the tiny model.
    /// - Parameter isTrained: whether its last convolutions, which begin as zeros, have become others.
    private func network(
        _ name: String = "edges", isTrained: Bool = true, _ changes: JSONObject = JSONObject()
    ) throws -> String {
        var object: JSONObject = [
            "_class_name": "ControlNetModel", "block_out_channels": [8, 16],
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "layers_per_block": 1,
            "norm_num_groups": 4, "attention_head_dim": 2, "cross_attention_dim": 12,
            "conditioning_embedding_out_channels": [4, 4],
        ]
        for (key, value) in changes.members { object[key] = value }
        let configuration = try ControlNet.configuration(object)
        let (store, generator) = (
            ParameterStore(.initialized(RandomGenerator(seed: 7))), RandomGenerator(seed: 8)
        )
        _ = try store.build { try ControlNet(configuration, $0) }
        let parameters = store.named.map { ($0, isTrained ? $1 + generator.normal($1.shape) * 0.2 : $1) }
        try ControlNet.write(configuration, parameters, to: ModelFolder(tiny.folder(name)))
        return tiny.folder(name)
    }

    private func picture(_ name: String = "edges.png", width: Int = 16, height: Int = 16) throws -> String {
        let pixels = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 * 37) }
        try Picture(width: width, height: height, channels: 3, pixels: pixels)
            .write(to: URL(filePath: tiny.folder(name)))
        return tiny.folder(name)
    }

    // MARK: Pictures

    /// Tools/oracle/control.py has them from diffusers.
    @Test(arguments: try Fixture.all(in: "control"))
    func picturesAreThoseOfDiffusers(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        for name in fixture.case.keys where name.hasPrefix("control-") {
            try fixture.write(name, to: folder(name))
        }
        for name in fixture.file.names where name != "latents" && name != "pixels" {
            let given = try fixture.tensor(name)
            if given.elementType == .float32 {
                try SafetensorsWriter([("control", given)]).write(to: folder(name + ".safetensors"))
                continue
            }
            let channels = given.rank == 3 ? given.shape[2] : 1
            try Picture(
                width: given.shape[1], height: given.shape[0], channels: channels,
                pixels: fixture.array(name)
            ).write(to: URL(filePath: folder(name + ".png")))
        }
        let words = try fixture.case.required("command", as: [String].self)
        let call = words.map { $0.replacing("{}", with: folder.path) }
        try folder.made(call + ["-o", folder("out.safetensors")])
        let expected = try fixture.tensor("latents")
        let found = try SafetensorsFile(path: folder("out.safetensors"), storage: .copied)
            .tensor(named: "samples")
        expectClose(found, expected, ofLargest: 1e-4)
        try folder.made(call + ["-o", folder("pictures/")])
        let pixels = try fixture.array("pixels", of: UInt8.self)
        let made = try folder.names().contains("pictures") ? folderPixels(folder("pictures")) : []
        #expect(made.count == pixels.count)
        #expect(zip(made, pixels).allSatisfy { abs(Int($0) - Int($1)) <= 2 })
    }

    private func folderPixels(_ path: String) throws -> [UInt8] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted().flatMap {
            try Picture(contentsOf: URL(filePath: "\(path)/\($0)")).pixels
        }
    }

    /// An untrained network, and one whose share holds no step, change nothing, to the last bit; others do.
    @Test func noControlChangesNothing() throws {
        let plain = try tiny.latents(tiny.path).values
        let edges = try picture()
        let untrained = try network("untrained", isTrained: false)
        #expect(
            try tiny.latents(tiny.path, "--controlnet", untrained, "--control", edges).values == plain)
        let own = ["--controlnet", try network(), "--control", edges]
        func latents(_ options: [String]) throws -> [Float] {
            try tiny.folder.made(
                TinyCheckpoint.request(tiny.path, tiny.folder("out.safetensors"), "a cat on a mat") + options)
            return try SafetensorsFile(path: tiny.folder("out.safetensors"), storage: .copied)
                .tensor(named: "samples").array()
        }
        #expect(try latents(own + ["--control-end", "0.3"]) == plain)
        let whole = try latents(own)
        let (half, first) = (
            try latents(own + ["--control-scale", "0.5"]), try latents(own + ["--control-end", "0.5"])
        )
        let twice = try latents(own + own + ["--control-scale", "-0.5"])
        let guessed = try latents(own + ["--guess-mode"])
        let all = [plain, whole, half, first, guessed]
        for (index, one) in all.enumerated() {
            #expect(all[..<index].allSatisfy { $0 != one })
        }
        // A whole control and minus a half of the same are a half, as all sums are, to rounding.
        #expect(zip(twice, half).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    /// Without a size pictures have the control's; with one it is brought to that, and said.
    @Test func sizesAreThoseOfThePicture() throws {
        let control = ["--controlnet", try network(), "--control", try picture(width: 25, height: 18)]
        let out = tiny.folder("out.png")
        let call = ["generate", "a cat", "--model", tiny.path, "--steps", "2", "-o", out] + control
        try tiny.folder.made(call)
        let own = try Picture(contentsOf: URL(filePath: out))
        #expect(own.width == 24 && own.height == 18)
        let outcome = try tiny.folder.made(call + ["--width", "32", "--height", "16"])
        #expect(outcome.messages.contains("--control is 25×18 and was resized to 32×16"))
        let sized = try Picture(contentsOf: URL(filePath: out))
        #expect(sized.width == 32 && sized.height == 16)
        // Numbers stand for themselves.
        let numbers = RandomGenerator(seed: 2).normal([1, 16, 16])
        try SafetensorsWriter([("control", numbers)]).write(to: tiny.folder("n.safetensors"))
        let tensor = ["--controlnet", tiny.folder("edges"), "--control", tiny.folder("n.safetensors")]
        try tiny.folder.made(TinyCheckpoint.request(tiny.path, out) + tensor)
        try Program.expectRefused(
            TinyCheckpoint.request(tiny.path, tiny.folder("never.png")).map { $0 == "16" ? "32" : $0 }
                + tensor, "holds numbers for 16×16 pixels")
    }

    // MARK: Refusals

    @Test func whatDoesNotFitIsRefused() throws {
        let (edges, own) = (try picture(), try network())
        for (name, changes, words) in [
            ("wide", ["block_out_channels": [8, 8]], "features of [8, 8, 8, 8] channels"),
            ("deep", ["layers_per_block": 2], "channels"),
            ("text", ["cross_attention_dim": 16], "texts of 16 features"),
            ("latents", ["in_channels": 8], "latents of 8 channels"),
            ("pictures", ["conditioning_embedding_out_channels": [4, 4, 4]], "4 times smaller"),
            ("depths", ["conditioning_channels": 2], "pictures of 2 channels"),
        ] as [(String, JSONObject, String)] {
            let other = try network(name, changes)
            try tiny.expectRefused(tiny.path, "--controlnet", other, "--control", edges, saying: words)
        }
        let weights = "\(tiny.folder("torn"))/diffusion_pytorch_model.safetensors"
        let torn = try network("torn")
        let file = try SafetensorsFile(path: weights, storage: .copied)
        try SafetensorsWriter(file.names.dropLast().map { ($0, try file.tensor(named: $0)) })
            .write(to: weights)
        for (options, words) in [
            (["--controlnet", own], "write --control FILE behind it"),
            (["--controlnet", tiny.folder("none"), "--control", edges], "no folder of a control network"),
            (["--controlnet", "\(tiny.path)/unet", "--control", edges], "UNet2DConditionModel"),
            (["--controlnet", torn, "--control", edges], "torn"),
            (["--controlnet", own, "--control", tiny.folder("none.png")], "none.png"),
            (["--control", edges, "--controlnet", own], "write it behind one"),
            (["--controlnet", own, "--control", edges, "--control", edges], "given twice"),
            (["--controlnet", own, "--control", edges, "--control-scale", "much"], "give a number"),
            (["--controlnet", own, "--control", edges, "--control-scale", "inf"], "--control-scale is inf"),
            (["--controlnet", own, "--control", edges, "--control-start", "1"], "--control-start is 1.0"),
            (["--controlnet", own, "--control", edges, "--control-end", "1.5"], "--control-end is 1.5"),
            (["--controlnet", own, "--control", edges, "--reuse-deep", "2"], "--reuse-deep does not go"),
            (["--guess-mode"], "add --controlnet"),
        ] {
            try Program.expectRefused(
                TinyCheckpoint.request(tiny.path, tiny.folder("never.png")) + options, words)
        }
        #expect(try !tiny.folder.names().contains("never.png"))
    }

    // MARK: Receipts

    /// The receipt has what had a part, and the picture is made again with it.
    @Test func receiptsHoldControls() throws {
        let (own, other) = (try network(), try network("other", ["global_pool_conditions": true]))
        let (edges, more) = (try picture(), try picture("more.png", width: 20, height: 12))
        let made = tiny.folder("picture.png")
        let places = ["--controlnet", own, "--control", edges, "--controlnet", other, "--control", more]
        let call =
            Array(places[..<4]) + ["--control-scale", "0.7"] + places[4...] + [
                "--control-start", "0.2", "--control-end", "0.9", "--guess-mode", "--guidance", "3",
            ]
        try tiny.folder.made(TinyCheckpoint.request(tiny.path, made) + call)
        let text = try #require(
            Picture.texts(of: URL(filePath: made)).first { $0.keyword == "langevin" }
        ).text
        let receipt = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "receipt")))
        func file(_ name: String) -> JSONValue {
            ["name": .string(name), "sha256": .string(fileDigest(tiny.folder(name)))]
        }
        let controls: JSONValue = [
            ["model": "edges", "picture": file("edges.png"), "scale": 0.7],
            ["model": "other", "picture": file("more.png"), "scale": 1, "start": 0.2, "end": 0.9],
        ]
        #expect(receipt["controls"] == controls && receipt["guess_mode"] == true)
        #expect(!text.contains(tiny.folder.path))
        let weights = try receipt.required("weights", as: [JSONObject].self)
        let digests = weights.filter { $0["part"] == "controlnet" }.map { $0["sha256"] }
        #expect(
            digests == [own, other].map { .string(fileDigest($0 + "/diffusion_pytorch_model.safetensors")) })
        let replay = ["generate", "--replay", made, "--model", tiny.path, "--json"]
        let outcome = try tiny.folder.made(replay + places)
        #expect(try outcome.json()["difference"] as? Int == 0)
        try Program.expectRefused(replay, "say where it is by --controlnet")
        try Program.expectRefused(replay + places[..<4], "once for each")
        // These are found when all is loaded.
        for (given, words) in [
            (["--controlnet", other, "--control", edges] + places[4...], "the files of weights"),
            (places[..<3] + [more] + places[4...], "the pictures of --control"),
        ] {
            let refused = try Program.run(replay + given)
            #expect(refused.code == 2 && refused.messages.contains(words), "\(refused.messages)")
        }
    }

    // MARK: Files

    /// The names of the code that introduced control networks, for those of the tiny network in diffusers' layout.
    private func original(_ name: String) -> String {
        let places = [
            ("controlnet_cond_embedding.conv_in", "input_hint_block.0"),
            ("controlnet_cond_embedding.blocks.0", "input_hint_block.2"),
            ("controlnet_cond_embedding.blocks.1", "input_hint_block.4"),
            ("controlnet_cond_embedding.conv_out", "input_hint_block.6"),
            ("controlnet_down_blocks.0", "zero_convs.0.0"), ("controlnet_down_blocks.1", "zero_convs.1.0"),
            ("controlnet_down_blocks.2", "zero_convs.2.0"), ("controlnet_down_blocks.3", "zero_convs.3.0"),
            ("controlnet_mid_block", "middle_block_out.0"), ("conv_in", "input_blocks.0.0"),
            ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
            ("down_blocks.0.resnets.0", "input_blocks.1.0"),
            ("down_blocks.0.attentions.0", "input_blocks.1.1"),
            ("down_blocks.0.downsamplers.0.conv", "input_blocks.2.0.op"),
            ("down_blocks.1.resnets.0", "input_blocks.3.0"), ("mid_block.resnets.0", "middle_block.0"),
            ("mid_block.attentions.0", "middle_block.1"), ("mid_block.resnets.1", "middle_block.2"),
        ]
        let parts = [
            "norm1.": "in_layers.0.", "conv1.": "in_layers.2.", "time_emb_proj.": "emb_layers.1.",
            "norm2.": "out_layers.0.", "conv2.": "out_layers.3.", "conv_shortcut.": "skip_connection.",
        ]
        guard let (native, foreign) = places.first(where: { name.hasPrefix($0.0 + ".") }) else { return name }
        let rest = String(name.dropFirst(native.count + 1))
        let own = native.contains("resnets") ? parts.first { rest.hasPrefix($0.key) } : nil
        return "\(foreign)." + (own.map { $0.value + rest.dropFirst($0.key.count) } ?? rest)
    }

    /// A file in the original layout, with what begins its names or without, and one of diffusers' names give the pictures of the
    /// folder, to the last bit; a pickle becomes such a file.
    @Test func filesAreFolders() throws {
        let (folder, edges) = (try network(), try picture())
        let control = ["--control", edges, "--control-scale", "0.8"]
        func made(_ network: String) throws -> [Float] {
            try tiny.folder.made(
                TinyCheckpoint.request(tiny.path, tiny.folder("out.safetensors"))
                    + ["--controlnet", network] + control)
            return try SafetensorsFile(path: tiny.folder("out.safetensors"), storage: .copied)
                .tensor(named: "samples").array()
        }
        let expected = try made(folder)
        let file = try SafetensorsFile(
            path: "\(folder)/diffusion_pytorch_model.safetensors", storage: .copied)
        func write(_ name: String, _ named: (String) -> String) throws -> String {
            let path = tiny.folder(name)
            try SafetensorsWriter(file.names.map { (named($0), try file.tensor(named: $0)) }).write(to: path)
            return path
        }
        let whole = try write("whole.safetensors") { "control_model." + original($0) }
        #expect(try made(whole) == expected)
        #expect(try made(write("bare.safetensors", original)) == expected)
        #expect(try made(write("diffusers.safetensors") { $0 }) == expected)

        let picture = tiny.folder("made.png")
        try tiny.folder.made(TinyCheckpoint.request(tiny.path, picture) + ["--controlnet", whole] + control)
        let replay = ["generate", "--replay", picture, "--model", tiny.path, "--json"]
        let again = try tiny.folder.made(replay + ["--controlnet", whole, "--control", edges])
        #expect(try again.json()["difference"] as? Int == 0)

        for (name, changed, words) in [
            ("short", { $0.contains("zero_convs.3") ? nil : $0 }, "features of [8, 8, 8] channels"),
            ("other", { $0.replacing("control_model.", with: "model.") }, "holds no control network"),
            ("more", { $0.contains("middle_block_out") ? "control_model.task_embedding.\($0)" : $0 }, "more"),
        ] as [(String, (String) -> String?, String)] {
            let path = tiny.folder("\(name).safetensors")
            let named = try file.names.compactMap { native in
                try changed("control_model." + original(native)).map { ($0, try file.tensor(named: native)) }
            }
            try SafetensorsWriter(named).write(to: path)
            try tiny.expectRefused(tiny.path, "--controlnet", path, "--control", edges, saying: words)
        }
        // One whose layers read texts of another width is of another model.
        let text = try write("text.safetensors") { original($0) }
        let own = try SafetensorsFile(path: text, storage: .copied)
        try SafetensorsWriter(
            own.names.map { name in
                let tensor = try own.tensor(named: name)
                return (
                    name, name.contains("attn2.to_k") ? concatenated([tensor, tensor], along: 1) : tensor
                )
            }
        ).write(to: tiny.folder("wide.safetensors"))
        try tiny.expectRefused(
            tiny.path, "--controlnet", tiny.folder("wide.safetensors"), "--control", edges,
            saying: "texts of 24 features")
        try Data([0x50, 0x4B, 3, 4] + Array(repeating: 0, count: 600))
            .write(to: URL(filePath: tiny.folder("network.pth")))
        try tiny.expectRefused(
            tiny.path, "--controlnet", tiny.folder("network.pth"), "--control", edges,
            saying: "langevin convert")
    }

    // MARK: Stable Diffusion 3

    /// What the pipelines of Stable Diffusion 3 do not know is refused, and so are networks for other models.
    @Test func stableDiffusion3RefusesWhatDoesNotFit() throws {
        func opened(_ name: String, _ folder: borrowing TemporaryFolder) throws -> [String] {
            let fixture = try Fixture("control/\(name)")
            try fixture.write("model", to: folder("model"))
            try fixture.write("control-0", to: folder("control"))
            return [
                "generate", "a cat", "--model", folder("model"), "--steps", "2", "-o", folder("never.png"),
            ]
        }
        let (folder, edges) = (try TemporaryFolder(), try picture())
        let call = try opened("control-sd3-blind", folder)
        func expectRefused(
            _ changes: JSONObject, _ words: String, _ options: [String] = [], fitsWeights: Bool = false
        ) throws {
            let path = folder("control/config.json")
            let before = try Data(contentsOf: URL(filePath: path))
            defer { try? before.write(to: URL(filePath: path)) }
            var object = try ModelFolder(folder("control")).configuration()
            for (key, value) in changes.members { object[key] = value }
            try ModelFolder(folder("control")).write(object)
            if fitsWeights {
                let configuration = try SD3ControlNet.configuration(object)
                let store = ParameterStore(.initialized(RandomGenerator(seed: 9)))
                _ = try store.build { try SD3ControlNet(configuration, $0) }
                try SD3ControlNet.write(configuration, store.named, to: ModelFolder(folder("control")))
            }
            try Program.expectRefused(
                call + ["--controlnet", folder("control"), "--control", edges] + options, words)
        }
        try expectRefused([:], "--guess-mode has no part", ["--guess-mode"])
        try expectRefused(["in_channels": 5], "latents of 5 channels")
        try expectRefused(["pooled_projection_dim": 3], "of 3 features (pooled_projection_dim)")
        try expectRefused(["attention_head_dim": 4], "num_attention_heads, attention_head_dim")
        try expectRefused(["joint_attention_dim": 7, "caption_projection_dim": 1], "caption_projection_dim")
        try expectRefused(["patch_size": 1], "patch_size")
        try expectRefused(["extra_conditioning_channels": 2], "extra_conditioning_channels")
        try expectRefused(
            ["extra_conditioning_channels": 1], "as 'langevin control --kind inpaint' makes it",
            fitsWeights: true)
        try expectRefused(
            ["use_pos_embed": true, "pos_embed_max_size": 1], "has places for", fitsWeights: true)
        try Program.expectRefused(
            call + ["--controlnet", try network(), "--control", edges], "controls a UNet2DConditionModel")
        try Program.expectRefused(
            call + ["--adapter", try adapter("sketch"), "--control", edges], "controls a UNet2DConditionModel"
        )
        try tiny.expectRefused(
            tiny.path, "--controlnet", folder("control"), "--control", edges,
            saying: "controls a SD3Transformer2DModel")
    }

    // MARK: T2I-Adapters

    private func adapter(_ name: String, _ changes: JSONObject = JSONObject()) throws -> String {
        var object: JSONObject = [
            "_class_name": "T2IAdapter", "channels": [8, 16], "num_res_blocks": 1, "downscale_factor": 2,
        ]
        for (key, value) in changes.members { object[key] = value }
        let configuration = try T2IAdapter.configuration(object)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 9)))
        _ = try store.build { try T2IAdapter(configuration, $0) }
        try T2IAdapter.write(configuration, store.named, to: ModelFolder(tiny.folder(name)))
        return tiny.folder(name)
    }

    /// An adapter changes the picture, alone and beside a control network, and is made again; at scale 0 it changes nothing.
    @Test func adaptersControl() throws {
        let plain = try tiny.latents(tiny.path).values
        let (own, edges) = (try adapter("sketch"), try picture())
        let call = ["--adapter", own, "--control", edges]
        func latents(_ options: [String]) throws -> [Float] {
            try tiny.folder.made(
                TinyCheckpoint.request(tiny.path, tiny.folder("out.safetensors"), "a cat on a mat") + options)
            return try SafetensorsFile(path: tiny.folder("out.safetensors"), storage: .copied)
                .tensor(named: "samples").array()
        }
        #expect(try latents(call + ["--control-scale", "0"]) == plain)
        let alone = try latents(call)
        let both = call + ["--controlnet", try network(), "--control", edges, "--control-end", "0.7"]
        #expect(alone != plain)
        #expect(try latents(both) != alone)
        let made = tiny.folder("picture.png")
        try tiny.folder.made(TinyCheckpoint.request(tiny.path, made) + both)
        let replay = ["generate", "--replay", made, "--model", tiny.path, "--json"]
        let places = ["--controlnet", tiny.folder("edges"), "--control", edges] + call
        #expect(try tiny.folder.made(replay + places).json()["difference"] as? Int == 0)
        try Program.expectRefused(replay + call, "give --controlnet or --adapter once for each")
        for (options, words) in [
            (["--adapter", try network(), "--control", edges], "is a ControlNet: give it by --controlnet"),
            (["--controlnet", own, "--control", edges], "is a T2I-Adapter: give it by --adapter"),
            (["--adapter", own], "write --control FILE behind it"),
            (
                ["--adapter", try adapter("wide", ["channels": [16, 16]]), "--control", edges],
                "features of 16 channels, 2 times smaller"
            ),
            (
                ["--adapter", try adapter("fine", ["downscale_factor": 4]), "--control", edges],
                "4 times smaller than the picture"
            ),
        ] {
            try Program.expectRefused(
                TinyCheckpoint.request(tiny.path, tiny.folder("never.png")) + options, words)
        }
    }

    /// Counts come from the configuration alone.
    @Test func parametersAreCounted() throws {
        let configuration = ControlNetConfiguration()
        var stable = configuration
        stable.unet.crossAttentionDim = .same(768)
        try ModelFolder(tiny.folder("counted")).write(ControlNet.json(stable))
        let outcome = try tiny.folder.made(["inspect", tiny.folder("counted"), "--json"])
        #expect(try outcome.json()["parameters"] as? Int == 361_279_120)
    }
}
