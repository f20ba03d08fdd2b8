import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// An exactly solvable model in a file of its own folder.
private struct AnalyticFile {
    let folder: TemporaryFolder
    var model: String { "analytic:" + folder("m.json") }

    init(_ keys: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        let own = [
            "kind": "\"gaussian-mixture\"", "weights": "[0.3, 0.7]", "means": "[[-1, 0.5], [0.8, -0.3]]",
            "covariances": "[[[0.1, 0.02], [0.02, 0.05]], [[0.04, 0], [0, 0.09]]]",
            "schedule": "{\"_class_name\": \"DDIMScheduler\", \"clip_sample\": false}",
            "prediction": "\"noise\"",
        ]
        let members = own.merging(keys) { $1 }.filter { !$0.value.isEmpty }
        let text = members.sorted { $0.key < $1.key }.map { "\"\($0)\": \($1)" }.joined(separator: ", ")
        try folder.write("m.json", "{\(text)}")
    }

    func samples(_ name: String, _ arguments: String...) throws -> Tensor {
        let path = folder(name + ".safetensors")
        let outcome = try Program.run(["sample", model, "-o", path] + arguments)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
    }
}

@Suite struct AnalyticTests {
    @Test func samplesHaveTheMomentsOfTheData() throws {
        let file = try AnalyticFile()
        let samples = try file.samples("a", "--count", "4000", "--steps", "100", "--dtype", "float64")
        #expect(samples.shape == [4000, 2] && samples.elementType == .float64)
        let facts = try Program.run("inspect", file.model, "--json").json()
        #expect(facts["family"] as? String == "analytic" && facts["dimension"] as? Int == 2)
        let mean = try #require(facts["mean"] as? [Double])
        let rows = try #require(facts["covariance"] as? [[Double]])
        expectClose(try samples.mean([0]).array(), mean, absolute: 0.06)
        expectClose(try samples.covariance().array(), rows.flatMap { $0 }, absolute: 0.06)
        #expect(try Program.run("inspect", file.model).output.contains("DDIMScheduler"))
    }

    /// The contract's seeds: sample i is S + i's, the start first, in the type of the states.
    @Test func aSampleDependsOnItsSeedAlone() throws {
        let file = try AnalyticFile()
        let ways = ["--steps", "8", "--dtype", "float64", "--eta", "0.7"]
        func samples(_ name: String, _ more: String...) throws -> Tensor {
            let path = file.folder(name + ".safetensors")
            let outcome = try Program.run(["sample", file.model, "-o", path] + ways + more)
            try #require(outcome.code == 0, "\(outcome.messages)")
            return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
        }
        let together = try samples("a", "--count", "4", "--seed", "11")
        #expect(try samples("b", "--seed", "13")[0].isIdentical(to: together[2]))
        // A start from a file draws nothing: the first draw is the first step's noise.
        let start = RandomGenerator(seed: 5).normal([1, 2], .float64)
        try SafetensorsWriter([("latents", start)]).write(to: file.folder("start.safetensors"))
        let given = try samples("c", "--seed", "5", "--initial", file.folder("start.safetensors"))
        #expect(try !given.isIdentical(to: samples("d", "--seed", "5")))
        let single = try file.samples("e", "--initial", file.folder("start.safetensors"), "--steps", "4")
        #expect(single.elementType == .float32)
    }

    @Test(arguments: [
        "{\"kind\": \"edm\", \"sigma_min\": 0.01, \"sigma_max\": 40, \"rho\": 7}", "{\"kind\": \"vp-sde\"}",
        "{\"kind\": \"ve\", \"sigma_min\": 0.01, \"sigma_max\": 40}", "{\"kind\": \"flow\", \"shift\": 2}",
        "{\"_class_name\": \"DDPMScheduler\", \"clip_sample\": false, \"lambda_min_clipped\": -Infinity}",
    ])
    func everyKindOfScheduleIsSampled(schedule: String) throws {
        let file = try AnalyticFile(["schedule": schedule, "prediction": "\"flow\""])
        let samples = try file.samples("a", "--count", "500", "--solver", "ddim", "--seed", "3")
        expectClose(
            try samples.mean([0]).array(of: Float.self).map(Double.init), [0.26, -0.06], absolute: 0.15)
    }

    @Test func aPlaneIsDrawnAsACloud() throws {
        let file = try AnalyticFile()
        let path = file.folder("cloud.png")
        let outcome = try Program.run(
            "sample", file.model, "--count", "50", "--steps", "5", "-o", path, "--json")
        #expect(try outcome.json()["files"] as? [String] == [path])
        #expect(try Picture(contentsOf: URL(fileURLWithPath: path)).width == 720)
        #expect(
            try Picture.texts(of: URL(fileURLWithPath: path)).map(\.keyword) == [
                "parameters", "langevin",
            ])
        let space = try AnalyticFile([
            "means": "[[1, 0, 0], [2, 0, 0]]",
            "covariances": "[[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]]",
        ])
        try Program.expectRefused(["sample", space.model, "-o", path], "no picture")
        let (ways, tensor) = (file.folder("ways.png"), file.folder("x.safetensors"))
        let drawn = try Program.run(
            "sample", file.model, "--count", "5", "--steps", "5", "--trajectory", ways, "-o", tensor, "--json"
        )
        #expect(try drawn.json()["files"] as? [String] == [tensor, ways])
        #expect(try Picture(contentsOf: URL(fileURLWithPath: ways)).width == 720)
        try Program.expectRefused(["sample", space.model, "--trajectory", ways, "-o", tensor], "trajectory")
    }

    @Test(arguments: [
        (["kind": "\"gauss\""], "gaussian-mixture"), (["kind": ""], "kind"),
        (["weights": "[1]"], "'means' has 2 entries"), (["weights": "[-0.3, 1]"], "negative"),
        (["weights": "[0, 0]"], "above 0"), (["weights": "[]"], "'weights' has 0"),
        (["weights": "\"x\""], "weights"), (["weights": "[NaN, 1]"], "finite"),
        (["means": "[[1, 2], [3]]"], "'means' 1 has 1 numbers"), (["means": "[1, 2]"], "means"),
        (["covariances": "[[[1, 0], [0, 1]]]"], "'covariances' has 1 entries"),
        (["covariances": "[[[1, 0], [0, 1]], [[1]]]"], "'covariances' 1 is not 2×2"),
        (["covariances": "[[[1, 0], [0, 1]], [[1, 0.5], [0, 1]]]"], "not symmetric"),
        (["covariances": "[[[1, 2], [2, 1]], [[1, 0], [0, 1]]]"], "eigenvalue"),
        (["prediction": "\"hope\""], "hope"), (["schedule": "3"], "schedule"),
        (["schedule": "{}"], "_class_name"), (["schedule": "{\"kind\": \"edn\"}"], "'edm'"),
        (["schedule": "{\"kind\": \"edm\", \"sigma_mim\": 1}"], "'sigma_min'"),
        (["schedule": "{\"_class_name\": \"DDIMScheduler\", \"step_offset\": 1}"], "'steps_offset'"),
        (["colour": "\"red\""], "colour"),
    ])
    func filesThatWillNotDoAreRefused(keys: [String: String], words: String) throws {
        let file = try AnalyticFile(keys)
        let out = file.folder("never.safetensors")
        try Program.expectRefused(["sample", file.model, "-o", out], words)
        try Program.expectRefused(["inspect", file.model], words)
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test func aVarianceThatNothingGivesIsRefused() throws {
        let schedule = #"{"_class_name": "DDPMScheduler", "variance_type": "learned"}"#
        let file = try AnalyticFile(["schedule": schedule])
        try Program.expectRefused(
            ["sample", file.model, "--steps", "2", "-o", file.folder("out.safetensors")],
            "an exact model gives no variance")
        // One step of such a process ends where no variance is needed.
        _ = try file.samples("one", "--steps", "1")
    }

    @Test func requestsThatWillNotDoAreRefused() throws {
        let file = try AnalyticFile()
        let out = ["-o", file.folder("never.safetensors")]
        try SafetensorsWriter([("latents", Tensor.zeros([2, 3]))]).write(to: file.folder("start.safetensors"))
        let cases: [([String], String)] = [
            (["--count", "0"], "--count"), (["--steps", "0"], "--steps"),
            (["--steps", "1001"], "--steps is 1001"),
            (["--eta", "2"], "--eta"), (["--class", "2"], "--class is 2"),
            (["--guidance", "2"], "--guidance needs a class"),
            (["--width", "8"], "--width"), (["--dtype", "float16"], "float16"),
            (["--grid", "shifted"], "shifted"),
            (["--initial", file.folder("start.safetensors")], "[2, 3]"),
        ]
        for (arguments, words) in cases {
            try Program.expectRefused(["sample", file.model] + arguments + out, words)
        }
        try Program.expectRefused(
            ["sample", "analytic:" + file.folder("none.json")] + out, "there is no model")
        try Program.expectRefused(["sample", file.model, "-o", file.folder("folder")], "safetensors")
        try file.folder.write("m.json", "[1]")
        try Program.expectRefused(["sample", file.model] + out, "object")
        #expect(try file.folder.names() == ["m.json", "start.safetensors"])
    }
}

@Suite struct OrderTests {
    @Test func theTableAndThePlot() throws {
        let folder = try TemporaryFolder()
        let outcome = try Program.run(
            "order", "--solver", "ddim", "ddpm", "--schedule", "vp", "flow", "--prediction", "v", "-o",
            folder("order.png"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 4 && lines[0].hasPrefix("solver  schedule"))
        #expect(lines[1].hasPrefix("ddim    vp") && lines[3].hasPrefix("left out: ddpm"))
        #expect(try Picture(contentsOf: URL(fileURLWithPath: folder("order.png"))).width == 1100)
        let json = try Program.run("order", "--solver", "ddim", "--schedule", "edm", "--json").json()
        let rows = try #require(json["rows"] as? [[String: Any]])
        #expect(rows.map { $0["prediction"] as? String } == ["noise", "data", "v", "flow"])
        #expect(rows.allSatisfy { abs(($0["order"] as? Double ?? 0) - 1) < 0.05 })
    }

    @Test func badArgumentsAreRefused() throws {
        try Program.expectRefused(["order", "--solver", "eulers"], "eulers")
        try Program.expectRefused(["order", "--schedule", "cosine"], "cosine")
        try Program.expectRefused(["order", "--prediction", "hope"], "hope")
        try Program.expectRefused(["order", "-o", "/nowhere/x.png"], "/nowhere")
    }
}
