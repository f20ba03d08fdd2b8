import Checkpoints
import Foundation
import Pictures
import Pipelines
import Tensors
import TestSupport
import Testing

/// `--lora-live` and weights by block through the program, and live adapters of one network by the library.
@Suite struct LiveAdapterTests {
    private let tiny: TinyCheckpoint

    init() throws { tiny = try TinyCheckpoint() }

    /// Low-rank changes of matrices, kernels and pixels, a whole change, a bias, and lengths that are kept.
    private func adapter(_ name: String = "detail.safetensors", seed: UInt64 = 3) throws -> String {
        let generator = RandomGenerator(seed: seed)
        let block = "unet.down_blocks.0.attentions.0"
        let inner = "\(block).transformer_blocks.0"
        func pair(_ layer: String, _ outputs: Int, _ inputs: Int, _ kernel: Int? = nil) -> [(String, Tensor)]
        {
            [
                (
                    "\(layer).lora_A.weight",
                    generator.normal(kernel.map { [2, inputs, $0, $0] } ?? [2, inputs]) * 0.3
                ),
                (
                    "\(layer).lora_B.weight",
                    generator.normal(kernel == nil ? [outputs, 2] : [outputs, 2, 1, 1]) * 0.5
                ),
            ]
        }
        let tensors =
            pair("\(inner).attn2.to_q", 8, 8) + pair("\(inner).attn2.to_k", 8, 12)
            + pair("\(inner).attn1.to_out.0", 8, 8) + pair("\(inner).ff.net.0.proj", 64, 8)
            + pair("\(inner).ff.net.2", 8, 32) + pair("\(block).proj_in", 8, 8, 1)
            + pair("unet.down_blocks.0.resnets.0.conv1", 8, 8, 3)
            + pair("unet.down_blocks.0.downsamplers.0.conv", 8, 8, 3)
            + pair("unet.up_blocks.1.resnets.0.time_emb_proj", 8, 32)
            + pair("text_encoder.text_model.encoder.layers.0.mlp.fc1", 24, 12) + [
                ("\(inner).attn2.to_v.diff", generator.normal([8, 12]) * 0.3),
                ("unet.conv_out.diff_b", generator.normal([4])),
                ("unet.up_blocks.0.resnets.0.conv2.dora_scale", generator.normal([16]).magnitude() + 0.5),
            ] + pair("unet.up_blocks.0.resnets.0.conv2", 16, 16, 3)
        try SafetensorsWriter(tensors).write(to: tiny.folder(name))
        return tiny.folder(name)
    }

    private func latents(_ options: String...) throws -> [Float] {
        let output = tiny.folder("out.safetensors")
        let outcome = try Program.run(TinyCheckpoint.request(tiny.path, output, "a cat on a mat") + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples").array(
            of: Float.self)
    }

    /// The largest difference, in shares of the largest number.
    private func distance(_ first: [Float], _ second: [Float]) -> Double {
        let largest = second.map { abs($0) }.max() ?? 1
        return Double((zip(first, second).map { abs($0 - $1) }.max() ?? .infinity) / largest)
    }

    /// Live and merged adapters give the same, at every weight and several together; at weight 0 no bit changes.
    @Test func liveIsMerged() throws {
        let (detail, style) = (try adapter(), try adapter("style.safetensors", seed: 5))
        let plain = try latents()
        for words in [
            ["--lora", "\(detail):0.8"], ["--lora", "\(detail):-0.4", "--lora", "\(style):0.3"],
            ["--lora", "\(detail):0.8:in=0.5,mid=0,out=-1"],
        ] {
            let merged = try tiny.samples(words)
            #expect(try distance(tiny.samples(words + ["--lora-live"]), merged) < 1e-5, "\(words)")
            #expect(distance(merged, plain) > 1e-2)
        }
        #expect(try latents("--lora", "\(detail):0", "--lora-live") == plain)
        #expect(try latents("--lora", "\(detail):1:base=0,in=0,mid=0,out=0", "--lora-live") == plain)
        try tiny.expectRefused(tiny.path, "--lora-live", saying: "there is none")
    }

    /// Each block has its share: numbers and names say the same, and all at 1 is the adapter as it is.
    @Test func weightsByBlock() throws {
        let path = try adapter()
        let whole = try latents("--lora", path)
        #expect(try latents("--lora", "\(path):1:1,1,1,1,1,1,1,1,1,1") == whole)
        #expect(try latents("--lora", "\(path):1:in=1") == whole)
        // Two levels of one layer: IN00 to IN03, M00, OUT00 to OUT03; those with attention are IN01, M00, OUT02 and OUT03.
        let some = try latents("--lora", "\(path):1:base=0.5,in=0,in01=0.25,mid=0,out=0")
        #expect(try latents("--lora", "\(path):1:0.5,0,0.25,0,0,0,0,0,0,0") == some)
        #expect(some != whole)
        func refuse(_ blocks: String, _ words: String) throws {
            try tiny.expectRefused(tiny.path, "--lora", "\(path):1:\(blocks)", saying: words)
        }
        try refuse("1,2", "these are 2 weights")
        try refuse("in=1,here=2", "\"here\" is no block")
        try refuse("in=x,mid=1", "weights by block are numbers")
        // In a prompt, as the extensions of A1111's interface write it.
        let tagged = try Program.run(
            TinyCheckpoint.request(
                tiny.path, tiny.folder("tagged.safetensors"),
                "a cat on a mat<lora:detail:1:lbw=0.5,0,0.25,0,0,0,0,0,0,0>")
                + ["--prompt-weights", "--lora", path])
        try #require(tagged.code == 0, "\(tagged.messages)")
        let found = try SafetensorsFile(path: tiny.folder("tagged.safetensors"), storage: .copied)
        #expect(try found.tensor(named: "samples").array(of: Float.self) == some)
    }

    /// The receipt has both, and the picture is made again.
    @Test func receiptsHoldThem() throws {
        let path = try adapter()
        let picture = tiny.folder("picture.png")
        let made = try Program.run(
            TinyCheckpoint.request(tiny.path, picture) + [
                "--lora", "\(path):0.5:in=0.2,out=1", "--lora-live",
            ])
        try #require(made.code == 0, "\(made.messages)")
        let texts = try Picture.texts(of: URL(filePath: picture))
        let receipt = try #require(texts.first { $0.keyword == "langevin" }).text
        #expect(receipt.contains("\"blocks\":\"in=0.2,out=1\"") && receipt.contains("\"lora_live\":true"))
        let outcome = try Program.run([
            "generate", "--replay", picture, "--model", tiny.path, "--json", "--lora", path,
        ])
        try #require(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["difference"] as? Int == 0)
    }

    /// Requests with other adapters share one network, whose weights stay as they are.
    @Test func adaptersChangeBetweenRequests() throws {
        let (detail, style) = (try adapter(), try adapter("style.safetensors", seed: 5))
        let parts = PartStore(keeping: 1 << 30)
        func samples(_ adapters: [ModelAdapter], isLive: Bool) throws -> [Float] {
            var options = ModelOptions()
            (options.adapters, options.hasLiveAdapters, options.parts) = (adapters, isLive, parts)
            var request = Request("a cat on a mat", seed: 5)
            (request.steps, request.width, request.height) = (3, 16, 16)
            return try Model(tiny.path, options).run(request, decodes: false).samples().array(of: Float.self)
        }
        let none = ModelAdapter(detail, weight: 0)
        let first = try samples([ModelAdapter(detail)], isLive: true)
        let kept = parts.byteCount
        let second = try samples([ModelAdapter(style, weight: 0.5)], isLive: true)
        let plain = try samples([none], isLive: true)
        #expect(kept > 0 && parts.byteCount == kept)
        #expect(try samples([ModelAdapter(detail)], isLive: true) == first)
        parts.removeAll()
        #expect(try distance(first, samples([ModelAdapter(detail)], isLive: false)) < 1e-5)
        #expect(try distance(second, samples([ModelAdapter(style, weight: 0.5)], isLive: false)) < 1e-5)
        #expect(try plain == latents())
    }
}

extension TinyCheckpoint {
    /// The latents of a request with options.
    fileprivate func samples(_ options: [String]) throws -> [Float] {
        let output = folder("samples.safetensors")
        let outcome = try Program.run(Self.request(path, output, "a cat on a mat") + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples").array(
            of: Float.self)
    }
}
