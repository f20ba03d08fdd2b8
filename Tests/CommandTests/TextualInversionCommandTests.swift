import Checkpoints
import Tensors
import TestSupport
import Testing

/// Words of several vectors in a model's folder, through the program.
@Suite struct TextualInversionCommandTests {
    /// A word stands for all its vectors: the picture is that of a folder in which each has a word of its own.
    @Test func aWordStandsForAllItsVectors() throws {
        let tiny = try TinyCheckpoint()
        let apart = try tiny.copy("apart")
        try tiny.folder.write(
            "model/tokenizer/added_tokens.json", #"{"<my-cat>": 954, "<my-cat>_1": 955, "<my-cat>_2": 956}"#)
        try tiny.folder.write(
            "apart/tokenizer/added_tokens.json", #"{"<one>": 954, "<two>": 955, "<three>": 956}"#)
        let vectors = "<one> <two> <three>"
        func expectTheSame(_ prompt: String, _ options: [String] = []) throws {
            func latents(_ model: String, _ text: (String) -> String) throws -> [Float] {
                let output = tiny.folder("out.safetensors")
                let outcome = try Program.run(
                    TinyCheckpoint.request(model, output, text(prompt)) + options.map(text))
                try #require(outcome.code == 0, "\(outcome.messages)")
                let file = try SafetensorsFile(path: output, storage: .copied)
                return try file.tensor(named: "samples").array(of: Float.self)
            }
            let expected = try latents(apart) { $0.replacing("<my-cat>", with: vectors) }
            #expect(try latents(tiny.path) { $0 } == expected, "\(prompt) \(options)")
            #expect(try latents(apart) { $0.replacing("<my-cat>", with: "<one>") } != expected)
        }
        try expectTheSame("a <my-cat> on a mat")
        try expectTheSame("a mat", ["--negative-prompt", "no <my-cat> here"])
        try expectTheSame("a (<my-cat>:1.3) on a mat", ["--prompt-weights"])
    }
}
