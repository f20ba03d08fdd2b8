import Foundation
import Pictures
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs that learn from tar shards, as a person starts, stops and loses them.
@Suite struct ShardCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Samples of 8×8 pixels, shades of their numbers.
    private func archive(_ numbers: Range<Int>) throws -> TarArchive {
        var archive = TarArchive()
        for number in numbers {
            let pixels = (0..<64).map { UInt8(truncatingIfNeeded: number * 7 + $0 * 3) }
            let png = try Picture(width: 8, height: 8, channels: 1, pixels: pixels).encoded(as: .png)
            archive.add("\(number).png", png)
            archive.add("\(number).txt", "shade \(number % 5)".utf8)
            archive.add("\(number).json", #"{"name": "\#(number % 5)"}"#.utf8)
            archive.add("\(number).cls", "\(number % 2)".utf8)
        }
        return archive
    }

    /// Four shards of 25, one of them packed.
    private func makeShards() throws {
        try folder.makeFolder("data")
        for shard in 0..<4 {
            let bytes = try archive((25 * shard)..<(25 * shard + 25)).closed
            try folder.write("data/s-00\(shard).tar", shard == 2 ? gzipped(bytes) : bytes)
        }
    }

    private func recipe(_ changes: String...) throws -> [String] {
        let path = try folder.write(
            "recipe.yaml",
            """
            data: {kind: webdataset, path: "\(folder("data"))/s-{000..003}.tar", size: 8, channels: 1, flip: true,
                   shuffle_buffer: 20, workers: 2}
            model: {kind: unet2d, conditioning: class, block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4,
                    down_block_types: [DownBlock2D, DownBlock2D], up_block_types: [UpBlock2D, UpBlock2D]}
            diffusion: {train_steps: 50}
            training: {steps: 4, batch_size: 6, checkpoint_every: 0, sample_every: 0, log_every: 1, threads: 1}
            evaluation: {steps: 2, count: 4}
            """)
        return [path] + changes.flatMap { ["--set", $0] }
    }

    private func train(_ run: String, _ changes: String...) throws -> Program.Outcome {
        var arguments = try recipe()
        arguments += changes.flatMap { ["--set", $0] }
        return try Program.run(["train"] + arguments + ["--out", folder(run)])
    }

    @Test func aRunLearnsFromShards() throws {
        try makeShards()
        let outcome = try train("run")
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.messages.contains("held back to judge by, 10 in all"), "\(outcome.messages)")
        let metrics = String(decoding: folder.bytes("run/metrics.jsonl"), as: UTF8.self)
        #expect(metrics.contains("validation_loss") && metrics.contains("\"data_wait\":"), "\(metrics)")
        // A folder of the same shards is the same data.
        let other = try train("other", "data.path=\(folder("data"))", "data.workers=1", "training.prefetch=0")
        #expect(other.code == 0, "\(other.messages)")
        #expect(
            folder.bytes("run/checkpoints/step-4/model.safetensors")
                == folder.bytes("other/checkpoints/step-4/model.safetensors"))
        let evaluation = try train("evaluation", "data.split=evaluation")
        #expect(evaluation.code == 0, "\(evaluation.messages)")
    }

    @Test func textsOfShardsAreLearnt() throws {
        try makeShards()
        let outcome = try train(
            "run", "model.kind=unet2d-condition", "model.conditioning=text", "model.text_encoder=trained",
            "model.text_width=8", "model.text_layers=1", "model.attention_head_dim=2",
            "model.down_block_types=[CrossAttnDownBlock2D, DownBlock2D]",
            "model.up_block_types=[UpBlock2D, CrossAttnUpBlock2D]", "data.captions=file",
            "data.caption_columns={name: 1, txt: 1}")
        #expect(outcome.code == 0, "\(outcome.messages)")
        let recipe = String(decoding: folder.bytes("run/recipe.yaml"), as: UTF8.self)
        #expect(recipe.contains("caption_columns:\n    name: 1.0\n    txt: 1.0\n"), "\(recipe)")
        // The recipe as it was saved is one that can be started and continued.
        let again = try Program.run(
            "train", folder("run/recipe.yaml"), "--out", folder("run"), "--resume", "--set",
            "training.steps=5")
        #expect(again.code == 0, "\(again.messages)")
    }

    @Test func badShardsAreRefusedEarly() throws {
        try makeShards()
        let whole = folder.bytes("data/s-001.tar")
        let cases: [([UInt8], String)] = [
            (Array(whole.prefix(9000)), "s-001.tar: the shard is cut short"),
            ([], "s-001.tar: the shard is empty"),
            (Array("text".utf8), "s-001.tar: the shard is cut short"),
            ([UInt8](repeating: 0, count: 1024), "no sample with a picture"),
        ]
        for (bytes, words) in cases {
            try folder.write("data/s-001.tar", bytes)
            try Program.expectRefusal(train("never"), of: words, words)
        }
        try FileManager.default.removeItem(atPath: folder("data/s-001.tar"))
        try Program.expectRefusal(train("never"), of: "missing", "s-001.tar: there is no such shard")
        for (changes, words) in [
            (["data.path=\(folder("data"))/{1..0}.tar"], "holds no number"),
            (["data.path=\(folder.path)"], "there is no .tar"),
            (["data.size=null"], "data.size"),
            (
                [
                    "data.path=\(folder("data"))/s-000.tar", "data.captions=file",
                    "data.caption_columns={none: 1}",
                ], "none"
            ),
            (["data.caption_columns={txt: 1}"], "data.caption_columns"),
            (["data.caption_columns={txt: -1}"], "data.caption_columns"),
            (["data.buckets=512"], "data.buckets"),
            (["data.shuffle_buffer=0"], "data.shuffle_buffer"),
            (["data.kind=digits", "data.path=null"], "data.shuffle_buffer"),
        ] {
            let outcome = try Program.run(
                ["train"] + recipe() + ["--out", folder("never")] + changes.flatMap { ["--set", $0] })
            try Program.expectRefusal(outcome, of: "\(changes)", words)
        }
        #expect(try !folder.names().contains("never"))
    }

    /// A picture that is damaged is left out and listed, as in folders.
    @Test func damagedPicturesAreListed() throws {
        try folder.makeFolder("data")
        for shard in 0..<4 {
            var archive = try archive((25 * shard)..<(25 * shard + 25))
            if shard == 1 {
                archive.add("x.png", "<html>".utf8 + [UInt8](repeating: 32, count: 20))
                archive.add("x.cls", "1".utf8)
            }
            try folder.write("data/s-00\(shard).tar", archive.closed)
        }
        let outcome = try train("run", "training.steps=16")
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.messages.contains("that cannot be read are left out, 1 of"), "\(outcome.messages)")
        let lines = String(decoding: folder.bytes("run/damaged.jsonl"), as: UTF8.self)
        #expect(lines.contains("s-001.tar/x.png"), "\(lines)")
    }

    /// Ten times as many pictures take no more memory.
    @Test func memoryStaysFlat() throws {
        try folder.makeFolder("data")
        var noise = SplitMix(seed: 3)
        let pixels = (0..<(96 * 96 * 3)).map { _ in UInt8(truncatingIfNeeded: noise.next()) }
        let png = try Picture(width: 96, height: 96, channels: 3, pixels: pixels).encoded(as: .png)
        for shard in 0..<4 {
            var archive = TarArchive()
            for number in 0..<600 {
                archive.add("\(number).png", png)
                archive.add("\(number).cls", "\(number % 2)".utf8)
            }
            try folder.write("data/s-00\(shard).tar", archive.closed)
        }
        // 64 MB of pictures, all of which pass by.
        let changes = ["data.split=all", "training.batch_size=16", "data.size=8", "training.log_every=100"]
        func peak(_ steps: Int) throws -> Int {
            let arguments = (changes + ["training.steps=\(steps)"]).flatMap { ["--set", $0] }
            let outcome = try Program.run(
                ["train"] + recipe() + ["--out", folder("run-\(steps)")] + arguments)
            #expect(outcome.code == 0, "\(outcome.messages)")
            return outcome.peakByteCount
        }
        let (few, many) = (try peak(15), try peak(150))
        #expect(many < few + few / 20, "\(few) and \(many) bytes")
    }

    /// kill -9 at random moments: the run that goes on is the run that was never killed, bit for bit. There are 3 of them, or
    /// as many as LANGEVIN_TEST_KILLS says.
    @Test func killedRunsGoOnBitForBit() throws {
        try makeShards()
        let changes = ["training.steps=40", "training.checkpoint_every=3", "training.keep_checkpoints=2"]
        let whole = try Program.run(
            ["train"] + recipe() + ["--out", folder("whole")] + changes.flatMap { ["--set", $0] })
        #expect(whole.code == 0, "\(whole.messages)")
        let wanted = ProcessInfo.processInfo.environment["LANGEVIN_TEST_KILLS"].flatMap(Int.init) ?? 3
        var (kills, runs) = (0, 0)
        while kills < wanted {
            let run = "run-\(runs)"
            runs += 1
            var isComplete = false
            while !isComplete {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: Program.path)
                process.currentDirectoryURL = URL(fileURLWithPath: Program.root)
                // Another number of workers each time, which changes nothing.
                process.arguments =
                    try ["train"] + recipe() + ["--out", folder(run), "--resume"]
                    + (changes + ["data.workers=\(1 + kills % 3)"]).flatMap { ["--set", $0] }
                process.standardError = FileHandle.nullDevice
                try process.run()
                if kills < wanted {
                    // Once it has gone on by a step or more, at any moment.
                    let (before, start) = (lines(run), Date())
                    while lines(run) <= before, process.isRunning, Date().timeIntervalSince(start) < 60 {
                        usleep(1_000)
                    }
                    usleep(.random(in: 0...120_000))
                    kill(process.processIdentifier, SIGKILL)
                }
                process.waitUntilExit()
                isComplete = process.terminationReason == .exit
                if isComplete { #expect(process.terminationStatus == 0) } else { kills += 1 }
            }
            for name in try folderNames(folder("whole/checkpoints/step-40")) {
                let path = "/checkpoints/step-40/" + name
                #expect(folder.bytes(run + path) == folder.bytes("whole" + path), "\(name)")
            }
            #expect(values(run) == values("whole"))
        }
    }

    private func lines(_ run: String) -> Int {
        folder.bytes(run + "/metrics.jsonl").count { $0 == UInt8(ascii: "\n") }
    }

    /// The lines of the metrics without what a clock measured.
    private func values(_ run: String) -> [[String: Double]] {
        folder.bytes(run + "/metrics.jsonl").split(separator: UInt8(ascii: "\n")).compactMap { line in
            (try? JSONDecoder().decode([String: Double].self, from: Data(line)))?
                .filter { $0.key != "time" && $0.key != "data_wait" }
        }
    }
}
