import Foundation
import TestSupport
import Testing

@Suite struct TrainTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func badRecipesAreRefusedAndNothingIsWritten() throws {
        let good = """
            model: {kind: unet2d, in_channels: 1, out_channels: 1, block_out_channels: [32, 32], \
            down_block_types: [DownBlock2D, DownBlock2D], up_block_types: [UpBlock2D, UpBlock2D]}
            """
        let cases: [(String, [String], String)] = [
            ("training: {learning_rat: 1}", [], "did you mean training.learning_rate"),
            ("training: {steps: -1}", [], "training.steps"),
            ("training: {batch_size: 100000000}", [], "training.batch_size"),
            ("training: {steps: ten}", [], "training.steps"),
            (": :", [], "not valid YAML"),
            (good, ["--set", "training.stepz=1"], "did you mean training.steps"),
            (good, ["--set", "nonsense"], "section.key=value"),
            ("data: {kind: idx, path: /nowhere}", [], "/nowhere"),
            ("data: {kind: folder, path: /nowhere, size: 8}", [], "/nowhere"),
            ("data: {kind: digits, path: /nowhere}", [], "/nowhere"),
            ("model: {in_channels: 3}", [], "channels"),
            (good, ["--set", "training.device=mps"], "mps"),
        ]
        for (index, (yaml, arguments, words)) in cases.enumerated() {
            let recipe = try folder.write("\(index).yaml", yaml.utf8)
            let out = folder("out-\(index)")
            try Program.expectRefused(["train", recipe, "--out", out] + arguments, words)
            #expect(!FileManager.default.fileExists(atPath: out), "\(yaml)")
        }
        try Program.expectRefused(["train", folder("none.yaml")], "none.yaml")
        try Program.expectRefused(["train", folder.path], "not a file")
        let recipe = try folder.write("good.yaml", good.utf8)
        try Program.expectRefused(["train", recipe, "--out", "/proc/langevin"], "/proc/langevin")
        try Program.expectRefused(["train", recipe, "--out", recipe], recipe)
    }

    @Test func damagedDataAreRefused() throws {
        let idx: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3]
        let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 9] + Array(repeating: 0, count: 9)
        let huge: [UInt8] = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]
        for (name, bytes) in [("cut", idx), ("huge", huge), ("bad", Array("hello".utf8)), ("empty", [])] {
            let data = folder(name)
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(fileURLWithPath: data + "/train-images-idx3-ubyte"))
            try Data(labels).write(to: URL(fileURLWithPath: data + "/train-labels-idx1-ubyte"))
            let recipe = try folder.write("\(name).yaml", "data: {kind: idx, path: \(data)}".utf8)
            try Program.expectRefused(["train", recipe, "--out", folder("out")], "train-images-idx3-ubyte")
        }
    }

    @Test func aSignalSavesAndTheRunGoesOn() throws {
        let tiny = try TinyModel()
        let path = folder("run")
        let recipe = tiny.folder("recipe.yaml")
        for (signal, code) in [(SIGINT, Int32(130)), (SIGTERM, 143)] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Program.path)
            process.currentDirectoryURL = URL(fileURLWithPath: Program.root)
            process.arguments = [
                "train", recipe, "--out", path, "--resume", "--set", "training.steps=1000000", "--set",
                "training.log_every=1",
            ]
            process.standardError = FileHandle.nullDevice
            try process.run()
            // Once it writes metrics it trains; give up after a minute.
            let start = Date()
            func lines() -> Int {
                (try? String(contentsOfFile: path + "/metrics.jsonl", encoding: .utf8))?.split(
                    separator: "\n"
                ).count ?? 0
            }
            let before = lines()
            while lines() <= before + 2 && Date().timeIntervalSince(start) < 60 && process.isRunning {
                usleep(20_000)
            }
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            #expect(process.terminationStatus == code)
        }
        let checkpoints = try FileManager.default.contentsOfDirectory(atPath: path + "/checkpoints")
        #expect(checkpoints.filter { $0.hasPrefix("step-") }.count == 2, "\(checkpoints)")
        #expect(checkpoints.allSatisfy { !$0.contains("tmp") })
    }
}
