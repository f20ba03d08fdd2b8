import Checkpoints
import Foundation
import Layers
import Pictures
import Tensors
import TestSupport
import Testing

/// `--embedding FILE[:WORD]` through the program: learned vectors for words of prompts.
@Suite struct InversionCommandTests {
    private let tiny: TinyCheckpoint
    private let vectors: Tensor

    init() throws {
        tiny = try TinyCheckpoint()
        vectors = RandomGenerator(seed: 4).normal([2, 12])
    }

    private func file(_ name: String, _ tensors: [(String, Tensor)]) throws -> String {
        try SafetensorsWriter(tensors).write(to: tiny.folder(name))
        return tiny.folder(name)
    }

    private func latents(_ prompt: String, _ options: String...) throws -> [Float] {
        let output = tiny.folder("out.safetensors")
        let outcome = try Program.run(TinyCheckpoint.request(tiny.path, output, prompt) + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples").array(
            of: Float.self)
    }

    /// A vector that is a word's own: the picture is that of the word itself. Several vectors stand for several words.
    @Test func aWordStandsForItsVectors() throws {
        let weights = try SafetensorsFile(
            path: tiny.path + "/text_encoder/model.safetensors", storage: .copied)
        let name = try #require(weights.names.first { $0.hasSuffix("token_embedding.weight") })
        let table = try weights.tensor(named: name)
        // The tokens of letters at the end of a word: a to z are 320 to 345 in CLIP's vocabularies.
        let (x, y) = (table.slice(320 + 23..<320 + 24, of: 0), table.slice(320 + 24..<320 + 25, of: 0))
        let plain = try latents("a x y on a mat", "--negative-prompt", "x y")
        let path = try file("style.safetensors", [("emb_params", concatenated([x, y]))])
        #expect(try latents("a style on a mat", "--negative-prompt", "style", "--embedding", path) == plain)
        // In capitals, and within weights, it is the same word.
        #expect(try latents("a STYLE on a mat", "--negative-prompt", "style", "--embedding", path) == plain)
        #expect(
            try latents(
                "a <xy> on a mat", "--negative-prompt", "(<xy>:1.0)", "--prompt-weights", "--embedding",
                "\(path):<xy>") == plain)
        let own = try file("one.safetensors", [("<x>", x.reshaped([12]))])
        let other = try file("two.safetensors", [("<y>", y)])
        #expect(
            try latents(
                "a <x><y> on a mat", "--negative-prompt", "<x> <y>", "--embedding", own, "--embedding", other)
                == plain)
        // Files of Stable Diffusion XL hold those of this text encoder under its name.
        let first = try file("first.safetensors", [("clip_l", concatenated([x, y]))])
        #expect(
            try latents("a first on a mat", "--negative-prompt", "first", "--embedding", first) == plain)
        #expect(try latents("a mat", "--negative-prompt", "x y") != plain)
    }

    /// A1111's pickle is refused with the way to convert it, which writes it under its word.
    @Test func picklesAreConverted() throws {
        let pickle = fixturePath("pickles/inversion.pt")
        try tiny.expectRefused(tiny.path, "--embedding", pickle, saying: "langevin convert")
        let path = tiny.folder("converted.safetensors")
        let outcome = try Program.run(["convert", pickle, path])
        try #require(outcome.code == 0, "\(outcome.messages)")
        let converted = try SafetensorsFile(path: path, storage: .copied)
        #expect(converted.names == ["<my-cat>"])
        #expect(converted.shape(of: "<my-cat>") == [2, 12])
    }

    /// What an embedding is not made for, or what has no part in a picture, is one sentence.
    @Test func everyVectorIsAccountedFor() throws {
        let path = try file("cat.safetensors", [("<cat>", vectors)])
        let prompt = ["a <cat> on a mat"]
        func refuse(_ options: [String], _ words: String, _ prompts: [String]? = nil) throws {
            for prompt in prompts ?? prompt {
                try Program.expectRefused(
                    TinyCheckpoint.request(tiny.path, tiny.folder("never.png"), prompt) + options, words)
            }
        }
        let wide = try file("wide.safetensors", [("<cat>", RandomGenerator(seed: 4).normal([2, 16]))])
        try refuse(["--embedding", wide], "reads 12 a token: the embedding was made for another model")
        let large = try file("large.safetensors", [("clip_l", vectors), ("clip_g", vectors)])
        try refuse(["--embedding", large], "has no such text encoder")
        let stray = try file("stray.safetensors", [("clip_l", vectors), ("text_projection", vectors)])
        try refuse(["--embedding", stray], "\"text_projection\" beside clip_l and clip_g has no use")
        let two = try file("two.safetensors", [("<cat>", vectors), ("<dog>", vectors)])
        try refuse(["--embedding", two], "it holds 2 tensors")
        let cube = try file("cube.safetensors", [("<cat>", vectors.reshaped([1, 2, 12]))])
        try refuse(["--embedding", cube], "\"<cat>\" is float32 [1, 2, 12]")
        try refuse(["--embedding", path], "the word \"<cat>\" stands in no prompt", ["a cat on a mat"])
        try refuse(["--embedding", path, "--embedding", path], "is given twice")
        try refuse(["--embedding", "\(path):x</w>"], "the tokenizer has this word already")
        try refuse(["--embedding", tiny.folder("none.safetensors")], "there is no embedding")
        try refuse(["--embedding", "\(path):"], "give FILE:WORD")
        try refuse(["--embedding", "text", "--embedding", "none"], "says twice")
    }

    /// The receipt has name, word and digest, and the picture is made again with them.
    @Test func receiptsHoldEmbeddings() throws {
        let path = try file("cat.safetensors", [("<cat>", vectors)])
        let picture = tiny.folder("picture.png")
        let made = try Program.run(
            TinyCheckpoint.request(tiny.path, picture, "a *cat on a mat") + ["--embedding", "\(path):*cat"])
        try #require(made.code == 0, "\(made.messages)")
        let texts = try Picture.texts(of: URL(filePath: picture))
        let receipt = try #require(texts.first { $0.keyword == "langevin" }).text
        #expect(
            receipt.contains(
                "\"embeddings\":[{\"name\":\"cat.safetensors\",\"sha256\":\"\(fileDigest(path))\",\"word\":\"*cat\"}]"
            ))
        let replay = ["generate", "--replay", picture, "--model", tiny.path, "--json"]
        let outcome = try Program.run(replay + ["--embedding", path])
        try #require(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["difference"] as? Int == 0)
        try Program.expectRefused(replay, "say where it is by --embedding")
        try Program.expectRefused(replay + ["--embedding", "\(path):dog"], "was *cat")
        let other = try file("other.safetensors", [("<cat>", vectors * 2)])
        try Program.expectRefused(replay + ["--embedding", other], "the embeddings")
    }

    @Test func otherModelsHaveNone() throws {
        let pixels = try TinyModel()
        try Program.expectRefused(
            [
                "generate", "a <cat>", "--model", pixels.run, "--embedding",
                try file("cat.safetensors", [("<cat>", vectors)]), "-o", tiny.folder("never.png"),
            ],
            "whose prompts CLIP alone reads")
    }
}
