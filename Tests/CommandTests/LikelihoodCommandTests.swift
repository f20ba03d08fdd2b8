import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// `langevin likelihood` through the program.
@Suite struct LikelihoodCommandTests {
    private func numbers(_ object: Any?, _ path: String...) throws -> Double {
        var object = object
        for key in path { object = (object as? [String: Any])?[key] }
        return try #require(object as? Double, "\(path)")
    }

    /// Bound above flow above closed form, on a table and on continuous processes; the flow is the closed form.
    @Test(arguments: [
        #"{"_class_name": "DDPMScheduler", "variance_type": "fixed_large", "clip_sample": false}"#,
        #"{"kind": "edm"}"#, #"{"kind": "flow"}"#,
    ])
    func anExactModelIsMeasured(schedule: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "m.json",
            #"""
            {"kind": "gaussian-mixture", "weights": [0.3, 0.7], "means": [[-1, 0.5], [0.8, -0.3]], "prediction": "v",
             "covariances": [[[0.1, 0.02], [0.02, 0.05]], [[0.04, 0], [0, 0.09]]], "schedule": \#(schedule)}
            """#)
        let model = "analytic:" + folder("m.json")
        let points = folder("points.safetensors")
        try folder.made(["sample", model, "--count", "400", "--steps", "50", "-o", folder("s.safetensors")])
        let samples = try SafetensorsFile(path: folder("s.safetensors"), storage: .copied).tensor(
            named: "samples")
        try SafetensorsWriter([("points", samples)]).write(to: points)
        let plot = folder("terms.png")
        let outcome = try folder.made([
            "likelihood", model, "--against", points, "--part", "all", "--count", "300", "-o", plot, "--json",
        ])
        let report = try outcome.json()
        let exact = try numbers(report, "exact", "nats", "mean")
        let flow = try numbers(report, "flow", "negative_log_likelihood", "nats", "mean")
        let bound = try numbers(report, "bound", "total", "nats", "mean")
        #expect(abs(flow - exact) < 1e-4, "\(flow) \(exact)")
        // Within two half intervals, for every step has one draw of noise.
        let chance = 2 * (try numbers(report, "bound", "total", "nats", "high") - bound)
        #expect(bound > exact - chance && bound < exact + 0.6 + chance, "\(bound) \(exact) \(chance)")
        #expect(report["count"] as? Int == 300 && report["pictures"] as? Bool == false)
        let picture = try Picture(contentsOf: URL(fileURLWithPath: plot))
        #expect(picture.width == 1000 && picture.height == 1800)
        let shown = try folder.made([
            "likelihood", model, "--against", points, "--count", "20", "--measure", "flow",
        ])
        #expect(shown.output.contains("-log p in closed form") && !shown.output.contains("variational bound"))
    }

    /// Pictures: terms that add up, a curve from L_T to the bound, the same numbers whatever the batch.
    @Test func aNetworkIsMeasuredOnPictures() throws {
        let tiny = try TinyModel(classes: true)
        let call = ["likelihood", tiny.run, "--count", "5", "--seed", "3", "--threads", "1", "--json"]
        let outcome = try tiny.folder.made(call + ["--steps", "4"])
        let report = try outcome.json()
        #expect(report["condition"] as? String == "the class of each")
        let bound = try #require(report["bound"] as? [String: Any])
        let steps = try #require(bound["steps"] as? [Double])
        let (total, prior) = (
            try numbers(bound, "total", "bits_per_dimension", "mean"),
            try numbers(bound, "prior", "bits_per_dimension", "mean")
        )
        #expect(steps.count == 50)
        #expect(abs(steps.reduce(prior, +) - total) < 1e-5 * total)
        let curve = try #require(report["rate_distortion"] as? [[String: Any]])
        #expect(curve.count == 51)
        #expect(abs(try numbers(curve[0], "rate") - prior) < 1e-6)
        #expect(abs(try numbers(curve[50], "rate") - total) < 1e-5 * total)
        #expect(try numbers(report, "flow", "negative_log_likelihood", "nats", "mean").isFinite)
        let again = try tiny.folder.made(call + ["--batch-size", "2", "--measure", "bound"]).json()
        #expect(
            abs(try numbers(again, "bound", "total", "bits_per_dimension", "mean") - total) < 1e-4 * total)
        let few = try tiny.folder.made(
            call + ["--measure", "bound", "--bound-steps", "10", "--variance", "fixed-large", "--no-clip"]
        ).json()
        let other = try #require(few["bound"] as? [String: Any])
        #expect((other["steps"] as? [Double])?.count == 10 && other["variance"] as? String == "fixed_large")
        #expect(other["clips_data"] as? Bool == false && bound["clips_data"] as? Bool == true)
    }

    @Test func whatCannotBeMeasuredIsRefused() throws {
        let tiny = try TinyModel()
        let call = ["likelihood", tiny.run]
        for (options, words) in [
            (["--count", "0"], "count is 0"), (["--count", "1000"], "297 examples"),
            (["--bound-steps", "51"], "2 to 50"), (["--variance", "learned-range"], "no channels"),
            (["--tolerance", "2"], "tolerance"), (["--probes", "0"], "probes"),
            (["--measure", "flow", "-o", "x.png"], "--measure flow"), (["-o", "x.txt"], ".png"),
            (["--against", "/nowhere"], "/nowhere"), (["--least-noise", "0"], "least noise"),
        ] {
            try Program.expectRefused(call + options, words)
        }
        let latents = try TinyCheckpoint()
        try Program.expectRefused(["likelihood", latents.path], "diffuses latents")
    }
}
