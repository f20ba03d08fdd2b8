import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// Row H11 of the reliability plan: names of outputs, looked at before anything is computed.
@Suite struct OutputTests {
    /// A run that no test changes.
    private static let tiny = Result { try TinyModel() }

    private func sample(_ arguments: String...) throws -> Program.Outcome {
        try Program.run(["sample", Self.tiny.get().run, "--steps", "2"] + arguments)
    }

    /// H11. Only the last part of a name has a place for a number.
    @Test func foldersWithPercentSigns() throws {
        let folder = try TemporaryFolder()
        for name in ["50%off", "d%d"] {
            try folder.makeFolder(name)
            #expect(try sample("-o", folder("\(name)/x.png")).code == 0)
            #expect(try sample("--count", "2", "-o", folder("\(name)/y-%d.png")).code == 0)
            #expect(try folderNames(folder(name)) == ["x.png", "y-0.png", "y-1.png"])
        }
    }

    /// Tensors are numbered as pictures are.
    @Test func aTensorEach() throws {
        let folder = try TemporaryFolder()
        #expect(try sample("--count", "3", "--seed", "5", "-o", folder("all.safetensors")).code == 0)
        let outcome = try sample(
            "--count", "3", "--seed", "5", "--json", "-o", folder("x-%02d.safetensors"))
        let names = (0..<3).map { "x-0\($0).safetensors" }
        #expect(try outcome.json()["files"] as? [String] == names.map { folder($0) })
        let all = try SafetensorsFile(path: folder("all.safetensors")).tensor(named: "samples")
        for (index, name) in names.enumerated() {
            let file = try SafetensorsFile(path: folder(name))
            #expect(try file.tensor(named: "samples").array(of: Float.self) == all[index].array())
            #expect(try file.tensor(named: "samples").shape == [1, 1, 8, 8])
            let receipt = Dictionary(file.metadata.map { ($0, $1) }) { first, _ in first }["langevin"]
            #expect(receipt?.contains("\"seed\":\(5 + index)") == true, "\(receipt ?? "")")
        }
        // Exactly solvable models, too.
        let model = try folder.write(
            "g.json",
            #"{"kind": "gaussian-mixture", "weights": [1], "means": [[0, 1]], "covariances": [[[1, 0], [0, 1]]], "schedule": {"kind": "edm"}, "prediction": "data"}"#
        )
        let call = ["sample", "analytic:" + model, "--steps", "3", "--count", "2", "-o"]
        #expect(try Program.run(call + [folder("p-%d.safetensors")]).code == 0)
        #expect(
            try SafetensorsFile(path: folder("p-1.safetensors")).tensor(named: "samples").shape == [1, 2])
        try Program.expectRefused(call + [folder("p-%d.png")], "one picture")
    }

    /// H11. Names that no file can have are refused before anything is done, by every command that writes.
    @Test func namesThatNoFileCanHave() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let long = folder(String(repeating: "a", count: 252) + ".png")
        let none = folder("d%d/x.png")
        let link = folder("link.png")
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: folder("none/x.png"))
        let calls: [[String]] = [
            ["sample", tiny.run, "-o"], ["sample", tiny.run, "-o", folder("x.png"), "--trajectory"],
            ["generate", "x", "--model", tiny.run, "-o"],
            ["generate", "x", "--model", tiny.run, "-o", folder("x.png"), "--preview"],
            ["order", "--solver", "euler", "-o"],
        ]
        for call in calls {
            try Program.expectRefused(call + [""], "is empty")
            try Program.expectRefused(call + [long], "the name is too long")
            try Program.expectRefused(call + [none], "there is no folder \(folder("d%d"))")
            try Program.expectRefused(call + [link], "there is no folder")
            #if os(Linux)
                try Program.expectRefused(call + ["/sys/x.png"], "/sys/x.png")
            #endif
        }
        for call in [
            ["convert", tiny.model], ["train", tiny.folder("recipe.yaml"), "--out"],
        ] {
            try Program.expectRefused(call + [""], "is empty")
            try Program.expectRefused(call + [folder(String(repeating: "a", count: 256))], "too long")
        }
        try Program.expectRefused(
            [
                "convert", tiny.model + "/unet/diffusion_pytorch_model.safetensors",
                folder("none/x.safetensors"),
            ],
            "there is no folder")
        try Program.expectRefused(
            ["bench", "tiny-1000", "--output", folder("none/x.safetensors")], "there is no")
        // Names of folders as long as they can be, and numbers that make a name too long.
        let name = String(repeating: "b", count: 255)
        #expect(try Program.run("convert", tiny.model, folder(name)).code == 0)
        let numbered = folder(String(repeating: "c", count: 249) + "%d.png")
        try Program.expectRefused(
            ["sample", tiny.run, "--count", "101", "-o", numbered], "the name is too long")
        #expect(try sample("--count", "11", "-o", numbered).code == 0)
        for pattern in ["x-%s.png", "x-%.png", "x-%d-%d.png", "x-%99999999999999999999d.png"] {
            try Program.expectRefused(["sample", tiny.run, "-o", folder(pattern)], "%05d")
        }
        #expect(try folder.names().filter { !$0.hasPrefix("c") } == [name, "link.png"])
    }

    /// Neither of two outputs takes the other's place.
    @Test func twoOutputsOfOneName() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        try folder.makeFolder("d")
        try FileManager.default.createSymbolicLink(atPath: folder("e"), withDestinationPath: folder("d"))
        for (output, other) in [
            ("d/x.png", "d/x.png"), ("d/x.png", "d/../d/./x.png"), ("d/x.png", "e/x.png"),
            ("d/x-%03d.png", "e/x-002.png"), ("d", "e/00001.png"),
        ] {
            let call = [
                "sample", tiny.run, "--count", "3", "-o", folder(output), "--trajectory", folder(other),
            ]
            try Program.expectRefused(call, "are one file")
        }
        try Program.expectRefused(
            [
                "generate", "x", "--model", tiny.run, "-o", folder("d/x.png"), "--preview", folder("e/x.png"),
            ], "are one file")
        #expect(
            try sample("--count", "3", "-o", folder("d/x-%d.png"), "--trajectory", folder("d/x-3.png")).code
                == 0)
        #expect(try folderNames(folder("d")) == ["x-0.png", "x-1.png", "x-2.png", "x-3.png"])
    }

    /// Numbers that mean nothing, and more threads than processors.
    @Test func batchesAndThreads() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        try Program.expectRefused(
            ["sample", tiny.run, "--batch-size", "0", "-o", folder("x.png")], "--batch-size is 0")
        #expect(try folder.names().isEmpty)
        let outcome = try sample("--threads", "1024", "-o", folder("x.png"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        if ProcessInfo.processInfo.activeProcessorCount < 1024 {
            #expect(outcome.messages.contains("note: --threads is 1024: there are"), "\(outcome.messages)")
        }
    }

    /// Messages about options name the choices, and those that the command has.
    @Test func messagesThatNameTheChoices() throws {
        let (tiny, folder) = (try TinyModel(classes: true), try TemporaryFolder())
        let out = ["-o", folder("x.png")]
        for (device, words) in [
            ("gpu", "use cpu, cuda, cuda:N or mps"), ("cuda:-1", "there is no device 'cuda:-1'"),
            ("cuda:x", "there is no device"), ("cpu:0", "there is no device"),
        ] { try Program.expectRefused(["sample", tiny.run, "--device", device] + out, words) }
        let few = try Program.run("evaluate", tiny.run, "--count", "3")
        #expect(few.code == 2 && !few.messages.contains("--class"), "\(few.messages)")
        #expect(few.messages.contains("10 classes"), "\(few.messages)")
    }

    /// A size that nobody typed is not called an option.
    @Test func sizesThatNobodyTyped() throws {
        let model = try LatentModel()
        for (key, value) in [
            ("block_out_channels", "[32, 32, 32, 32]"),
            (
                "down_block_types",
                "[\(Array(repeating: "\"DownEncoderBlock2D\"", count: 4).joined(separator: ", "))]"
            ),
            (
                "up_block_types",
                "[\(Array(repeating: "\"UpDecoderBlock2D\"", count: 4).joined(separator: ", "))]"
            ),
        ] { try model.replace("\"\(key)\": \(value)", in: "vae/config.json") }
        let call = ["generate", "x", "--model", model.path, "-o", model.folder("x.png")]
        let picture = model.folder("small.png")
        try Picture(width: 7, height: 9, channels: 3, pixels: [UInt8](repeating: 128, count: 7 * 9 * 3))
            .write(to: URL(fileURLWithPath: picture))
        try Program.expectRefused(call + ["--image", picture], "--image has 7×9 pixels")
        try Program.expectRefused(call + ["--width", "7"], "--width is 7")
        try model.replace("\"sample_size\": 3000", in: "unet/config.json")
        try Program.expectRefused(call, "error: the height of ")
    }
}
