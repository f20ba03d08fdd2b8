import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Tensors
import TestSupport
import Testing

/// The recipes of latent diffusion that come with the project: with an autoencoder of random weights in place of a trained
/// one each takes three steps, goes on, and gives pictures.
@Suite struct LatentRecipeTests {
    static let names = ["latent-class", "latent-dit", "latent-text"]

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// An autoencoder alone in its folder: 32×32 pixels to 8×8 latents.
    private func autoencoder(channels: Int) throws -> String {
        var configuration = AutoencoderKLConfiguration()
        (configuration.coder.inChannels, configuration.coder.outChannels) = (channels, channels)
        configuration.coder.blockOutChannels = [8, 8, 8]
        configuration.coder.downBlockTypes = [.plain, .plain, .plain]
        configuration.coder.upBlockTypes = [.plain, .plain, .plain]
        (configuration.coder.normNumGroups, configuration.coder.sampleSize) = (4, .square(32))
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        let network = try store.build { try AutoencoderKL(configuration, $0) }
        try network.write(store, to: ModelFolder(folder("autoencoder")))
        return folder("autoencoder")
    }

    /// Pictures in classes, with captions.
    private func pictures(channels: Int) throws -> String {
        let path = try folder.makeFolder("pictures")
        var lines = ""
        for name in ["boot", "coat"] {
            try folder.makeFolder("pictures/\(name)")
            for index in 0..<10 {
                let pixels = (0..<(1024 * channels)).map { UInt8(truncatingIfNeeded: $0 * (index + 3)) }
                try Picture(width: 32, height: 32, channels: channels, pixels: pixels).write(
                    to: URL(fileURLWithPath: "\(path)/\(name)/\(index).png"))
                lines += "{\"file_name\": \"\(name)/\(index).png\", \"text\": \"\(name) number \(index)\"}\n"
            }
        }
        try folder.write("pictures/metadata.jsonl", lines)
        return path
    }

    @Test(arguments: names) func takesThreeStepsAndGoesOn(name: String) throws {
        let channels = name == "latent-text" ? 3 : 1
        let changes = try [
            "model.autoencoder=\(autoencoder(channels: channels))", "data.kind=folder",
            "data.path=\(pictures(channels: channels))", "training.batch_size=4", "training.threads=1",
            "training.checkpoint_every=2", "training.sample_every=0", "training.log_every=1",
            "evaluation.steps=2", "evaluation.count=2",
        ]
        let run = folder("run")
        func train(_ steps: Int) throws -> Program.Outcome {
            let all = (changes + ["training.steps=\(steps)"]).flatMap { ["--set", $0] }
            let outcome = try Program.run(["train", "recipes/\(name).yaml", "--out", run, "--resume"] + all)
            #expect(outcome.code == 0, "\(outcome.messages)")
            return outcome
        }
        #expect(try train(3).messages.contains("trained 3 steps"))
        #expect(try train(4).messages.contains("trained 1 steps"))
        let sheet = try Picture(contentsOf: URL(fileURLWithPath: run + "/samples/step-4.png"))
        #expect(sheet.channels == channels)
        let made = folder("made.png")
        let call =
            name == "latent-text"
            ? ["generate", "boot number 3", "--model", run] : ["sample", run, "--class", "1"]
        try folder.made(call + ["--steps", "2", "-o", made])
        let picture = try Picture(contentsOf: URL(fileURLWithPath: made))
        #expect(picture.width == 32 && picture.channels == channels)
    }
}
