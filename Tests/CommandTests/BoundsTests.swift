import Checkpoints
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// Work and memory that a small file could ask for: each is refused within the promises that `expectRefused` checks, or
/// read with no more than it needs.
@Suite struct BoundsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func header(_ text: [UInt8], data: Int = 0) -> [UInt8] {
        withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
            + [UInt8](repeating: 0, count: data)
    }

    // MARK: JSON

    @Test func headersOfNewlinesAndOfTreesThatNobodyNeeds() throws {
        let lines = [UInt8](repeating: 0x0A, count: 30_000_000)
        let list = Array(repeatElement(Array(#"{"a":1},"#.utf8), count: 2_000_000).joined())
        let cases: [(String, [UInt8], String)] = [
            ("newlines", lines + lines + lines, "line 1048577"), ("brace", [0x7B] + lines, "line 30000001"),
            ("tree", Array(#"{"t":{"x":["#.utf8) + list, "more values than a configuration needs"),
            ("name", Array("{\"".utf8) + [UInt8](repeating: 0x6E, count: 30_000_000), "ends inside a string"),
        ]
        for (name, text, words) in cases {
            let path = try folder.write("\(name).safetensors", header(text))
            try Program.expectRefused(["inspect", path], words)
        }
    }

    @Test func configurationsOfSixteenMebibytes() throws {
        let limit = JSONValue.maximalFileByteCount
        for (name, piece) in [("lists", "[],"), ("objects", #"{"a":1},"#), ("numbers", "1,")] {
            let start = Array(#"{"_class_name":["#.utf8)
            try FileManager.default.createDirectory(
                atPath: folder(name), withIntermediateDirectories: true)
            let count = (limit - start.count) / piece.utf8.count
            try folder.write(
                "\(name)/model_index.json",
                start + repeatElement(Array(piece.utf8), count: count).joined())
            try Program.expectRefused(["inspect", folder(name)], "more values than a configuration needs")
        }
    }

    /// A number of a few digits that asks for tables of as many entries.
    @Test func tablesAndGridsOfAMillionSteps() throws {
        func model(_ schedule: String) throws -> String {
            let name = "\(UUID().uuidString).json"
            return try "analytic:"
                + folder.write(
                    name,
                    #"{"kind": "gaussian-mixture", "weights": [1], "means": [[0, 0]], "prediction": "noise", "#
                        + #""covariances": [[[1, 0], [0, 1]]], "schedule": \#(schedule)}"#)
        }
        let out = ["-o", folder("never.safetensors")]
        let flag = #""num_train_timesteps": 1000000"#
        for kind in ["DDIM", "LMSDiscrete", "EulerDiscrete", "DPMSolverMultistep", "FlowMatchEulerDiscrete"] {
            let text = #"{"_class_name": "\#(kind)Scheduler", \#(flag)}"#
            try Program.expectRefused(["sample", try model(text)] + out, "between 1 and 100000")
        }
        try Program.expectRefused(
            ["sample", try model(#"{"kind": "betas", "train_steps": 1000000}"#)] + out, "from 2 to 100000")
        // What is known only when tables and grids are there.
        let flags =
            #"{"_class_name": "LMSDiscreteScheduler", "num_train_timesteps": 100000, "use_beta_sigmas": true}"#
        try Program.expectRefused(
            ["sample", try model(flags)] + out + ["--solver", "dpm2-a"], "are not finite")
        for schedule in [
            #"{"kind": "ve", "sigma_max": 1e300}"#,
            #"{"_class_name": "EDMEulerScheduler", "sigma_max": 1e300}"#,
        ] {
            let call = ["sample", try model(schedule)] + out + ["--steps"]
            try Program.expectRefused(call + ["1000000"], "--steps is 1000000: give 1 to 100000")
            try Program.expectRefused(call + ["100000"], "are not finite")
        }
    }

    // MARK: Pickles

    /// A file of PyTorch's older form around the pickle of a value without storages.
    private func pickled(_ value: [UInt8]) -> [UInt8] {
        let magic: [UInt8] = [
            0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
        ]
        let facts = [0x80, 2, 0x7D, 0x58, 13, 0, 0, 0] + Array("little_endian".utf8) + [0x88, 0x73, 0x2E]
        return magic + [0x80, 2, 0x4D, 0xE9, 3, 0x2E] + facts + [0x80, 2] + value
            + [0x2E, 0x80, 2, 0x5D, 0x2E]
    }

    @Test func picklesOfManyDictionariesAndOfDeepStacks() throws {
        func tuple(of piece: [UInt8], _ count: Int) -> [UInt8] {
            [0x28] + repeatElement(piece, count: count).joined() + [0x74]
        }
        let cases: [(String, [UInt8], String)] = [
            ("SETITEM", tuple(of: [0x7D, 0x4B, 1, 0x4B, 1, 0x73], 40_000), "it holds a list"),
            ("SETITEMS", tuple(of: [0x7D, 0x28, 0x4B, 1, 0x4B, 1, 0x75], 40_000), "it holds a list"),
            ("APPEND", tuple(of: [0x5D, 0x4B, 1, 0x61], 40_000), "it holds a list"),
            ("memo", tuple(of: [0x29, 0x94], 490_000), "more values than weights need"),
            ("tuples", tuple(of: [0x4B, 1, 0x85], 450_000), "more values than weights need"),
        ]
        for (name, value, words) in cases {
            let path = try folder.write("\(name).ckpt", pickled(value))
            try Program.expectRefused(["convert", path, folder("never.safetensors")], words)
        }
        #expect(!FileManager.default.fileExists(atPath: folder("never.safetensors")))
    }

    // MARK: Recipes

    @Test func aliasesInRecipes() throws {
        let laughs =
            "a0: &a0 [1]\n"
            + (1..<10).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }
            .joined(separator: "\n")
        // The parser itself looks into keys.
        let keys =
            "a0: &a0 {x: 1}\n"
            + (1..<40).map { "a\($0): &a\($0) {? *a\($0 - 1) : *a\($0 - 1)}" }.joined(separator: "\n")
        for (name, text) in [("laughs", laughs), ("keys", keys)] {
            let recipe = try folder.write("\(name).yaml", text.utf8)
            try Program.expectRefused(["train", recipe, "--out", folder("run")], "the alias *a0")
        }
        let plain = try folder.write("plain.yaml", "seed: 1".utf8)
        let flow = "{" + laughs.replacing("\n", with: ", ") + "}"
        try Program.expectRefused(
            ["train", plain, "--out", folder("run"), "--set", "data=\(flow)"], "the alias *a0")
        // What is in lists of lists is not written out.
        let row = "[" + repeatElement("1", count: 10).joined(separator: ", ") + "]"
        let deep = (0..<3).reduce(row) { inner, _ in
            "[" + repeatElement(inner, count: 10).joined(separator: ", ") + "]"
        }
        let lists = try folder.write("lists.yaml", "data: \(deep)".utf8)
        let outcome = try Program.run("train", lists, "--out", folder("run"))
        #expect(outcome.code == 2 && outcome.messages.contains("a list of 10"))
        #expect(outcome.messages.utf8.count < 1000)
    }

    // MARK: Data sets

    private func compressed(_ head: [UInt8], zeros: Int) throws -> [UInt8] {
        let input = try folder.write("input", head + [UInt8](repeating: 0, count: zeros))
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "gzip -9 < '\(input)' > '\(input).gz'"]
        try process.run()
        process.waitUntilExit()
        return try contents(of: input + ".gz")
    }

    private func sizes(_ values: Int...) -> [UInt8] {
        [0, 0, 8, UInt8(values.count)]
            + values.flatMap { value in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
    }

    @Test func pictureFilesThatUnpackToGigabytes() throws {
        let recipe = try folder.write("r.yaml", "data: {kind: idx, path: '\(folder.path)', size: 8}".utf8)
        let images = "train-images-idx3-ubyte.gz"
        // 64 kB that unpack to 64 MiB.
        let bomb = try compressed(sizes(60_000, 256, 256), zeros: 64 << 20)
        try folder.write(images, bomb)
        try folder.write("train-labels-idx1-ubyte", sizes(2) + [0, 1])
        try Program.expectRefused(["train", recipe, "--out", folder("run")], "can hold")
        // Two headers that do not fit, refused before either content is unpacked.
        try folder.write(images, try compressed(sizes(16_000, 8, 8), zeros: 1_024_000))
        try Program.expectRefused(["train", recipe, "--out", folder("run")], "2 labels do not fit 16000")
        let digits = try folder.write("digits.csv", [UInt8](repeating: 0x31, count: 100_000_000))
        let other = try folder.write("d.yaml", "data: {kind: digits, path: '\(digits)'}".utf8)
        try Program.expectRefused(["train", other, "--out", folder("run")], "more than the 1048576 bytes")
        #expect(!FileManager.default.fileExists(atPath: folder("run/recipe.yaml")))
    }

    // MARK: Inspection

    /// The listing of a file's tensors is written by hand, and says what the header says.
    @Test func listingsHoldWhatTheHeaderHolds() throws {
        let names = ["a", "é\"\n\u{1B}", String(repeating: "w", count: 100_000)]
        let members = names.map { #"\#(jsonString($0)):{"dtype":"U8","shape":[3,0],"data_offsets":[0,0]}"# }
        let many = (0..<2000).map { #""t\#($0)":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"# }
        let meta = #""__metadata__":{"k\u001b":"one\nerror: two\u0007"}"#
        let text = "{" + ([meta] + members + many).joined(separator: ",") + "}"
        let path = try folder.write("x.safetensors", header(Array(text.utf8)))
        let json = try Program.run("inspect", path, "--json").json()
        let tensors = try #require(json["tensors"] as? [[String: Any]])
        #expect(tensors.count == 2003 && tensors.prefix(3).map { $0["name"] as? String } == names)
        #expect(tensors[0]["shape"] as? [Int] == [3, 0] && tensors[3]["dtype"] as? String == "F32")
        #expect(json["metadata"] as? [String: String] == ["k\u{1B}": "one\nerror: two\u{7}"])
        #expect(json["parameters"] as? Int == 0 && json["non_finite"] == nil)
        let shown = try Program.run("inspect", path).output
        // One long name does not move the column of the others.
        #expect(shown.utf8.count < 500_000)
        #expect(!shown.contains("\u{1B}") && !shown.contains("\nerror") && shown.contains("\n  error: two"))
    }

    @Test func valuesAreReadWhereThatIsAsked() throws {
        let tiny = try LatentModel()
        try Program.expectRefused(["inspect", tiny.path + "/unet", "--check"], "--check reads the values")
    }
}
