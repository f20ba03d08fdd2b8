import Checkpoints
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// One model up to a time and another from there, with methods that call the network twice a step.
@Suite struct HandOverTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ fixture: Fixture, _ options: [String]) throws -> Tensor {
        let asked = try fixture.case.required("request", as: JSONObject.self)
        var words = ["generate", try asked.required("prompt", as: String.self), "--model", folder("model")]
        for (flag, key) in [
            ("--steps", "steps"), ("--seed", "seed"), ("--count", "count"), ("--width", "width"),
            ("--height", "height"), ("--clip-skip", "clip_skip"),
        ] {
            if let value = try asked.optional(key, as: Int.self) { words += [flag, String(value)] }
        }
        for (flag, key) in [
            ("--guidance", "guidance"), ("--guidance-rescale", "rescale"),
            ("--denoising-end", "denoising_end"),
        ] {
            if let value = try asked.optional(key, as: Double.self) { words += [flag, String(value)] }
        }
        if let negative = try asked.optional("negative", as: String.self) {
            words += ["--negative-prompt", negative]
        }
        for (flag, key) in [("--original-size", "original"), ("--target-size", "target")] {
            if let size = try asked.optional(key, as: [Int].self) {
                words += [flag, "\(size[0])x\(size[1])"]
            }
        }
        if let crop = try asked.optional("crop", as: [Int].self) {
            words += ["--crop", "\(crop[0]),\(crop[1])"]
        }
        if fixture.file.names.contains("initial") {
            try SafetensorsWriter([("latents", fixture.tensor("initial"))]).write(
                to: folder("initial.safetensors"))
            words += ["--initial", folder("initial.safetensors")]
        }
        let outcome = try Program.run(words + options + ["-o", folder("out.safetensors")])
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: folder("out.safetensors"), storage: .copied).tensor(named: "samples")
    }

    @Test(arguments: ["xl-end-heun", "xl-end-dpm2", "hand-over-heun", "hand-over-dpm2"])
    func theCutIsWhereDiffusersHasIt(name: String) throws {
        let fixture = try Fixture("pipelines/\(name)")
        try fixture.write("model", to: folder("model"))
        var options: [String] = []
        if name.hasPrefix("hand-over") {
            try fixture.write("refiner", to: folder("refiner"))
            options = ["--refiner", folder("refiner")]
        }
        let expected = try fixture.tensor("latents")
        expectClose(try run(fixture, options), expected, ofLargest: 1e-4)
        // Between steps it is another picture, unless that is where the cut falls.
        let whole = try run(fixture, options + ["--whole-steps"])
        #expect(whole.shape == expected.shape)
    }

    /// With whole steps a model that hands over to itself gives the picture of one run.
    @Test(arguments: ["heun", "dpm2"])
    func wholeStepsAreOneRun(solver: String) throws {
        try Fixture("pipelines/sd1").write("model", to: folder("model"))
        func latents(_ options: [String]) throws -> Tensor {
            let path = folder("\(UUID().uuidString).safetensors")
            let outcome = try Program.run(
                [
                    "generate", "a cat", "--model", folder("model"), "--solver", solver, "--steps", "6", "-o",
                    path,
                ] + options)
            try #require(outcome.code == 0, "\(outcome.messages)")
            try? FileManager.default.removeItem(atPath: folder("last.safetensors"))
            try FileManager.default.copyItem(atPath: path, toPath: folder("last.safetensors"))
            return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
        }
        let whole = try latents([])
        let first = try latents(["--denoising-end", "0.457", "--whole-steps"])
        let rest = try latents([
            "--denoising-start", "0.457", "--whole-steps", "--image", folder("last.safetensors"),
        ])
        expectClose(rest, whole, ofLargest: 1e-5)
        #expect(try (first - whole).magnitude().max().item(Double.self) > 1e-2)
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", folder("model"), "--solver", solver, "--whole-steps", "-o",
                folder("out.png"),
            ], "leave it out")
        // diffusers stops after the first call of a step.
        let cut = try latents(["--denoising-end", "0.457"])
        #expect(try (first - cut).magnitude().max().item(Double.self) > 1e-2)
    }
}
