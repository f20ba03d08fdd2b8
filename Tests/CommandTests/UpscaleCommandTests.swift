import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// `langevin upscale` through the program.
@Suite struct UpscaleCommandTests {
    /// A picture of drawn pixels in a file.
    private func picture(_ folder: TemporaryFolder, width: Int, height: Int, channels: Int) throws -> (
        path: String, picture: Picture
    ) {
        let values = try RandomGenerator(seed: 5).uniform([height * width * channels])
            .array(of: Float.self)
        let picture = Picture(
            width: width, height: height, channels: channels, pixels: values.map { UInt8($0 * 255) })
        let path = folder("in-\(width)-\(height)-\(channels).png")
        try picture.write(to: URL(fileURLWithPath: path))
        return (path, picture)
    }

    // MARK: Filters

    /// The bytes are those of the library's filters, which are Pillow's (`ResizingTests`).
    @Test(arguments: [1, 3, 4]) func filtersResize(_ channels: Int) throws {
        let folder = try TemporaryFolder()
        let (path, picture) = try picture(folder, width: 7, height: 5, channels: channels)
        for word in ResizeFilter.words {
            let out = folder("\(word).png")
            let scale = word == "area" ? 2 : 3
            let outcome = try folder.made([
                "upscale", path, "--model", word, "--scale", "\(scale)", "-o", out, "--json",
            ])
            let filter = try #require(ResizeFilter(word: word))
            let found = try Picture(contentsOf: URL(fileURLWithPath: out))
            #expect(found == picture.resized(width: 7 * scale, height: 5 * scale, filter: filter), "\(word)")
            let said = try outcome.json()
            #expect(said["scale"] as? Int == scale && said["width"] as? Int == 7 * scale)
            #expect(said["files"] as? [String] == [out])
        }
        let out = folder("four.png")
        try folder.made(["upscale", path, "--model", "nearest", "-o", out])
        #expect(try Picture(contentsOf: URL(fileURLWithPath: out)).width == 28)
        #expect(try Picture.texts(of: URL(fileURLWithPath: out)).map(\.keyword) == ["langevin"])
    }

    @Test func whatNoFilterCanDoIsRefused() throws {
        let folder = try TemporaryFolder()
        let (path, _) = try picture(folder, width: 7, height: 5, channels: 3)
        let out = folder("out.png")
        func refused(_ options: [String], _ words: String, picture: String? = nil) throws {
            try Program.expectRefused(["upscale", picture ?? path, "-o", out] + options, words)
        }
        try refused(["--model", "lanczos", "--scale", "0"], "--scale is 0")
        try refused(["--model", "lanczos", "--scale", "-3"], "--scale is -3")
        try refused(["--model", "lanczos", "--scale", "1000000"], "--scale is 1000000")
        try refused(["--model", "lanczos", "--steps", "3"], "--steps is for diffusion models")
        try refused(["--model", "lanczos", "--tile", "64"], "--tile is for networks")
        try refused(["--model", "lanczoss"], "did you mean 'lanczos'")
        try refused(["--model", "lanczos", "--vae-tiling"], "keeps a model small")
        try refused(["--model", "lanczos", "--config", folder("x")], "--config is for diffusion models")
        try refused(["--model", "lanczos"], "none.png", picture: folder("none.png"))
        try Data("no picture".utf8).write(to: URL(fileURLWithPath: folder("text.png")))
        try refused(["--model", "lanczos"], "text.png", picture: folder("text.png"))
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    // MARK: Networks in one pass

    /// A small network in a file under its published names.
    private func network(_ folder: TemporaryFolder, unshuffle: Int = 1) throws -> (
        path: String, network: RRDBNet, tensors: [(String, Tensor)]
    ) {
        var configuration = RRDBNetConfiguration()
        (configuration.numFeat, configuration.numBlock, configuration.numGrowCh) = (4, 1, 2)
        configuration.unshuffle = unshuffle
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        let network = try store.build { try RRDBNet(configuration, $0) }
        let path = folder("esrgan-\(unshuffle).safetensors")
        try SafetensorsWriter(store.named).write(to: path)
        return (path, network, store.named)
    }

    private func samples(_ folder: TemporaryFolder, _ call: [String]) throws -> Tensor {
        let path = folder("samples.safetensors")
        try folder.made(call + ["-o", path])
        return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
    }

    @Test(arguments: [1, 2, 4]) func aNetworkInAFileEnlarges(_ unshuffle: Int) throws {
        let folder = try TemporaryFolder()
        let (model, network, _) = try network(folder, unshuffle: unshuffle)
        let (path, picture) = try picture(folder, width: 11, height: 6, channels: 3)
        let expected = network(((picture.tensor() + 1) / 2).unsqueezed(0)) * 2 - 1
        expectClose(try samples(folder, ["upscale", path, "--model", model]), expected, absolute: 1e-5)
        let out = folder("out.png")
        let outcome = try folder.made(["upscale", path, "--model", model, "-o", out, "--json"])
        #expect(try outcome.json()["scale"] as? Int == 4 / unshuffle)
        #expect(try Picture(contentsOf: URL(fileURLWithPath: out)).width == 11 * 4 / unshuffle)
        let seen = try Program.run("inspect", model, "--json").json()
        #expect(seen["family"] as? String == "upscaler")
        // As a folder it is the same.
        try folder.made(["convert", model, folder("folder-\(unshuffle)")])
        let again = try samples(folder, ["upscale", path, "--model", folder("folder-\(unshuffle)")])
        expectClose(again, expected, absolute: 1e-5)
    }

    /// ESRGAN named its layers otherwise at first, and by numbers before that.
    @Test func olderNamesAreRead() throws {
        let folder = try TemporaryFolder()
        let (model, _, tensors) = try network(folder)
        let (path, _) = try picture(folder, width: 11, height: 6, channels: 3)
        let words = [
            ("body.0.rdb", "RRDB_trunk.0.RDB"), ("conv_body", "trunk_conv"), ("conv_up", "upconv"),
            ("conv_hr", "HRconv"),
        ]
        let numbers = [
            ("body.0.rdb", "model.1.sub.0.RDB"), ("conv_first", "model.0"), ("conv_body", "model.1.sub.1"),
            ("conv_up1", "model.3"), ("conv_up2", "model.6"), ("conv_hr", "model.8"),
            ("conv_last", "model.10"),
        ]
        let expected = try samples(folder, ["upscale", path, "--model", model])
        for (file, pairs) in [("words", words), ("numbers", numbers)] {
            let renamed = tensors.map { name, tensor in
                var name = name
                for (new, old) in pairs { name = name.replacingOccurrences(of: new, with: old) }
                if file == "numbers", name.contains(".RDB") {
                    name = name.replacingOccurrences(of: ".weight", with: ".0.weight")
                        .replacingOccurrences(of: ".bias", with: ".0.bias")
                }
                return (name, tensor)
            }
            try SafetensorsWriter(renamed).write(to: folder("\(file).safetensors"))
            let found = try samples(folder, ["upscale", path, "--model", folder("\(file).safetensors")])
            #expect(try found.isIdentical(to: expected), "\(file)")
        }
    }

    /// A large picture passes in pieces; transparency is enlarged by a filter.
    @Test func largePicturesPassInPieces() throws {
        let folder = try TemporaryFolder()
        let (model, _, _) = try network(folder)
        let (path, picture) = try picture(folder, width: 300, height: 20, channels: 4)
        let call = ["upscale", path, "--model", model]
        let whole = try samples(folder, call + ["--tile", "0"])
        for tile in [[], ["--tile", "128"]] {
            expectClose(try samples(folder, call + tile), whole, absolute: 1e-5)
        }
        let out = folder("out.png")
        try folder.made(call + ["-o", out])
        let found = try Picture(contentsOf: URL(fileURLWithPath: out))
        #expect(found.channels == 4 && found.width == 1200)
        #expect(found.alpha == picture.alpha.resized(width: 1200, height: 80))
        try Program.expectRefused(call + ["-o", out, "--tile", "10"], "--tile is 10")
        try Program.expectRefused(call + ["-o", out, "--scale", "2"], "--scale is for filters")
        try Program.expectRefused(call + ["-o", out, "--prompt", "a cat"], "--prompt is for diffusion")
    }

    @Test func swinIRIsKnownByItsNames() throws {
        let folder = try TemporaryFolder()
        let fixture = try Fixture("enlarging/swinir-0-1")
        let weights = try fixture.tensors("weight.").sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        // What published files hold beside their parameters.
        let table = ("layers.0.residual_group.blocks.0.attn.relative_position_index", Tensor([Float(1)]))
        try SafetensorsWriter(weights + [table]).write(to: folder("swinir.safetensors"))
        let sample = try fixture.tensor("input.sample").slice(0..<1, of: 0)
        let path = folder("in.png")
        let picture = try Picture(sample[0] * 2 - 1)
        try picture.write(to: URL(fileURLWithPath: path))
        let configuration = try SwinIR.configuration(
            fixture.case.required("configuration", as: JSONObject.self))
        let network = try ParameterStore(.loaded(fixture.source("weight."))).build {
            try SwinIR(configuration, $0)
        }
        let pixels = ((picture.converted(toChannels: configuration.inChans).tensor() + 1) / 2).unsqueezed(0)
        let found = try samples(folder, ["upscale", path, "--model", folder("swinir.safetensors")])
        expectClose(found, network(pixels) * 2 - 1, absolute: 1e-5)
    }

    @Test func whatIsNoUpscalerIsRefused() throws {
        let folder = try TemporaryFolder()
        let (path, _) = try picture(folder, width: 8, height: 8, channels: 3)
        let (model, _, tensors) = try network(folder)
        let out = folder("out.png")
        let text = try FixtureModel(of: "sd1", in: folder).path
        try Program.expectRefused(["upscale", path, "--model", text, "-o", out], "makes no larger picture")
        try Program.expectRefused(
            ["generate", "a cat", "--model", model, "-o", out], "use 'langevin upscale'")
        let short = folder("short.safetensors")
        try SafetensorsWriter(tensors.filter { $0.0 != "conv_hr.weight" }).write(to: short)
        try Program.expectRefused(["upscale", path, "--model", short, "-o", out], "conv_hr.weight")
        let other = folder("other.safetensors")
        try SafetensorsWriter([("something.weight", Tensor([Float(1)]))]).write(to: other)
        try Program.expectRefused(["upscale", path, "--model", other, "-o", out], "no known family")
        #expect(!FileManager.default.fileExists(atPath: out))
    }
}

/// Diffusion models that are given a picture, by small models of diffusers' classes (`Tools/oracle/cascades_upscale.py`).
extension UpscaleCommandTests {
    private func model(_ name: String, _ folder: TemporaryFolder) throws -> (path: String, image: Picture) {
        let fixture = try Fixture("upscaling/\(name)")
        try fixture.write("model", to: folder(name))
        let shape = try fixture.tensor("image").shape
        let picture = Picture(
            width: shape[1], height: shape[0], channels: 3, pixels: try fixture.array("image"))
        try picture.write(to: URL(fileURLWithPath: folder("image.png")))
        return (folder(name), picture)
    }

    @Test func diffusionModelsEnlarge() throws {
        let folder = try TemporaryFolder()
        let (path, image) = try model("x4", folder)
        let call = ["upscale", folder("image.png"), "--model", path, "--steps", "5", "--seed", "3"]
        func picture(_ options: [String]) throws -> Picture {
            let out = folder("out.png")
            let outcome = try folder.made(call + options + ["-o", out, "--json"])
            let settings = try #require(outcome.json()["settings"] as? [String: Any])
            #expect(settings["noise_level"] as? Int != nil && settings["image"] != nil)
            return try Picture(contentsOf: URL(fileURLWithPath: out))
        }
        let plain = try picture([])
        let levels = try ModelFolder("\(path)/vae").configuration().required(
            "block_out_channels", as: [Int].self
        ).count
        let factor = 1 << (levels - 1)
        #expect(plain.width == image.width / factor * factor * factor)
        // 20 is the level where none is given, and the text is empty.
        #expect(try picture(["--noise-level", "20", "--prompt", ""]) == plain)
        #expect(try picture(["--noise-level", "5"]) != plain && picture(["--prompt", "a cat"]) != plain)
        let out = folder("none.png")
        func refused(_ options: [String], _ words: String) throws {
            try Program.expectRefused(call + options + ["-o", out], words)
        }
        try refused(["--noise-level", "5000"], "--noise-level is 5000")
        try refused(["--noise-level", "-1"], "--noise-level is -1")
        try refused(["--scale", "2"], "--scale is for filters")
        try refused(["--tile", "200"], "--tile is for networks")
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test func superResolutionTakesWholeSquares() throws {
        let folder = try TemporaryFolder()
        let (path, image) = try model("ldm-sr", folder)
        let call = ["upscale", folder("image.png"), "--model", path, "--steps", "2"]
        let out = folder("out.png")
        try folder.made(call + ["-o", out])
        #expect(try Picture(contentsOf: URL(fileURLWithPath: out)).width > image.width)
        try Program.expectRefused(
            call + ["-o", folder("none.png"), "--prompt", "a cat"], "--prompt: ldm-sr is given")
        try Program.expectRefused(
            call + ["-o", folder("none.png"), "--noise-level", "3"], "--noise-level has no part")
        try image.cropped(x: 0, y: 0, width: 30, height: 32).write(
            to: URL(fileURLWithPath: folder("image.png")))
        try Program.expectRefused(call + ["-o", folder("none.png")], "multiples of 32")
        #expect(!FileManager.default.fileExists(atPath: folder("none.png")))
    }

    /// A decoder in place of the model's own gives what a folder with it gives.
    @Test func anotherAutoencoderTakesThePlaceOfTheModels() throws {
        let folder = try TemporaryFolder()
        let text = try FixtureModel(of: "sd1", in: folder).path
        let levels = try ModelFolder("\(text)/vae").configuration().required(
            "block_out_channels", as: [Int].self
        ).count
        func tiny(_ latents: Int, _ name: String) throws {
            var configuration = AutoencoderTinyConfiguration()
            configuration.latentChannels = latents
            configuration.encoderBlockOutChannels = Array(repeating: 8, count: levels)
            configuration.decoderBlockOutChannels = Array(repeating: 8, count: levels)
            configuration.numEncoderBlocks = Array(repeating: 1, count: levels)
            configuration.numDecoderBlocks = Array(repeating: 1, count: levels)
            let store = ParameterStore(.initialized(RandomGenerator(seed: 4)))
            let network = try store.build { try AutoencoderTiny(configuration, $0) }
            try network.write(store, to: ModelFolder(folder(name)))
        }
        try tiny(4, "taesd")
        try tiny(5, "other")
        let call = ["generate", "a cat", "--width", "48", "--height", "32", "--steps", "2"]
        func picture(_ options: [String]) throws -> Picture {
            let out = folder("out.png")
            try folder.made(call + options + ["-o", out])
            return try Picture(contentsOf: URL(fileURLWithPath: out))
        }
        let plain = try picture(["--model", text])
        let replaced = try picture(["--model", text, "--vae", folder("taesd")])
        let receipt = try folder.receipt(call + ["--model", text, "--vae", folder("taesd")])
        let files = try receipt.required("weights", as: [JSONObject].self)
        let own = fileDigest(folder("taesd/diffusion_pytorch_model.safetensors"))
        #expect(files.contains { $0["part"] == "vae" && $0["sha256"] == .string(own) })
        let copy = folder("copy")
        try FileManager.default.copyItem(atPath: text, toPath: copy)
        try FileManager.default.removeItem(atPath: copy + "/vae")
        try FileManager.default.copyItem(atPath: folder("taesd"), toPath: copy + "/vae")
        #expect(try picture(["--model", copy]) == replaced && plain != replaced)
        let out = folder("none.png")
        func refused(_ vae: String, _ words: String) throws {
            try Program.expectRefused(call + ["--model", text, "--vae", vae, "-o", out], words)
        }
        try refused(folder("none"), "--vae")
        try refused(folder("other"), "latents have 5")
        try refused(text + "/unet", "autoencoder class")
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test func aPictureIsChangedByItsDepths() throws {
        let folder = try TemporaryFolder()
        let (path, _) = try model("depth", folder)
        let depth = RandomGenerator(seed: 2).uniform([9, 14])
        try SafetensorsWriter([("depth", depth)]).write(to: folder("depth.safetensors"))
        try SafetensorsWriter([("depth", depth * 0 + 2)]).write(to: folder("flat.safetensors"))
        let call = ["generate", "a cat", "--model", path, "--steps", "3", "--seed", "4"]
        let given = call + ["--image", folder("image.png")]
        let (first, second) = (folder("first.png"), folder("second.png"))
        try folder.made(given + ["--depth", folder("depth.safetensors"), "-o", first])
        // Depths are stretched: their unit does not count.
        try SafetensorsWriter([("depth", depth * 40 + 7)]).write(to: folder("metres.safetensors"))
        try folder.made(given + ["--depth", folder("metres.safetensors"), "-o", second])
        let (one, two) = try (
            Picture(contentsOf: URL(fileURLWithPath: first)),
            Picture(contentsOf: URL(fileURLWithPath: second))
        )
        #expect(zip(one.pixels, two.pixels).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
        try Picture(depth.unsqueezed(0) * 2 - 1).write(to: URL(fileURLWithPath: folder("depth.png")))
        let receipt = try folder.receipt(given + ["--depth", folder("depth.png")])
        #expect(try receipt.required("depth", as: JSONObject.self)["name"] == "depth.png")
        let out = folder("none.png")
        try Program.expectRefused(
            given + ["-o", out], "no estimator of them (depth_estimator): give --depth")
        try Program.expectRefused(call + ["--depth", folder("depth.png"), "-o", out], "give --image")
        try Program.expectRefused(
            given + ["--depth", folder("flat.safetensors"), "-o", out], "the same everywhere")
        let text = try FixtureModel(of: "sd1", in: folder).path
        try Program.expectRefused(
            ["generate", "a cat", "--model", text, "--depth", folder("depth.png"), "-o", out], "--depth")
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test func aModelFindsDepthsByItsOwnEstimator() throws {
        let folder = try TemporaryFolder()
        let (path, _) = try model("depth-found", folder)
        let call = ["generate", "a cat", "--model", path, "--image", folder("image.png"), "--steps", "2"]
        let parts = try folder.receipt(call).required("weights", as: [JSONObject].self).map { $0["part"] }
        #expect(parts.contains("depth_estimator"))
        // Depths that are given come first, and the estimator is not read.
        try SafetensorsWriter([("depth", RandomGenerator(seed: 2).uniform([9, 14]))]).write(
            to: folder("depth.safetensors"))
        let given = try folder.receipt(call + ["--depth", folder("depth.safetensors")])
        #expect(
            try !given.required("weights", as: [JSONObject].self).contains { $0["part"] == "depth_estimator" }
        )
        let out = folder("none.png")
        try Data(#"{"size": {"height": 16, "width": 8}, "keep_aspect_ratio": true}"#.utf8).write(
            to: URL(fileURLWithPath: "\(path)/feature_extractor/preprocessor_config.json"))
        try Program.expectRefused(call + ["-o", out], "keep_aspect_ratio")
        #expect(!FileManager.default.fileExists(atPath: out))
    }
}
