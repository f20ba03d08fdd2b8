import Checkpoints
import Foundation
import Layers
import Pictures
import Tensors
import TestSupport
import Testing

/// `--lora` through the program.
@Suite struct AdapterCommandTests {
    private let tiny: TinyCheckpoint
    private let layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
    private let (a, b): (Tensor, Tensor)

    init() throws {
        tiny = try TinyCheckpoint()
        let generator = RandomGenerator(seed: 3)
        (a, b) = (generator.normal([2, 8]), generator.normal([8, 2]))
    }

    private func adapter(
        _ name: String = "detail.safetensors", _ more: [(String, Tensor)] = [],
        metadata: [String: String] = [:]
    ) throws -> String {
        let own = [("unet.\(layer).lora_A.weight", a), ("unet.\(layer).lora_B.weight", b)]
        try SafetensorsWriter(own + more, metadata: metadata).write(to: tiny.folder(name))
        return tiny.folder(name)
    }

    /// The picture is that of a model whose weights were summed by hand; two adapters add up.
    @Test func theChangeIsInTheWeights() throws {
        let summed = try tiny.copy("summed")
        let weights = "\(summed)/unet/diffusion_pytorch_model.safetensors"
        let file = try SafetensorsFile(path: weights, storage: .copied)
        let changed = try file.names.map { name in
            let tensor = try file.tensor(named: name)
            return (name, name == layer + ".weight" ? tensor + b.matmul(a) * 0.75 : tensor)
        }
        try SafetensorsWriter(changed, metadata: ["format": "pt"]).write(to: weights)
        let expected = try tiny.latents(summed).values
        let path = try adapter()
        func near(_ options: String...) throws -> Double {
            let outcome = try Program.run(
                TinyCheckpoint.request(tiny.path, tiny.folder("found.safetensors"), "a cat on a mat")
                    + options)
            try #require(outcome.code == 0, "\(outcome.messages)")
            let found = try SafetensorsFile(path: tiny.folder("found.safetensors"), storage: .copied)
                .tensor(named: "samples").array(of: Float.self)
            return zip(found, expected).map { Double(abs($0 - $1)) }.max() ?? .infinity
        }
        #expect(try near("--lora", "\(path):0.75") < 1e-4)
        #expect(try near("--lora", "\(path):0.5", "--lora", "\(path):0.25") < 1e-4)
        #expect(try near("--lora", path) > 1e-3)
    }

    /// At weight 0 the picture is that of no adapter, to the last bit; another weight changes it.
    @Test func weightZeroChangesNothing() throws {
        let path = try adapter()
        let plain = try tiny.latents(tiny.path).values
        #expect(try tiny.latents(tiny.path, "--lora", "\(path):0").values == plain)
        #expect(try tiny.latents(tiny.path, "--lora", path).values != plain)
    }

    /// A key that changes nothing is named, and an adapter for another model says for which.
    @Test func everyKeyIsAccountedFor() throws {
        let stray = try adapter(
            "stray.safetensors", [("unet.nowhere.lora_A.weight", a), ("unet.nowhere.lora_B.weight", b)])
        try tiny.expectRefused(
            tiny.path, "--lora", stray, saying: "\"unet.nowhere\" is no layer of this model")
        let odd = try adapter("odd.safetensors", [("unet.\(layer).something", a)])
        try tiny.expectRefused(tiny.path, "--lora", odd, saying: "\"unet.\(layer).something\"")
        for (key, value) in [
            ("ss_base_model_version", "sdxl_base_v1-0"),
            ("modelspec.architecture", "stable-diffusion-3-medium/lora"),
            ("ss_base_model_version", "sd_v2"), ("modelspec.architecture", "flux-1-dev/lora"),
        ] {
            let other = try adapter("other.safetensors", metadata: [key: value])
            try tiny.expectRefused(tiny.path, "--lora", other, saying: value)
        }
        let own = try adapter("own.safetensors", metadata: ["ss_base_model_version": "sd_v1"])
        #expect(try tiny.latents(tiny.path, "--lora", own).values.count > 0)
        try tiny.expectRefused(
            tiny.path, "--lora", tiny.folder("none.safetensors"), saying: "there is no adapter")
        try tiny.expectRefused(tiny.path, "--lora", "\(own):nan", saying: "give a number")
    }

    /// The receipt has name, weight and digest, and the picture is made again with them.
    @Test func receiptsHoldAdapters() throws {
        let path = try adapter()
        let picture = tiny.folder("picture.png")
        let made = try Program.run(TinyCheckpoint.request(tiny.path, picture) + ["--lora", "\(path):0.5"])
        try #require(made.code == 0, "\(made.messages)")
        let texts = try Picture.texts(of: URL(filePath: picture))
        let receipt = try #require(texts.first { $0.keyword == "langevin" }).text
        #expect(
            receipt.contains(
                "\"loras\":[{\"name\":\"detail.safetensors\",\"sha256\":\"\(fileDigest(path))\",\"weight\":0.5}]"
            ))
        let replay = ["generate", "--replay", picture, "--model", tiny.path, "--json"]
        let outcome = try Program.run(replay + ["--lora", path])
        try #require(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["difference"] as? Int == 0)
        try Program.expectRefused(replay, "say where it is by --lora")
        let other = try adapter("other.safetensors", metadata: ["format": "pt"])
        try Program.expectRefused(replay + ["--lora", other], "the adapters")
    }

    @Test func modelsOnPixelsHaveNone() throws {
        let pixels = try TinyModel()
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", pixels.run, "--lora", try adapter(), "-o",
                tiny.folder("never.png"),
            ],
            "models on latents")
    }
}
