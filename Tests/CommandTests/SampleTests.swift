import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

@Suite struct SampleTests {
    @Test func everyFormOfOutput() throws {
        let tiny = try TinyModel(classes: true)
        let folder = tiny.folder
        func sample(_ arguments: String...) throws -> [String: Any] {
            let outcome = try Program.run(["sample", tiny.run] + arguments + ["--steps", "3", "--json"])
            #expect(outcome.code == 0, "\(outcome.messages)")
            return try outcome.json()
        }
        let sheet = try sample("--class", "all", "--count", "20", "-o", folder("sheet.png"))
        #expect(sheet["files"] as? [String] == [folder("sheet.png")])
        #expect(sheet["seed"] as? Int == 0)
        let texts = try Picture.texts(of: URL(fileURLWithPath: folder("sheet.png")))
        #expect(texts.map(\.keyword) == ["parameters", "langevin"])
        #expect(texts[0].text.contains("Steps: 3, Sampler: DDIM"))
        _ = try sample("--class", "3", "--count", "2", "-o", folder("n-%03d.png"))
        #expect(FileManager.default.fileExists(atPath: folder("n-000.png")))
        #expect(FileManager.default.fileExists(atPath: folder("n-001.png")))
        _ = try sample("--class", "3", "--count", "2", "-o", folder("each"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder("each")).sorted() == [
                "00000.png", "00001.png",
            ])
        for name in ["one.jpg", "one.webp"] {
            _ = try sample("--class", "3", "-o", folder(name))
            #expect(try Picture(contentsOf: URL(fileURLWithPath: folder(name))).width == 8)
        }
        _ = try sample("--class", "3", "-o", folder("raw.safetensors"))
        let raw = try SafetensorsFile(path: folder("raw.safetensors")).tensor(named: "samples")
        #expect(raw.shape == [1, 1, 8, 8])
        let pixels = try Picture(contentsOf: URL(fileURLWithPath: folder("n-000.png"))).pixels
        let expected = ((raw / 2 + 0.5).clamped(to: 0...1) * 255).rounded()
        #expect(try pixels.map(Double.init) == expected.array(of: Double.self))
    }

    @Test(arguments: ["ddpm", "ddim"])
    func aPictureDependsOnItsSeedAlone(solver: String) throws {
        let tiny = try TinyModel(schedule: "squaredcos_cap_v2")
        func samples(_ name: String, _ arguments: String...) throws -> Tensor {
            let path = tiny.folder(name + ".safetensors")
            let eta = solver == "ddpm" || arguments.contains("--eta") ? [] : ["--eta", "0.5"]
            let outcome = try Program.run(
                ["sample", tiny.run, "-o", path, "--steps", "5", "--solver", solver] + eta + arguments)
            #expect(outcome.code == 0, "\(outcome.messages)")
            return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
        }
        let together = try samples("a", "--count", "5", "--seed", "7")
        let apart = try samples("b", "--count", "5", "--seed", "7", "--batch-size", "2")
        let third = try samples("c", "--seed", "9")
        expectClose(apart, together, absolute: 1e-5)
        expectClose(third[0], together[2], absolute: 1e-5)
        // The start given as a file is the start that the seed draws.
        let start = stacked((0..<2).map { RandomGenerator(seed: 7 + UInt64($0)).normal([1, 1, 8, 8])[0] })
        try SafetensorsWriter([("latents", start)]).write(to: tiny.folder("start.safetensors"))
        if solver == "ddim" {
            let given = try samples(
                "d", "--count", "2", "--seed", "7", "--initial", tiny.folder("start.safetensors"), "--eta",
                "0")
            expectClose(given, try samples("e", "--count", "2", "--seed", "7", "--eta", "0"), absolute: 1e-6)
        }
    }

    @Test func conversionsThatCannotBeAreRefused() throws {
        let folder = try TemporaryFolder()
        try Program.expectRefused(["convert", folder("none"), folder("out")], "there is no")
        try Program.expectRefused(
            ["convert", fixturePath("pickles/command.pt"), folder("out.safetensors")], "command.pt")
        try Program.expectRefused(
            ["convert", fixturePath("pickles/archive.pt"), folder("out")], "no known family")
        let outcome = try Program.run(
            "convert", fixturePath("pickles/archive.pt"), folder("out.safetensors"), "--dtype", "float16")
        #expect(outcome.code == 0 && outcome.output.isEmpty && outcome.messages.contains("wrote"))
        #expect(try folder.names() == ["out.safetensors"])
    }

    @Test func aConvertedModelGivesTheSamePictures() throws {
        let tiny = try TinyModel()
        #expect(try Program.run("convert", tiny.run, tiny.folder("copy")).code == 0)
        for (model, name) in [(tiny.run, "a"), (tiny.folder("copy"), "b")] {
            #expect(try Program.run("sample", model, "-o", tiny.folder(name + ".safetensors")).code == 0)
        }
        let (a, b) = try (
            SafetensorsFile(path: tiny.folder("a.safetensors")).tensor(named: "samples"),
            SafetensorsFile(path: tiny.folder("b.safetensors")).tensor(named: "samples")
        )
        #expect(try a.isIdentical(to: b))
    }

    @Test func badRequestsAreRefused() throws {
        let tiny = try TinyModel()
        let model = tiny.run
        let out = ["-o", tiny.folder("never.png")]
        let cases: [([String], String)] = [
            (["--count", "0"], "--count"), (["--count", "-3"], "count"), (["--count", "many"], "count"),
            (["--steps", "0"], "--steps"), (["--steps", "51"], "--steps"),
            (["--steps", "1000000000000"], "steps"),
            (["--solver", "eulers"], "eulers"), (["--grid", "spiral"], "spiral"),
            (["--eta", "1.5"], "--eta"), (["--eta", "nan"], "--eta"),
            (["--guidance", "3"], "no classes"), (["--class", "3"], "no classes"),
            (["--class", "x"], "class"),
            (["--width", "7"], "multiple of 2"), (["--height", "0"], "multiple of 2"),
            (["--width", "1000000"], "multiple of 2"),
            (["--device", "cuda"], "cuda"), (["--device", "tpu"], "tpu"), (["--dtype", "int8"], "int8"),
            (["--threads", "0"], "--threads"), (["--seed", "-2"], "seed"),
            (["--seed", "18446744073709551616"], "seed"),
            (["--initial", tiny.folder("none.safetensors")], "none.safetensors"),
            (["--initial", tiny.folder("recipe.yaml")], "recipe.yaml"), (["--wat"], "--wat"),
        ]
        for (arguments, words) in cases {
            try Program.expectRefused(["sample", model] + arguments + out, words)
        }
        for output in ["/nowhere/x.png", tiny.folder("x.gif"), tiny.folder("n-%s.png"), "/proc/x.png"] {
            try Program.expectRefused(
                ["sample", model, "-o", output], output.split(separator: "/").first.map(String.init)!)
        }
        try Program.expectRefused(["sample", tiny.folder("none")] + out, "there is no model")
        try Program.expectRefused(["sample", tiny.folder("recipe.yaml")] + out, "no checkpoint")
        try Program.expectRefused(["sample", tiny.folder.path] + out, "no model yet")
        #expect(!FileManager.default.fileExists(atPath: tiny.folder("never.png")))
    }

    @Test func damagedModelsAreRefused() throws {
        let tiny = try TinyModel()
        let weights = tiny.model + "/unet/diffusion_pytorch_model.safetensors"
        let out = tiny.folder("never.png")
        let file = try SafetensorsFile(path: weights, storage: .copied)
        var tensors = try file.names.map { ($0, try file.tensor(named: $0)) }
        func expectRefused(_ words: String) throws {
            try Program.expectRefused(["sample", tiny.run, "-o", out], words)
            #expect(!FileManager.default.fileExists(atPath: out))
        }
        let first = tensors[0]
        tensors[0].0 = "stranger"
        try SafetensorsWriter(tensors).write(to: weights)
        try expectRefused("1 tensor missing: \"\(first.0)\"")
        try expectRefused("1 tensor not known to the network: \"stranger\"")
        tensors[0] = (first.0, Tensor.zeros([3, 3]))
        try SafetensorsWriter(tensors).write(to: weights)
        try expectRefused("of the wrong shape: \"\(first.0)\" ([3, 3] instead of \(first.1.shape))")
        try Data("garbage!".utf8).write(to: URL(fileURLWithPath: weights))
        try expectRefused("diffusion_pytorch_model.safetensors")
        try FileManager.default.removeItem(atPath: weights)
        try expectRefused("diffusion_pytorch_model.safetensors")
    }

    @Test func damagedConfigurationsAreRefused() throws {
        let tiny = try TinyModel()
        func expectRefused(_ name: String, _ text: String, _ words: String) throws {
            let path = URL(fileURLWithPath: tiny.model + "/" + name)
            let old = try Data(contentsOf: path)
            try Data(text.utf8).write(to: path)
            try Program.expectRefused(["sample", tiny.run, "-o", tiny.folder("never.png")], words)
            try old.write(to: path)
        }
        func scheduler(_ key: String, _ value: String) -> String {
            "{\"_class_name\": \"DDPMScheduler\", \"\(key)\": \(value)}"
        }
        let file = "scheduler/scheduler_config.json"
        try expectRefused(file, "{", "scheduler_config.json")
        try expectRefused(file, "{\"_class_name\": \"LMSContinuousScheduler\"}", "LMSContinuousScheduler")
        try expectRefused(file, scheduler("use_karas_sigmas", "true"), "use_karras_sigmas")
        try expectRefused(file, scheduler("num_train_timesteps", "0"), "num_train_timesteps")
        try expectRefused(file, scheduler("num_train_timesteps", "1000000000000"), "num_train_timesteps")
        try expectRefused(file, scheduler("beta_end", "1e-9"), "beta_end")
        try expectRefused(file, scheduler("beta_start", "\"x\""), "beta_start")
        try expectRefused(file, scheduler("trained_betas", "[0.1, 0.2]"), "trained_betas")
        try expectRefused(file, scheduler("prediction_type", "\"hope\""), "hope")
        try expectRefused(file, scheduler("variance_type", "\"fixed_hope\""), "fixed_hope")
        try expectRefused(
            "model_index.json", "{\"_class_name\": \"KandinskyPipeline\"}", "KandinskyPipeline")
        try expectRefused("model_index.json", "[]", "model_index.json")
        try expectRefused(
            "unet/config.json", "{\"_class_name\": \"UNet2DModel\", \"block_out_channels\": []}",
            "block_out_channels")
        try expectRefused("unet/config.json", "{\"_class_name\": \"UNet9DModel\"}", "UNet9DModel")
    }
}
