import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// Models on pixels that draw from texts, laid out as the one that comes with the project: packed into one file, begun from
/// pictures, compared with the pictures that have the captions.
@Suite struct TextPictureModelTests {
    /// A run of a few steps on forty squares of four colours.
    private struct TrainedModel {
        let folder: TemporaryFolder
        var run: String { folder("run") }
        var data: String { folder("squares") }

        init() throws {
            folder = try TemporaryFolder()
            try Self.writeSquares(to: folder)
            let recipe = try folder.write(
                "recipe.yaml",
                """
                data: {kind: folder, path: \(folder("squares")), size: 8, captions: file}
                model: {kind: mmdit, conditioning: text, text_encoder: trained, text_width: 16, text_layers: 1, \
                num_attention_heads: 2, attention_head_dim: 8, num_layers: 2, patch_size: 4, pos_embed_max_size: 2}
                diffusion: {process: flow, prediction: data}
                objective: {kind: flow-matching, times: logit-normal, mean: 0.8}
                training: {steps: 40, batch_size: 16, learning_rate: 0.01, warmup_steps: 2, ema_decay: 0.9, \
                checkpoint_every: 0, sample_every: 0, threads: 1}
                evaluation: {solver: flow-euler, steps: 6, guidance: 2, count: 4}
                """)
            try folder.made(["train", recipe, "--out", folder("run")])
        }

        private static func writeSquares(to folder: TemporaryFolder) throws {
            let colours: [(String, [UInt8])] = [
                ("red", [220, 30, 30]), ("green", [30, 200, 40]), ("blue", [40, 40, 220]),
                ("grey", [128, 128, 128]),
            ]
            try folder.makeFolder("squares")
            var rows = ""
            for (name, colour) in colours {
                for index in 0..<10 {
                    let shade = colour.map { UInt8(clamping: Int($0) + 3 * index - 15) }
                    let picture = Picture(width: 8, height: 8, colour: shade)
                    try folder.write("squares/\(name)\(index).png", picture.encoded(as: .png))
                    rows +=
                        #"{"file_name": "\#(name)\#(index).png", "label": "\#(name)", "text": ["\#(name) \#(index)"]}"#
                        + "\n"
                }
            }
            try folder.write("squares/metadata.jsonl", rows)
        }
    }

    private static let trained = Result { try TrainedModel() }
    private let model: TrainedModel
    private let folder: TemporaryFolder

    init() throws {
        model = try Self.trained.get()
        folder = try TemporaryFolder()
    }

    /// The raw samples of a request to the run, or to another model.
    private func samples(_ arguments: [String], of other: String? = nil, _ name: String = "samples") throws
        -> Tensor
    {
        let output = folder("out.safetensors")
        try? FileManager.default.removeItem(atPath: output)
        try folder.made(
            ["generate", "red 3", "--model", other ?? model.run, "--threads", "1", "-o", output] + arguments)
        return try SafetensorsFile(path: output, storage: .copied).tensor(named: name)
    }

    /// A picture of two halves.
    private func halves() throws -> String {
        var picture = Picture(width: 8, height: 8, colour: [250, 180, 20])
        for y in 0..<8 { for x in 4..<8 { picture[x, y, 0] = 10 } }
        return try folder.write("halves.png", picture.encoded(as: .png))
    }

    // MARK: One file

    @Test func aPackedModelDrawsTheSamePictures() throws {
        let packed = folder("packed.safetensors")
        let outcome = try folder.made(["convert", model.run, packed])
        #expect(
            outcome.messages.contains("SD3Transformer2DModel: all")
                && outcome.messages.contains("CLIPTextModel: all"))
        let wanted = try samples(["--seed", "4"])
        #expect(try samples(["--seed", "4"], of: packed).isIdentical(to: wanted))
        // What it was trained by is in it, and it can be laid out again, text encoder and all.
        let file = try SafetensorsFile(path: packed)
        #expect(file.metadata["recipe.yaml"]?.contains("text_encoder: trained") == true)
        for (name, source) in [("again", packed), ("folder", model.run)] {
            try folder.made(["convert", source, folder(name)])
            #expect(try samples(["--seed", "4"], of: folder(name)).isIdentical(to: wanted), "\(name)")
        }
        try folder.made(["convert", folder("again"), folder("twice.safetensors")])
        #expect(folder.bytes("twice.safetensors") == folder.bytes("packed.safetensors"))
    }

    @Test func aPackedModelInHalfPrecisionIsHalfAsLarge() throws {
        let (whole, half) = (folder("whole.safetensors"), folder("half.safetensors"))
        try folder.made(["convert", model.run, whole])
        try folder.made(["convert", whole, half, "--dtype", "float16"])
        let files = try [whole, half].map { try SafetensorsFile(path: $0) }
        #expect(files[0].names == files[1].names)
        #expect(files[1].names.allSatisfy { files[1].elementType(of: $0) == .float16 })
        let (first, second) = try (samples([], of: whole), samples([], of: half))
        let error = try (first - second).magnitude().max().item(Double.self)
        #expect(error > 0 && error < 0.05, "\(error)")
        let report = try folder.made(["inspect", half, "--check"])
        #expect(report.output.contains("text_encoder  CLIPTextModel"), "\(report.output)")
        #expect(report.output.contains("all values are finite"), "\(report.output)")
    }

    @Test func theReceiptNamesThePackedFile() throws {
        let packed = folder("packed.safetensors")
        try folder.made(["convert", model.run, packed])
        let outcome = try folder.made(
            ["generate", "red 3", "--model", packed, "-o", folder("red.png"), "--json"])
        let settings = try #require(try outcome.json()["settings"] as? [String: Any])
        #expect(settings["model_hash"] as? String == fileDigest(packed))
        #expect(settings["model"] as? String == "packed")
    }

    @Test func whatCannotBePackedIsRefused() throws {
        try Program.expectRefused(
            ["convert", model.run + "/model/unet", folder("x.safetensors")], "one network's folder")
        let packed = folder("packed.safetensors")
        try folder.made(["convert", model.run, packed])
        try Program.expectRefused(
            ["convert", packed, folder("x"), "--variant", "fp16"], "leave out --variant")
        try Program.expectRefused(
            ["generate", "red", "--model", packed, "--config", model.run, "-o", folder("x.png")], "--config")
        #expect(!FileManager.default.fileExists(atPath: folder("x.safetensors")))
    }

    /// A program without its sources takes the file that lies beside it.
    @Test func theModelBesideTheProgramIsUsed() throws {
        let program = folder("langevin")
        // A copy that is being written cannot be run by the tests beside this one, so a link is better where there can be one.
        do {
            try FileManager.default.linkItem(atPath: Program.path, toPath: program)
        } catch {
            try FileManager.default.copyItem(atPath: Program.path, toPath: program)
        }
        try folder.made(["convert", model.run, folder("emoji.safetensors")])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["generate", "red 3", "--seed", "4", "-o", folder("red.png")]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        try folder.made(
            [
                "generate", "red 3", "--seed", "4", "--model", folder("emoji.safetensors"), "-o",
                folder("2.png"),
            ])
        #expect(folder.bytes("red.png") == folder.bytes("2.png"))
    }

    // MARK: From pictures

    /// The first step of the whole way has nothing of the picture, and its noise is the first that is drawn.
    @Test func imageToImageAtFullStrengthIsTheTextAlone() throws {
        let image = try halves()
        let plain = try samples(["--seed", "9"])
        #expect(try samples(["--seed", "9", "--image", image, "--strength", "1"]).isIdentical(to: plain))
        let near = try samples(["--seed", "9", "--image", image, "--strength", "0.34"])
        #expect(try !near.isIdentical(to: plain))
        // Two steps of six are left, the first of them a third of the way to the data.
        let steps = try folder.made([
            "generate", "red 3", "--model", model.run, "--image", image, "--strength", "0.34", "-o",
            folder("near.png"), "--json",
        ])
        let settings = try #require(try steps.json()["settings"] as? [String: Any])
        #expect(settings["strength"] as? Double == 0.34 && settings["image"] != nil)
    }

    @Test func onlyTheMaskIsPaintedAnew() throws {
        let image = try halves()
        var mask = Picture(width: 8, height: 8, colour: [0])
        for y in 0..<8 { for x in 0..<3 { mask[x, y] = 255 } }
        let path = try folder.write("mask.png", mask.encoded(as: .png))
        let made = try samples(["--image", image, "--mask", path])
        let given = try Picture(contentsOf: URL(fileURLWithPath: image)).tensor()
        let difference = (made[0] - given).magnitude()
        #expect(try difference.slice(3..<8, of: 2).max().item(Double.self) < 1e-6)
        #expect(try difference.slice(0..<3, of: 2).mean().item(Double.self) > 0.05)
    }

    @Test func anInterpolationEndsAtTheTwoSeeds() throws {
        let way = try samples(["--interpolate", "3:8", "--count", "4"])
        let ends = try [3, 8].map { try samples(["--seed", "\($0)"]) }
        for (row, end) in [(0, ends[0]), (3, ends[1])] {
            let error = try (way.slice(row..<row + 1, of: 0) - end).magnitude().max().item(Double.self)
            #expect(error < 1e-4, "\(row): \(error)")
        }
    }

    /// The noise of a drawn picture leads back to it.
    @Test func anInversionLeadsBack() throws {
        let steps = ["--steps", "200", "--guidance", "1"]
        let picture = try samples(steps + ["--seed", "5"])
        try SafetensorsWriter([("samples", picture)]).write(to: folder("picture.safetensors"))
        let noise = try samples(
            steps + ["--inversion", "--image", folder("picture.safetensors")], "latents")
        try SafetensorsWriter([("latents", noise)]).write(to: folder("noise.safetensors"))
        let again = try samples(steps + ["--initial", folder("noise.safetensors")])
        let error = try (again - picture).squared().mean().squareRoot().item(Double.self)
        #expect(error < 0.05, "\(error)")
    }

    @Test func whatDoesNotGoTogetherIsRefused() throws {
        let (image, out) = (try halves(), folder("x.png"))
        let generate = ["generate", "red", "--model", model.run, "-o", out]
        for (more, words) in [
            (["--mask", image], "--mask"), (["--strength", "0.5"], "--strength"),
            (["--image", image, "--strength", "0"], "--strength is 0"),
            (["--image", image, "--strength", "0.01"], "no step of 6 is left"),
        ] {
            try Program.expectRefused(generate + more, words)
        }
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    // MARK: Several prompts

    @Test func aFileOfPromptsMakesAPictureOfEach() throws {
        let file = try folder.write("prompts.txt", "red 3\n\nblue 4\n")
        try folder.made([
            "generate", "--prompts", file, "--model", model.run, "--seed", "2", "-o", folder("p-%d.png"),
        ])
        try folder.made([
            "generate", "blue 4", "--model", model.run, "--seed", "3", "-o", folder("own.png"),
        ])
        let receipts = try ["p-1.png", "own.png"].map { name in
            try folder.made(["inspect", folder(name)]).output
        }
        #expect(receipts[0].contains("blue 4") && !receipts[0].contains("red 3"), "\(receipts[0])")
        let pictures = try ["p-1.png", "own.png"].map {
            try Picture(contentsOf: URL(fileURLWithPath: folder($0))).pixels
        }
        let largest = zip(pictures[0], pictures[1]).map { abs(Int($0) - Int($1)) }.max()
        #expect(largest ?? 255 <= 1)
        let sheet = try folder.made([
            "generate", "--prompts", file, "--model", model.run, "-o", folder("sheet.png"), "--json",
        ])
        let settings = try #require(try sheet.json()["settings"] as? [String: Any])
        #expect(settings["prompts"] as? [String] == ["red 3", "blue 4"] && settings["count"] as? Int == 2)
        let empty = try folder.write("empty.txt", "\n \n")
        let rest = ["--model", model.run, "-o", folder("x.png")]
        try Program.expectRefused(["generate", "--prompts", empty] + rest, "holds no prompt")
        try Program.expectRefused(["generate", "red", "--prompts", file] + rest, "exclude each other")
        try Program.expectRefused(["generate"] + rest, "Missing expected argument '<prompt>'")
    }

    // MARK: Comparison by captions

    @Test func aModelIsComparedByCaptions() throws {
        let outcome = try folder.made([
            "evaluate", model.run, "--against", model.data, "--count", "20", "--sweep", "1", "2", "--plot",
            folder("sweep.png"), "--json", "--threads", "1",
        ])
        let reports = try outcome.json()
        #expect(Set(reports.keys) == ["1.0", "2.0"])
        for report in reports.values {
            let report = try #require(report as? [String: Any])
            #expect(report["samples"] as? Int == 20 && report["candidates"] as? Int == 40)
            let look = try #require(report["look"] as? [String: [String: Double]])
            let first = try #require(look["first"])
            #expect((0...1).contains(first["value"] ?? -1) && (first["low"] ?? 2) <= (first["value"] ?? -1))
        }
        #expect(folder.bytes("sweep.png").count > 1000)
        try Program.expectRefused(
            ["evaluate", model.run, "--against", "digits", "--clip", model.run], "--clip")
        try Program.expectRefused(
            ["evaluate", model.run, "--against", model.data, "--clip", model.run], "is no CLIP")
    }
}
