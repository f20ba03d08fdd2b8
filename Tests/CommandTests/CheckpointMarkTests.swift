import Checkpoints
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// Tensors of a single file that are no weights: marks that say what the network predicts and how latents are scaled,
/// and what training left behind.
@Suite struct CheckpointMarkTests {
    private let tiny: TinyCheckpoint

    init() throws { tiny = try TinyCheckpoint() }

    private static let velocity: JSONObject = ["prediction_type": "v_prediction"]
    private static let zeroTerminalSNR: JSONObject = [
        "prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "timestep_spacing": "trailing",
    ]

    /// A folder whose schedule states what a mark means.
    private func folder(_ changes: JSONObject, _ name: String) throws -> String {
        let path = try tiny.copy(name)
        try tiny.edit("scheduler/scheduler_config.json", in: name, changes)
        return path
    }

    @Test func marksOfVelocityWinOverTheConfiguration() throws {
        let noise = try tiny.latents(tiny.path).values
        let velocity = try tiny.latents(folder(Self.velocity, "v")).values
        let zero = try tiny.latents(folder(Self.zeroTerminalSNR, "zero")).values
        #expect(noise != velocity && velocity != zero)
        let mark = { (name: String) in (name, Tensor.zeros([1])) }
        for (marks, expected) in [
            ([], noise), ([mark("v_pred")], velocity), ([mark("v_pred"), mark("ztsnr")], zero),
            ([mark("ztsnr")], noise),
        ] {
            let file = try tiny.file(adding: marks)
            let made = try tiny.latents(file, "--config", tiny.path)
            #expect(made.values == expected, "\(marks.map(\.0))")
            #expect(made.messages.contains("predicts v") == (expected != noise), "\(made.messages)")
            let written = tiny.folder("written")
            let outcome = try Program.run("convert", file, written, "--config", tiny.path)
            #expect(outcome.code == 0, "\(outcome.messages)")
            #expect(try tiny.latents(written).values == expected, "\(marks.map(\.0)), converted")
            try FileManager.default.removeItem(atPath: written)
        }
    }

    /// The class of a schedule that cannot end without signal gives way to one that can, so that diffusers opens the
    /// same model.
    @Test func aClassThatCannotEndWithoutSignalGivesWay() throws {
        let described = try folder(["_class_name": "PNDMScheduler", "skip_prk_steps": true], "pndm")
        try tiny.edit(
            "model_index.json", in: "pndm", ["scheduler": ["diffusers", "PNDMScheduler"]])
        let file = try tiny.file(adding: [("v_pred", .zeros([])), ("ztsnr", .zeros([]))])
        let written = tiny.folder("written")
        #expect(try Program.run("convert", file, written, "--config", described).code == 0)
        let schedule = try ModelFolder(written + "/scheduler").configuration("scheduler_config.json")
        #expect(schedule["_class_name"] == "DDIMScheduler" && schedule["rescale_betas_zero_snr"] == true)
        #expect(schedule["timestep_spacing"] == "trailing" && schedule["clip_sample"] == false)
        let index = try ModelFolder(written).configuration("model_index.json")
        #expect(index["scheduler"] == ["diffusers", "DDIMScheduler"])
        let zero = try tiny.latents(folder(Self.zeroTerminalSNR, "zero")).values
        #expect(try tiny.latents(written).values == zero)
        #expect(try tiny.latents(file, "--config", described).values == zero)
    }

    @Test func whatIsSaidOfThePredictionWinsOverAll() throws {
        let noise = try tiny.latents(tiny.path).values
        let velocity = try tiny.latents(folder(Self.velocity, "v")).values
        let data = try tiny.latents(folder(["prediction_type": "sample"], "data")).values
        let file = try tiny.file(adding: [("v_pred", .zeros([])), ("ztsnr", .zeros([]))])
        for (word, expected) in [("noise", noise), ("epsilon", noise), ("data", data), ("sample", data)] {
            #expect(
                try tiny.latents(file, "--config", tiny.path, "--prediction", word).values == expected)
        }
        #expect(try tiny.latents(tiny.path, "--prediction", "v").values == velocity)
        #expect(try tiny.latents(tiny.folder("v"), "--prediction", "noise").values == noise)
        for input in [[tiny.path], [file, "--config", tiny.path]] {
            let written = tiny.folder("written")
            let outcome = try Program.run(
                ["convert", input[0], written, "--prediction", "sample"] + input[1...])
            #expect(outcome.code == 0, "\(outcome.messages)")
            #expect(try tiny.latents(written).values == data)
            try FileManager.default.removeItem(atPath: written)
        }
        try tiny.expectRefused(tiny.path, "--prediction", "hope", saying: "hope")
    }

    /// Models on pixels listen, too; what has no prediction to change says so.
    @Test func aModelOnPixelsIsToldItsPrediction() throws {
        let model = try TinyModel()
        func samples(_ options: String...) throws -> [Float] {
            let output = model.folder("x.safetensors")
            let outcome = try Program.run(["sample", model.model, "--steps", "3", "-o", output] + options)
            try #require(outcome.code == 0, "\(outcome.messages)")
            let file = try SafetensorsFile(path: output, storage: .copied)
            return try file.tensor(named: "samples").array(of: Float.self)
        }
        let own = try samples()
        #expect(try samples("--prediction", "noise") == own)
        #expect(try samples("--prediction", "v") != own)
        try Program.expectRefused(
            ["sample", "analytic:none.json", "--prediction", "v", "-o", model.folder("y.safetensors")],
            "leave out --prediction")
    }

    /// Playground 2.5: the statistics of latents are the file's, the schedule stays the folder's.
    @Test func statisticsOfLatentsAreTheAutoencoders() throws {
        let (mean, deviation): ([Float], [Float]) = ([-1.5, 1.25, -0.5, 2], [3, 2, 2.5, 1.5])
        let file = try tiny.file(adding: [
            ("edm_mean", Tensor(mean, shape: [1, 4, 1, 1])),
            ("edm_std", Tensor(deviation, shape: [1, 4, 1, 1])),
            ("v_pred", .zeros([])),
        ])
        let expected = try tiny.copy("expected")
        try tiny.edit(
            "vae/config.json", in: "expected",
            ["latents_mean": [-1.5, 1.25, -0.5, 2.0], "latents_std": [3.0, 2.0, 2.5, 1.5]])
        let pixels = try tiny.pixels(expected)
        #expect(try pixels != tiny.pixels(tiny.path))
        #expect(try tiny.pixels(file, "--config", tiny.path) == pixels)
        #expect(try tiny.latents(file, "--config", tiny.path).values == tiny.latents(tiny.path).values)
        let written = tiny.folder("written")
        #expect(try Program.run("convert", file, written, "--config", tiny.path).code == 0)
        #expect(try tiny.pixels(written) == pixels)
        let schedule = try ModelFolder(written + "/scheduler").configuration("scheduler_config.json")
        #expect(schedule["prediction_type"] == "epsilon")
        // One of the two alone is no mark.
        let half = try tiny.file("half.safetensors", adding: [("edm_mean", .zeros([4]))])
        #expect(try tiny.pixels(half, "--config", tiny.path) == tiny.pixels(tiny.path))
    }

    @Test func whatTrainingLeftIsCountedAndPassedOver() throws {
        let left = ["global_step", "epoch", "embedding_manager.x.y", "optimizer.state.0"].map {
            ($0, Tensor.zeros([2]))
        }
        let file = try tiny.file(adding: left)
        let made = try tiny.latents(file, "--config", tiny.path)
        #expect(try made.values == tiny.latents(tiny.path).values)
        let lines = made.messages.split(separator: "\n").filter { $0.contains("passed over 4 tensors") }
        #expect(lines.count == 1 && lines[0].contains("global_step"), "\(made.messages)")
        try tiny.expectRefused(file, "--config", tiny.path, "--strict", saying: "4 tensors belong to no part")
        let strict = ["convert", file, tiny.folder("written"), "--config", tiny.path, "--strict"]
        try Program.expectRefused(strict, "4 tensors belong to no part")
        try Program.expectRefused(strict + ["--allow-strays"], "exclude each other")
        let older = try Program.run(
            "convert", file, tiny.folder("written"), "--config", tiny.path, "--allow-strays")
        #expect(older.code == 0 && older.messages.contains("passed over 4 tensors"), "\(older.messages)")
    }

    /// An unknown tensor among the names of a part means another network.
    @Test(arguments: [
        "model.diffusion_model.surprise.weight", "first_stage_model.decoder.mid.surprise.weight",
        "cond_stage_model.transformer.surprise.weight", "cond_stage_model.surprise",
        "conditioner.embedders.2.weight",
    ])
    func anUnknownTensorOfAPartIsAnError(_ name: String) throws {
        let file = try tiny.file(adding: [(name, .zeros([2]))])
        try tiny.expectRefused(file, "--config", tiny.path, saying: name)
        try Program.expectRefused(
            ["convert", file, tiny.folder("written"), "--config", tiny.path, "--allow-strays"], name)
    }

    /// Noise or v of version 2: by the spread of one layer's shifts where it is there, else asked for.
    @Test func version2IsToldByItsWeights() throws {
        let name = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
        let unet: [(String, Tensor)] = [
            ("model.diffusion_model.input_blocks.0.0.weight", .zeros([4, 4, 3, 3])),
            ("model.diffusion_model.input_blocks.1.0.in_layers.0.weight", .zeros([4])),
            ("model.diffusion_model.input_blocks.1.1.proj_in.weight", .zeros([4, 4])),
            (
                "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
                .zeros([4, 1024])
            ),
        ]
        for (size, words) in [(Float(0.1), "predict v"), (0.08, "predict noise")] {
            let file = try tiny.folder.write(
                "two.safetensors",
                SafetensorsWriter(unet + [(name, Tensor([size, -size, size, -size]))]).bytes())
            let found = try Program.run("inspect", file, "--json").json()["file"] as? [String: Any]
            let caveats = try #require(found?["caveats"] as? [String])
            #expect(caveats.contains { $0.contains(words) && $0.contains("no certainty") }, "\(caveats)")
        }
        let file = try tiny.folder.write("open.safetensors", SafetensorsWriter(unet).bytes())
        try tiny.expectRefused(file, saying: "give --prediction noise or --prediction v")
        try Program.expectRefused(
            ["convert", file, tiny.folder("written")], "give --prediction noise or --prediction v")
    }
}
