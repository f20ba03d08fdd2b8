import Checkpoints
import Foundation
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Rows H of the reliability plan: the command line and what surrounds it.
@Suite struct HostileCommandTests {
    /// A run that no test changes.
    private static let tiny = Result { try TinyModel() }

    /// H1. No word stands for two things, and none is guessed.
    @Test func optionsThatSayNothingOrTwoThings() throws {
        let folder = try TemporaryFolder()
        let out = ["-o", folder("x.png")]
        let cases: [([String], String)] = [
            (["sample", "m", "--steps", "3", "--steps=4"] + out, "--steps is given twice"),
            (["generate", "x", "--output", "y.png"] + out, "-o is given twice"),
            (["train", "r.yaml", "--resume", "--resume"], "--resume is given twice"),
            (["sample", "m", "--wat"] + out, "--wat"), (["sample", "m", "--steps="] + out, "--steps"),
        ]
        for (arguments, words) in cases { try Program.expectRefused(arguments, words) }
        // What may stand twice does: the recipe is what is missing.
        try Program.expectRefused(
            ["train", folder("r.yaml"), "--set", "training.steps=1", "--set", "seed=2"], "r.yaml")
        #expect(try folder.names().isEmpty)
    }

    /// H2. Variables of a launcher of several processes, and that there can be no more than one yet.
    @Test(arguments: [
        (["WORLD_SIZE": "2", "RANK": "2"], "RANK is '2'"), (["WORLD_SIZE": "0"], "WORLD_SIZE is '0'"),
        (["RANK": "1"], "RANK is '1'"), (["WORLD_SIZE": "two"], "WORLD_SIZE is 'two'"),
        (["WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "5"], "LOCAL_RANK is '5'"),
        (["WORLD_SIZE": "2", "RANK": "0"], "MASTER_ADDR is missing"),
        (["WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "h"], "MASTER_PORT is missing"),
        (["WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "h", "MASTER_PORT": "0"], "MASTER_PORT is '0'"),
        (
            ["WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "h", "MASTER_PORT": "70000"],
            "MASTER_PORT is '70000'"
        ),
        (["WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "h", "MASTER_PORT": "29500"], "not there yet"),
        // One process is what there is: the recipe is what is missing.
        (["WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"], "none.yaml"),
    ])
    func ranksThatCannotBe(environment: [String: String], words: String) throws {
        let folder = try TemporaryFolder()
        try Program.expectRefusal(
            Program.run(
                ["train", folder("none.yaml"), "--out", folder("run")], environment: environment),
            of: "train",
            words)
        #expect(try folder.names().isEmpty)
    }

    /// H3. Bytes that are no text would become another file's name.
    @Test func argumentsThatAreNoText() throws {
        try Program.expectRefusal(
            Program.run(bytes: [Array("inspect".utf8), [0x61, 0xFF]]), of: "inspect",
            "argument 2, 'a\u{FFFD}', is not UTF-8")
    }

    /// H4. Places that take no output are refused before anything is computed, or name the place where it failed.
    @Test func placesThatTakeNoOutput() throws {
        let tiny = try Self.tiny.get()
        let folder = try TemporaryFolder()
        let file = try folder.write("file", "text")
        try Program.expectRefused(["sample", tiny.run, "-o", file + "/x.png"], file)
        #if os(Linux)
            // Even root may make no file here.
            try Program.expectRefused(["sample", tiny.run, "-o", "/sys/x.png"], "/sys/x.png")
        #endif
        #expect(try folder.names() == ["file"] && folder.bytes("file") == Array("text".utf8))
    }

    /// H4. A limit on the size of files stands for a full disk: the file is not there, whole or in part.
    @Test func outputThatDoesNotFit() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let call =
            "'\(Program.path)' sample '\(tiny.run)' --count 64 --steps 1 -o '\(folder("x.safetensors"))'"
        let (code, messages) = try shell("ulimit -f 2; exec \(call)")
        #expect(code == 1 && messages.contains("x.safetensors"), "\(code): \(messages)")
        #expect(try folder.names().isEmpty)
        let training =
            "'\(Program.path)' train '\(tiny.folder("recipe.yaml"))' --out '\(folder("new"))'"
        let recipe = try shell("ulimit -f 1; exec \(training)")
        #expect(recipe.code == 1 && recipe.messages.contains("files may not become so large"), "\(recipe)")
        #if os(Linux)
            let weights = tiny.model + "/unet/diffusion_pytorch_model.safetensors"
            let full = try Program.run(
                bytes: ["inspect", weights].map { Array($0.utf8) }, output: "/dev/full")
            #expect(full.code == 1 && full.messages.contains("the disk is full"), "\(full.messages)")
        #endif
    }

    /// Where a tilde was not the shell's it belongs to the name.
    @Test func aTildeIsAPartOfAName() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        try folder.makeFolder("~")
        let call = "'\(Program.path)' sample '\(tiny.run)' --steps 1 -o '~/x.png' --trajectory '~/way.png'"
        let (code, messages) = try shell("cd '\(folder.path)'; exec \(call)")
        #expect(code == 0, "\(messages)")
        #expect(try folderNames(folder("~")) == ["way.png", "x.png"])
    }

    /// With fewer files than threads need to be woken, the program says so and does not end by a signal.
    @Test func fewOpenFiles() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let call = "exec '\(Program.path)' sample '\(tiny.run)' --steps 1 -o '\(folder("x.png"))'"
        let (code, messages) = try shell("ulimit -n 5; \(call)")
        #expect(code == 1 && messages.hasPrefix("error: only 5 files may be open"), "\(code): \(messages)")
        #expect(try folder.names().isEmpty)
        // A soft limit is raised.
        let raised = try shell("ulimit -S -n 5; \(call)")
        #expect(raised.code == 0, "\(raised.messages)")
        #expect(try folder.names() == ["x.png"])
    }

    /// Runs a line of the system's shell; its code and what it said on standard error.
    private func shell(_ line: String) throws -> (code: Int32, messages: String) {
        let process = Process()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", line]
        (process.standardError, process.standardOutput) = (errors, FileHandle.nullDevice)
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// H5. A run goes on as it began; what differs is named, old and new.
    @Test func aRunDoesNotGoOnAsAnotherOne() throws {
        let tiny = try Self.tiny.get()
        let metrics = tiny.folder.bytes("run/metrics.jsonl")
        try Program.expectRefused(
            [
                "train", tiny.folder("recipe.yaml"), "--out", tiny.run, "--resume", "--set",
                "training.batch_size=5",
            ], "training.batch_size")
        #expect(tiny.folder.bytes("run/metrics.jsonl") == metrics)
    }

    /// H6. A clock that was set back changes neither which checkpoint is the newest nor what is computed.
    @Test func aClockThatWasSetBack() throws {
        let tiny = try TinyModel()
        let goesOn = ["train", tiny.folder("recipe.yaml"), "--out", tiny.run, "--resume", "--set"]
        #expect(try Program.run(goesOn + ["training.steps=5"]).code == 0)
        let checkpoints = tiny.run + "/checkpoints"
        let names = try folderNames(checkpoints)
        #expect(names.count > 1 && names.contains("step-5"))
        // By their dates the earliest is the newest, and all of them are of times to come.
        for name in names {
            let step = Double(try #require(Int(name.dropFirst("step-".count))))
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: 1e6 - 1000 * step)],
                ofItemAtPath: "\(checkpoints)/\(name)")
        }
        let outcome = try Program.run(goesOn + ["training.steps=6"])
        #expect(outcome.code == 0 && outcome.messages.contains("trained 1 steps"), "\(outcome.messages)")
    }

    /// H7. Numbers have a point wherever the program runs.
    @Test func aLocaleWithCommas() throws {
        let folder = try TemporaryFolder()
        // The C library knows a locale that is made for it; Foundation knows this one anyway.
        _ = try shell("localedef -i de_DE -f UTF-8 '\(folder("de_DE.UTF-8"))'")
        let german = ["LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "LOCPATH": folder.path]
        try Program.expectRefused(
            ["sample", "m", "--eta", "0,5", "-o", folder("x.png")], "--eta", environment: german)
        let tiny = try Self.tiny.get()
        let line = ["sample", tiny.run, "--eta", "0.5", "--steps", "2", "-o"]
        // The tensor and the settings that are written beside it.
        for (name, environment) in [("a", german), ("b", ["LC_ALL": "C"])] {
            let path = folder(name + ".safetensors")
            #expect(try Program.run(line + [path], environment: environment).code == 0)
        }
        #expect(folder.bytes("a.safetensors") == folder.bytes("b.safetensors"))
        #expect(!folder.bytes("a.safetensors").isEmpty)
    }

    /// H8. Of two trainers on one folder, the second gets a message with who has it.
    @Test func twoTrainersOnOneFolder() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let (recipe, path) = (tiny.folder("recipe.yaml"), folder("shared"))
        let first = Process()
        first.executableURL = URL(fileURLWithPath: Program.path)
        first.currentDirectoryURL = URL(fileURLWithPath: Program.root)
        first.arguments = ["train", recipe, "--out", path, "--set", "training.steps=1000000"]
        first.standardError = FileHandle.nullDevice
        try first.run()
        defer {
            first.terminate()
            first.waitUntilExit()
        }
        let start = ContinuousClock.now
        while folder.bytes("shared/.lock").isEmpty, first.isRunning,
            ContinuousClock.now - start < .seconds(60)
        { usleep(20_000) }
        try Program.expectRefused(
            ["train", recipe, "--out", path, "--resume"], "is in use by process \(first.processIdentifier)")
        #expect(first.isRunning)
    }
}
