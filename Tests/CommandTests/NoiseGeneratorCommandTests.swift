import Checkpoints
import Diffusion
import Tensors
import TestSupport
import Testing

/// `--rng` through the program.
@Suite struct NoiseGeneratorCommandTests {
    /// A run that draws by a generator is the run that is given its numbers; the receipt names it.
    @Test(arguments: ["nv", "cuda", "numpy"])
    func noiseIsDrawnByTheGenerator(_ word: String) throws {
        let tiny = try TinyCheckpoint()
        // The seed of `TinyCheckpoint.request`.
        let seed: UInt64 = 5
        let drawn = try tiny.latents(tiny.path, "--rng", word)
        let given = tiny.folder("given.safetensors")
        let noise = try #require(NoiseGenerator(word: word)).stream(seed: seed).normal(
            [1, 4, 8, 8], .float32)
        try SafetensorsWriter([("latents", noise)]).write(to: given)
        #expect(drawn.values == (try tiny.latents(tiny.path, "--initial", given)).values)
        #expect(drawn.values != (try tiny.latents(tiny.path)).values)

        let picture = tiny.folder("picture.png")
        let outcome = try Program.run(TinyCheckpoint.request(tiny.path, picture) + ["--rng", word])
        #expect(outcome.code == 0, "\(outcome.messages)")
        let texts = try Program.run("inspect", picture).output
        #expect(texts.contains("RNG: \(word.uppercased())"), "\(texts)")
    }

    @Test func badWordsAndSeedsAreRefused() throws {
        let tiny = try TinyCheckpoint()
        try tiny.expectRefused(tiny.path, "--rng", "dice", saying: "numpy")
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", tiny.path, "-o", tiny.folder("never.png"), "--rng", "numpy",
                "--seed", "4294967295", "--count", "2",
            ], "give a smaller --seed")
    }
}
