import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// `--prompt-weights` through the program: prompts as AUTOMATIC1111's web interface reads them.
@Suite struct PromptSyntaxTests {
    private let tiny: TinyCheckpoint

    init() throws { tiny = try TinyCheckpoint() }

    private func latents(_ prompt: String, _ options: String...) throws -> [Float] {
        let output = tiny.folder("out.safetensors")
        let outcome = try Program.run(TinyCheckpoint.request(tiny.path, output, prompt) + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples").array(
            of: Float.self)
    }

    private func weighed(_ prompt: String, _ options: String...) throws -> [Float] {
        let output = tiny.folder("out.safetensors")
        let outcome = try Program.run(
            TinyCheckpoint.request(tiny.path, output, prompt) + ["--prompt-weights"] + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples").array(
            of: Float.self)
    }

    /// A prompt that changes at a step gives what two calls give that hand over there.
    @Test func promptsChangeOverTheSteps() throws {
        let (first, second) = (try latents("a cat"), try latents("a dog"))
        #expect(try weighed("a [cat:dog:1.0]") == first && weighed("a [cat:dog:0]") == second)
        // Four steps of a deterministic method, and their halves.
        func four(_ prompt: String, _ output: String, _ options: String...) throws {
            let outcome = try Program.run(
                [
                    "generate", prompt, "--model", tiny.path, "-o", output, "--steps", "4", "--solver",
                    "ddim",
                    "--seed", "5", "--width", "16", "--height", "16",
                ] + options)
            try #require(outcome.code == 0, "\(outcome.messages)")
        }
        func samples(_ output: String) throws -> [Float] {
            try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples").array(of: Float.self)
        }
        let (half, output) = (tiny.folder("half.safetensors"), tiny.folder("out.safetensors"))
        try four("a cat", half, "--denoising-end", "0.5")
        try four("a dog", output, "--image", half, "--denoising-start", "0.5")
        let whole = try samples(output)
        for prompt in ["a [cat:dog:2]", "a [cat:dog:0.5]", "a [cat::2][dog:0.5]"] {
            try four(prompt, output, "--prompt-weights")
            #expect(try samples(output) == whole, "\(prompt)")
        }
        // The steps of the second call are those of the whole process.
        try four("a [mat:dog:0.5]", output, "--prompt-weights", "--image", half, "--denoising-start", "0.5")
        #expect(try samples(output) == whole)
        let turns = try weighed("a [cat|dog]", "--negative-prompt", "[mat|sky]")
        #expect(try turns == weighed("a [cat:[dog:cat:2]:1]", "--negative-prompt", "[mat:[sky:mat:2]:1]"))
        #expect(turns != first && turns != second)
        try tiny.expectRefused(
            tiny.path, "--prompt-weights", "--negative-prompt", "[a:b:9]",
            saying: "changes after step 9, and there are 3")
    }

    /// BREAK begins a further part of as many tokens; weights act as they are said to.
    @Test func partsAndWeights() throws {
        let plain = try latents("a cat on a mat")
        #expect(try weighed("a cat on a mat") == plain)
        let divided = try weighed("a cat BREAK on a mat", "--negative-prompt", "sky")
        #expect(divided != plain)
        #expect(try divided == weighed("a cat BREAK on a mat", "--negative-prompt", "sky BREAK"))
        let a1111 = try weighed("a (cat:1.5) on a mat")
        #expect(try a1111 == weighed("a (cat:1.5) on a mat", "--weight-normalization", "a1111"))
        #expect(try a1111 != weighed("a (cat:1.5) on a mat", "--weight-normalization", "comfyui"))
        #expect(try weighed("(a cat on a mat:1.0)", "--weight-normalization", "comfyui") == plain)
        try tiny.expectRefused(tiny.path, "--weight-normalization", "comfyui", saying: "add --prompt-weights")
    }

    /// A tag is an adapter by its file's name, given or in a folder; the picture is that of --lora.
    @Test func tagsNameAdapters() throws {
        let layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
        let generator = RandomGenerator(seed: 3)
        func write(_ name: String) throws -> String {
            let path = tiny.folder(name)
            try SafetensorsWriter([
                ("\(layer).lora_A.weight", generator.normal([2, 8])),
                ("\(layer).lora_B.weight", generator.normal([8, 2])),
            ]).write(to: path)
            return path
        }
        let (detail, style) = (try write("detail.safetensors"), try write("style.safetensors"))
        let expected = try latents("a cat", "--lora", "\(detail):0.8", "--lora", "\(style):-0.5")
        let folder = tiny.folder.path
        let tagged = "<lora:detail:0.8>a cat<lora:style:-0.5>"
        #expect(try weighed(tagged, "--lora-folder", folder) == expected)
        #expect(try weighed(tagged, "--lora", detail, "--lora", style) == expected)
        #expect(try weighed(tagged, "--lora", detail, "--lora-folder", folder) == expected)
        #expect(try weighed("a cat<lora:style:0>", "--lora", style) == latents("a cat"))
        func refuse(_ prompt: String, _ options: [String], _ words: String) throws {
            try Program.expectRefused(
                TinyCheckpoint.request(tiny.path, tiny.folder("never.png"), prompt) + options, words)
        }
        try refuse("a <lora:none:1>", ["--prompt-weights"], "names the adapter \"none\"")
        try refuse("a <lora:none:1>", ["--prompt-weights", "--lora-folder", folder], "none.safetensors")
        try refuse("a <lora:../x:1>", ["--prompt-weights", "--lora-folder", folder], "names the adapter")
        try refuse("a <lora:style:x>", ["--prompt-weights", "--lora", style], "is no number")
        try refuse(
            "a <lora:style:1>", ["--prompt-weights", "--lora", "\(style):0.5"],
            "is 0.5, and in the prompt 1.0")
        try refuse(
            "a cat", ["--prompt-weights", "--lora", style, "--negative-prompt", "<lora:style:1>"],
            "belongs into the prompt")
        try refuse("a cat", ["--prompt-weights", "--lora-folder", folder], "no prompt names an adapter")
        try refuse("a cat", ["--lora-folder", folder], "--prompt-weights")
        // Without the option a tag is text, which a note says.
        #expect(
            try tiny.latents(tiny.path, prompt: "a cat <lora:style:1>").messages.contains(
                "is text: it names an adapter"))

        let picture = tiny.folder("picture.png")
        let made = try Program.run(
            TinyCheckpoint.request(tiny.path, picture, "a [(cat:1.5):dog:2]<lora:style:0.7> BREAK mat")
                + ["--prompt-weights", "--weight-normalization", "comfyui", "--lora-folder", folder])
        try #require(made.code == 0, "\(made.messages)")
        let replay = ["generate", "--replay", picture, "--model", tiny.path, "--json"]
        for place in [["--lora", style], ["--lora-folder", folder]] {
            let outcome = try Program.run(replay + place)
            try #require(outcome.code == 0, "\(outcome.messages)")
            #expect(try outcome.json()["difference"] as? Int == 0)
        }
    }
}
