import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// `generate --ip-adapter` through the program.
@Suite struct IPAdapterCommandTests {
    private let tiny: TinyCheckpoint

    init() throws { tiny = try TinyCheckpoint() }

    // MARK: Adapters, encoders and pictures

    /// An adapter for the tiny model, whose U-Net attends to texts once on the way down, twice on the way up and in the middle.
    private func adapter(
        _ name: String = "look.safetensors", seed: UInt64 = 7,
        _ change: (inout [(String, Tensor)]) -> Void = { _ in }
    ) throws -> String {
        let generator = RandomGenerator(seed: seed)
        var tensors: [(String, Tensor)] = [
            ("image_proj.proj.weight", generator.normal([48, 8])),
            ("image_proj.proj.bias", generator.normal([48])),
            ("image_proj.norm.weight", generator.normal([12]) + 1),
            ("image_proj.norm.bias", generator.normal([12])),
        ]
        let widths = [8, 8, 8, 16]
        for (index, width) in widths.enumerated() {
            for part in ["k", "v"] {
                tensors.append(
                    ("ip_adapter.\(2 * index + 1).to_\(part)_ip.weight", generator.normal([width, 12])))
            }
        }
        change(&tensors)
        try SafetensorsWriter(tensors).write(to: tiny.folder(name))
        return tiny.folder(name)
    }

    /// An encoder of pictures of 16 pixels a side.
    private func encoder(_ name: String = "encoder", projection: Int = 8) throws -> String {
        let object: JSONObject = [
            "architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model",
            "hidden_size": 16, "intermediate_size": 32, "projection_dim": .integer(projection),
            "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
        ]
        let configuration = try CLIPVisionWithProjection.configuration(object)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 9)))
        _ = try store.build { try CLIPVisionWithProjection(configuration, $0) }
        try CLIPVisionWithProjection.write(configuration, store.named, to: ModelFolder(tiny.folder(name)))
        return tiny.folder(name)
    }

    private func picture(_ name: String = "cat.png", _ factor: Int = 37) throws -> String {
        let pixels = (0..<20 * 30 * 3).map { UInt8(truncatingIfNeeded: $0 * factor) }
        try Picture(width: 20, height: 30, channels: 3, pixels: pixels)
            .write(to: URL(filePath: tiny.folder(name)))
        return tiny.folder(name)
    }

    private func latents(_ options: [String]) throws -> [Float] {
        try tiny.folder.made(
            TinyCheckpoint.request(tiny.path, tiny.folder("out.safetensors"), "a cat on a mat") + options)
        return try SafetensorsFile(path: tiny.folder("out.safetensors"), storage: .copied)
            .tensor(named: "samples").array()
    }

    // MARK: Pictures

    /// Tools/oracle/ip_adapter.py has them from diffusers.
    @Test(arguments: try Fixture.all(in: "ip_adapter"))
    func picturesAreThoseOfDiffusers(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        if fixture.case["encoder"] != nil { try fixture.write("encoder", to: folder("encoder")) }
        for (index, described) in try fixture.case.required("adapters", as: [JSONObject].self).enumerated() {
            try write(described, to: folder("adapter-\(index).safetensors"))
        }
        for name in fixture.file.names where name != "latents" && name != "pixels" {
            let given = try fixture.tensor(name)
            guard name != "initial" else {
                try SafetensorsWriter([("latents", given)]).write(to: folder("initial.safetensors"))
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
        let found = try SafetensorsFile(path: folder("out.safetensors"), storage: .copied)
            .tensor(named: "samples")
        expectClose(found, try fixture.tensor("latents"), ofLargest: 1e-4)
        try folder.made(call + ["-o", folder("pictures/")])
        let expected = try fixture.array("pixels", of: UInt8.self)
        let made = try FileManager.default.contentsOfDirectory(atPath: folder("pictures")).sorted().flatMap {
            try Picture(contentsOf: URL(filePath: folder("pictures/\($0)"))).pixels
        }
        #expect(made.count == expected.count)
        #expect(zip(made, expected).allSatisfy { abs(Int($0) - Int($1)) <= 2 })
    }

    /// An adapter whose weights are drawn in the order of their names, times powers of two.
    private func write(_ described: JSONObject, to path: String) throws {
        let shapes = try described.required("shapes", as: JSONObject.self)
        let generator = RandomGenerator(seed: UInt64(try described.required("seed", as: Int.self)))
        let tensors = try shapes.keys.sorted().map { name -> (String, Tensor) in
            let shape = Shape(try shapes.required(name, as: [Int].self))
            let noise = generator.normal(shape)
            guard shape.rank > 1 else {
                return (name, name.hasSuffix("bias") ? noise * 0.25 : noise * 0.25 + 1)
            }
            let inputs = Double(shape.elementCount / shape[0])
            return (name, noise * exp2((-log2(inputs) / 2).rounded(.toNearestOrEven)))
        }
        try SafetensorsWriter(tensors).write(to: path)
    }

    /// At weight 0 no bit changes; others do, each in its way, and weights of one adapter given twice add up.
    @Test func weightsCount() throws {
        let (look, cat) = (try adapter(), try picture())
        let common = ["--ip-encoder", try encoder()]
        let plain = try latents([])
        func seen(_ weights: String...) throws -> [Float] {
            try latents(common + weights.flatMap { ["--ip-adapter", look, "--ip-image", cat + $0] })
        }
        #expect(try seen(":0") == plain && seen(":0", ":0") == plain)
        let (whole, half, twice) = (try seen(""), try seen(":0.5"), try seen(":0.25", ":0.25"))
        #expect(try seen(":1") == whole && seen(":0.5", ":0") == half)
        #expect(whole != plain && half != plain && half != whole)
        #expect(zip(twice, half).allSatisfy { abs($0 - $1) < 1e-4 })
        // The prompt, guidance and the picture still count.
        let call = common + ["--ip-adapter", look, "--ip-image", cat]
        #expect(try latents(call + ["--guidance", "1"]) != whole)
        let other = try picture("dog.png", 91)
        #expect(try latents(common + ["--ip-adapter", look, "--ip-image", other]) != whole)
        // Several pictures are one prompt.
        let both = try latents(call + ["--ip-image", other])
        #expect(both != whole)
        #expect(try zip(latents(call + ["--ip-image", cat]), whole).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    /// Which picture belongs to which adapter, by their places.
    @Test func picturesBelongToAdapters() throws {
        let (one, two) = (try adapter(), try adapter("more.safetensors", seed: 8))
        let (cat, dog) = (try picture(), try picture("dog.png", 91))
        let common = ["--ip-encoder", try encoder()]
        let apart = try latents(
            common + [
                "--ip-adapter", one, "--ip-image", cat, "--ip-adapter", two, "--ip-image", "\(dog):0.5",
            ])
        // Behind several in a row each has one.
        let row = ["--ip-adapter", one, "--ip-adapter", two, "--ip-image", cat, "--ip-image", "\(dog):0.5"]
        #expect(try latents(common + row) == apart)
        // Before the only one.
        #expect(
            try latents(common + ["--ip-image", cat, "--ip-adapter", one])
                == latents(common + ["--ip-adapter", one, "--ip-image", cat]))
        let out = TinyCheckpoint.request(tiny.path, tiny.folder("never.png")) + common
        for (options, words) in [
            (["--ip-adapter", one], "is given no picture: write --ip-image FILE behind it"),
            (
                ["--ip-adapter", one, "--ip-image", cat, "--ip-adapter", two],
                "more.safetensors is given no picture"
            ),
            (
                ["--ip-image", cat, "--ip-adapter", one, "--ip-adapter", two],
                "write it behind its --ip-adapter"
            ),
            (
                ["--ip-adapter", one, "--ip-adapter", two, "--ip-image", cat],
                "2 --ip-adapter in a row are followed by 1"
            ),
            (
                ["--ip-adapter", one, "--ip-image", "\(cat):1", "--ip-image", "\(dog):0.5"],
                "0.5 and 1.0 are given"
            ),
            (["--ip-image", cat], "--ip-image goes with an IP-Adapter: add --ip-adapter FILE"),
            ([], "--ip-encoder goes with an IP-Adapter"),
        ] {
            try Program.expectRefused(out + options, words)
        }
    }

    /// Beside adapters of weights, merged and live, control networks, a picture that is changed, and deep layers that are kept.
    @Test func othersGoWithIt() throws {
        let call = [
            "--ip-encoder", try encoder(), "--ip-adapter", try adapter(), "--ip-image", try picture(),
        ]
        let alone = try latents(call)
        let block = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2"
        let generator = RandomGenerator(seed: 3)
        try SafetensorsWriter(
            ["to_q", "to_v"].flatMap { layer -> [(String, Tensor)] in
                [
                    (
                        "\(block).\(layer).lora_A.weight",
                        generator.normal([2, layer == "to_q" ? 8 : 12]) * 0.3
                    ),
                    ("\(block).\(layer).lora_B.weight", generator.normal([8, 2]) * 0.5),
                ]
            }
        ).write(to: tiny.folder("lora.safetensors"))
        let lora = call + ["--lora", tiny.folder("lora.safetensors")]
        let (merged, live) = (try latents(lora), try latents(lora + ["--lora-live"]))
        let largest = merged.map { abs($0) }.max() ?? 0
        #expect(merged != alone && zip(merged, live).allSatisfy { abs($0 - $1) < 1e-4 * largest })
        let changed = try latents(call + ["--image", tiny.folder("cat.png"), "--strength", "0.7"])
        #expect(changed != alone)
        let negative = ["--negative-prompt", "a dog", "--guidance", "3"]
        let usual = try latents(call + negative)
        for more in [
            ["--guidance-rescale", "0.7"], ["--guidance-method", "perp-neg", "--negative-weight", "0.5"],
            ["--reuse-deep", "2"], ["--count", "2", "--batch-size", "1"], ["--prompt-weights"],
        ] {
            let found = try latents(call + negative + more)
            if more == ["--prompt-weights"] {
                #expect(found == usual)
            } else {
                #expect(
                    found.allSatisfy(\.isFinite) && Array(found.prefix(usual.count)) != usual
                        || found.count > usual.count)
            }
        }
        // Pictures do not depend on their batch.
        let together = try latents(call + ["--count", "2"])
        let one = try latents(call + ["--count", "2", "--batch-size", "1"])
        #expect(zip(together, one).allSatisfy { abs($0 - $1) < 1e-4 })
        // Prompts that change over the steps have it in each.
        #expect(try latents(call + ["--prompt-weights"]) == alone)
    }

    /// The encoder in the model's folder, and a model that is one file.
    @Test func encodersAreTheFoldersOrGiven() throws {
        let apart = try encoder()
        let call = ["--ip-adapter", try adapter(), "--ip-image", try picture()]
        try tiny.expectRefused(tiny.path, call[0], call[1], call[2], call[3], saying: "has no image_encoder")
        let given = try latents(call + ["--ip-encoder", apart])
        let file = try tiny.file()
        let words = ["--config", tiny.path, "--ip-encoder", apart]
        #expect(
            try tiny.latents(file, words[0], words[1], words[2], words[3], call[0], call[1], call[2], call[3])
                .values == given)
        // Put into the folder, whether its index names it or not.
        try FileManager.default.copyItem(atPath: apart, toPath: "\(tiny.path)/image_encoder")
        #expect(try latents(call) == given)
        try tiny.edit(
            "model_index.json", ["image_encoder": ["transformers", "CLIPVisionModelWithProjection"]])
        #expect(try latents(call) == given)
        // How pictures are taken is the folder's.
        try ModelFolder("\(tiny.path)/feature_extractor").write(
            ["size": 16, "crop_size": 16, "image_mean": [0.1, 0.2, 0.3]], to: "preprocessor_config.json")
        let changed = try latents(call)
        #expect(changed != given)
        #expect(try latents(call + ["--ip-encoder", apart]) == changed)
    }

    // MARK: Refusals

    @Test func whatDoesNotFitIsRefused() throws {
        let (own, cat, fit) = (try adapter(), try picture(), try encoder())
        let place = tiny.folder("bad.safetensors")
        func refused(_ words: String, _ change: (inout [(String, Tensor)]) -> Void) throws {
            _ = try adapter("bad.safetensors", change)
            try tiny.expectRefused(
                tiny.path, "--ip-adapter", place, "--ip-image", cat, "--ip-encoder", fit, saying: words)
        }
        try refused("layer 1 has keys of 16 features, and that of the U-Net 8") {
            $0[4].1 = .zeros([16, 12])
            $0[5].1 = .zeros([16, 12])
        }
        try refused("it has 3 layers, and 4 of the U-Net attend to a text") { $0.removeLast(2) }
        try refused("layer 1 has tokens of 16 features, and that of the U-Net 12") { tensors in
            tensors = tensors.map { name, tensor in
                if name.contains("_ip.weight") { return (name, .zeros([tensor.shape[0], 16])) }
                if name.contains("norm") { return (name, .zeros([16])) }
                return (name, name.hasSuffix("bias") ? .zeros([64]) : .zeros([64, 8]))
            }
        }
        try refused("\"image_proj.other\"") { $0.append(("image_proj.other", .zeros([1]))) }
        try refused("FaceID") { $0[0].0 = "image_proj.proj.0.weight" }
        for (options, words) in [
            (["--ip-adapter", tiny.folder("none.safetensors"), "--ip-image", cat], "there is no file"),
            (["--ip-adapter", own, "--ip-image", tiny.folder("none.png")], "none.png"),
            (["--ip-adapter", own, "--ip-image", "\(cat):inf"], "its weight is inf"),
            (["--ip-adapter", own, "--ip-image", "\(cat):1e60"], "that single precision holds"),
            (["--ip-adapter", cat, "--ip-image", cat], "cat.png"),
            (["--ip-adapter", "\(fit)/model.safetensors", "--ip-image", cat], "it is no IP-Adapter"),
            (
                [
                    "--ip-adapter", own, "--ip-image", cat, "--guide", tiny.path, "--guidance-method",
                    "autoguidance",
                ], "--guide does not go with --ip-adapter"
            ),
        ] {
            try Program.expectRefused(
                TinyCheckpoint.request(tiny.path, tiny.folder("never.png")) + ["--ip-encoder", fit] + options,
                words)
        }
        for (folder, words) in [
            (
                try encoder("wide", projection: 24),
                "embeddings of pictures with 8 numbers, and those of the image encoder have 24"
            ),
            (tiny.folder("none"), "is no folder of an encoder of pictures"),
            (
                "\(tiny.path)/unet",
                "it is a UNet2DConditionModel, and --ip-adapter needs a CLIPVisionModelWithProjection"
            ),
        ] {
            try tiny.expectRefused(
                tiny.path, "--ip-adapter", own, "--ip-image", cat, "--ip-encoder", folder, saying: words)
        }
        let pixels = try TinyModel()
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", pixels.run, "-o", tiny.folder("never.png"), "--ip-adapter",
                own, "--ip-image", cat,
            ],
            "--ip-adapter")
        #expect(try !tiny.folder.names().contains("never.png"))
    }

    // MARK: Receipts and files

    /// The receipt has what had a part, and the picture is made again with it.
    @Test func receiptsHoldImagePrompts() throws {
        let (own, other, fit) = (try adapter(), try adapter("more.safetensors", seed: 8), try encoder())
        let (cat, dog) = (try picture(), try picture("dog.png", 91))
        let made = tiny.folder("picture.png")
        let places = [
            "--ip-adapter", own, "--ip-image", cat, "--ip-image", dog, "--ip-adapter", other, "--ip-image",
            dog,
        ]
        let call = places.map { $0 == cat ? "\(cat):0.7" : $0 } + ["--ip-encoder", fit]
        try tiny.folder.made(TinyCheckpoint.request(tiny.path, made) + call)
        let text = try #require(
            Picture.texts(of: URL(filePath: made)).first { $0.keyword == "langevin" }
        ).text
        let receipt = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "receipt")))
        func file(_ name: String) -> JSONValue {
            ["name": .string(name), "sha256": .string(fileDigest(tiny.folder(name)))]
        }
        func prompt(_ name: String, _ weight: Double, _ images: [String]) -> JSONValue {
            [
                "name": .string(name), "sha256": .string(fileDigest(tiny.folder(name))),
                "weight": weight == 1 ? 1 : .number(weight), "images": .array(images.map(file)),
            ]
        }
        #expect(
            receipt["ip_adapters"] == [
                prompt("look.safetensors", 0.7, ["cat.png", "dog.png"]),
                prompt("more.safetensors", 1, ["dog.png"]),
            ])
        #expect(!text.contains(tiny.folder.path))
        let weights = try receipt.required("weights", as: [JSONObject].self)
        #expect(
            weights.filter { $0["part"] == "image_encoder" }.map { $0["sha256"] }
                == [.string(fileDigest("\(fit)/model.safetensors"))])
        let replay = ["generate", "--replay", made, "--model", tiny.path, "--json"]
        let outcome = try tiny.folder.made(replay + places + ["--ip-encoder", fit])
        #expect(try outcome.json()["difference"] as? Int == 0)
        try Program.expectRefused(replay, "say where it is by --ip-adapter")
        try Program.expectRefused(replay + places[..<6], "give --ip-adapter once for each")
        try Program.expectRefused(
            replay + places.map { $0 == cat ? "\(cat):0.4" : $0 } + ["--ip-encoder", fit],
            "was 0.7: leave out 0.4")
        for (given, words) in [
            (places.map { $0 == own ? other : $0 } + ["--ip-encoder", fit], "the IP-Adapters"),
            (places.map { $0 == cat ? dog : $0 } + ["--ip-encoder", fit], "the pictures of --ip-image"),
        ] {
            let refused = try Program.run(replay + given)
            #expect(refused.code == 2 && refused.messages.contains(words), "\(refused.messages)")
        }
    }

    /// What an adapter is, and its parameters, from the header of a file alone: that of Stable Diffusion 1.
    @Test func adaptersAreInspected() throws {
        let outcome = try tiny.folder.made(["inspect", try adapter(), "--json"])
        let found = try outcome.json()
        let layers = (8 + 8 + 8 + 16) * 12 * 2
        #expect(
            found["family"] as? String == "ip-adapter"
                && found["parameters"] as? Int == 48 * 8 + 48 + 24 + layers)
        let components = try #require(found["components"] as? [String: [String: Any]])
        #expect(components["image_proj"]?["class"] as? String == "ImageProjection")
        #expect(components["ip_adapter"]?["parameters"] as? Int == layers)
        // Also of a kind that makes no pictures here.
        let face = try adapter("face.safetensors") { $0[0].0 = "image_proj.proj.0.weight" }
        let text = try tiny.folder.made(["inspect", face])
        #expect(text.output.contains("IPAdapterFaceIDImageProjection"))
    }
}
