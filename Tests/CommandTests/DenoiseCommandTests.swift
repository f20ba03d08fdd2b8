import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// `langevin denoise` through the program.
@Suite struct DenoiseCommandTests {
    /// A mixture of two pictures of 4×4 grey pixels, and a noisy one of them.
    private struct Case {
        let folder: TemporaryFolder
        var model: String { "analytic:" + folder("m.json") }
        var picture: String { folder("noisy.png") }
        let clean: Tensor
        let noisy: Tensor

        init() throws {
            folder = try TemporaryFolder()
            let first = Tensor((0..<16).map { Double($0) / 12 - 0.6 })
            let means = try [first, -first].map { try $0.array(of: Double.self) }
            let unit = (0..<16).map { row in (0..<16).map { $0 == row ? 0.01 : 0 } }
            let object: [String: Any] = [
                "kind": "gaussian-mixture", "weights": [0.5, 0.5], "means": means,
                "covariances": [unit, unit],
                "prediction": "noise", "schedule": ["_class_name": "DDPMScheduler", "clip_sample": false],
            ]
            try folder.write("m.json", JSONSerialization.data(withJSONObject: object))
            clean = first.reshaped([1, 4, 4])
            let noise = RandomGenerator(seed: 3).normal([1, 4, 4], .float64) * 0.2
            try Picture(clean + noise).write(to: URL(fileURLWithPath: folder("noisy.png")))
            noisy = try Picture(contentsOf: URL(fileURLWithPath: folder("noisy.png"))).tensor().to(.float64)
        }

        func samples(_ options: [String]) throws -> Tensor {
            let path = folder("out.safetensors")
            try folder.made(["denoise", picture, "--model", model, "-o", path] + options)
            return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
        }
    }

    /// The posterior mean of a Gaussian of variance v and noise s² is m + v/(v + s²)·(y − m); the other picture is out of
    /// the question. Its error is far below that of the noisy picture.
    @Test func theMeanIsTheClosedForm() throws {
        let made = try Case()
        let level = 0.2 * 127.5
        let found = try made.samples(["--noise-level", "\(level)"])[0].to(.float64)
        let share = 0.01 / (0.01 + 0.04)
        expectClose(found, made.clean + (made.noisy - made.clean) * share, absolute: 1e-6)
        func decibels(_ x: Tensor) throws -> Double {
            10 * log10(4 / (try (x - made.clean).squared().mean().item(Double.self)))
        }
        #expect(try decibels(found) > decibels(made.noisy) + 10)
    }

    /// Samples spread as the posterior does, and each has its own seed.
    @Test func samplesAreOfThePosterior() throws {
        let made = try Case()
        let options = ["--noise-level", "25.5", "--steps", "150", "--seed", "2"]
        let samples = try made.samples(options + ["--count", "400"]).to(.float64)
        #expect(samples.shape == [400, 1, 4, 4])
        let share = 0.01 / (0.01 + 0.04)
        let wanted = made.clean + (made.noisy - made.clean) * share
        expectClose(samples.mean([0]), wanted, absolute: 0.02)
        let spread = try (samples - wanted).squared().mean().item(Double.self)
        #expect(abs(spread / (0.01 * 0.8) - 1) < 0.1, "\(spread)")
        let one = try made.samples([
            "--noise-level", "25.5", "--steps", "150", "--seed", "401", "--count", "1",
        ])
        expectClose(one[0].to(.float64), samples[399], absolute: 1e-5)
        let other = try made.samples(options + ["--count", "1", "--solver", "euler-a"])
        #expect(try !other[0].to(.float64).isIdentical(to: samples[0]))
    }

    /// A network denoises pictures of other sizes that it can take; the noise is estimated, and said.
    @Test func aNetworkDenoisesPicturesOfItsSizes() throws {
        let tiny = try TinyModel()
        let noise = RandomGenerator(seed: 3).normal([1, 12, 16]) * 0.2
        let (noisy, out) = (tiny.folder("noisy.png"), tiny.folder("clean.png"))
        try Picture(noise).write(to: URL(fileURLWithPath: noisy))
        let outcome = try tiny.folder.made(["denoise", noisy, "--model", tiny.run, "-o", out, "--json"])
        let said = try outcome.json()
        #expect(said["estimated"] as? Bool == true && outcome.messages.contains("estimated deviation"))
        let level = try #require(said["noise_level"] as? Double)
        #expect(level > 15 && level < 40, "\(level)")
        let picture = try Picture(contentsOf: URL(fileURLWithPath: out))
        #expect(picture.width == 16 && picture.height == 12)
        #expect(try Picture.texts(of: URL(fileURLWithPath: out)).map(\.keyword) == ["langevin"])
        let sheet = tiny.folder("sheet-%d.png")
        let many = try tiny.folder.made([
            "denoise", noisy, "--model", tiny.run, "-o", sheet, "--count", "2", "--steps", "3", "--json",
        ])
        #expect(try many.json()["files"] as? [String] == [0, 1].map { tiny.folder("sheet-\($0).png") })
    }

    @Test func whatCannotBeDenoisedIsRefused() throws {
        let tiny = try TinyModel()
        let (odd, even, out) = (tiny.folder("odd.png"), tiny.folder("even.png"), tiny.folder("out.png"))
        try Picture(Tensor.zeros([1, 9, 8])).write(to: URL(fileURLWithPath: odd))
        try Picture(Tensor.zeros([1, 8, 8])).write(to: URL(fileURLWithPath: even))
        func refused(_ picture: String, _ options: [String], _ words: String) throws {
            try Program.expectRefused(["denoise", picture, "--model", tiny.run, "-o", out] + options, words)
        }
        try refused(odd, ["--noise-level", "10"], "multiples of 2")
        try refused(even, [], "no noise is found")
        try refused(even, ["--noise-level", "-1"], "above 0")
        try refused(even, ["--noise-level", "1e9"], "hardly a picture left")
        try refused(even, ["--noise-level", "10", "--seed", "3"], "add --count")
        try refused(even, ["--noise-level", "10", "--count", "0"], "--count is 0")
        try refused(even, ["--noise-level", "10", "--count", "2", "--solver", "ddim"], "draws no noise")
        try refused(even, ["--noise-level", "10", "--class", "1"], "no classes")
        try refused(tiny.folder("none.png"), ["--noise-level", "10"], "none.png")
        #expect(!FileManager.default.fileExists(atPath: out))
    }
}
