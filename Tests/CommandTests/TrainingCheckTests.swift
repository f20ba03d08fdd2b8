import Foundation
import TestSupport
import Testing

/// What would go wrong at a run's end is said before its first step.
@Suite struct TrainingCheckTests {
    private let tiny: TinyModel
    private let folder: TemporaryFolder

    init() throws {
        tiny = try TinyModel(classes: true)
        folder = try TemporaryFolder()
    }

    private func arguments(_ out: String, _ changes: [String]) -> [String] {
        ["train", tiny.folder("recipe.yaml"), "--out", out] + changes.flatMap { ["--set", $0] }
    }

    @Test func fewerPicturesThanClassesAreRefused() throws {
        let words = "evaluation.count is 9: write at least 10"
        for resume in [[], ["--resume"]] {
            try Program.expectRefused(arguments(folder("run"), ["evaluation.count=9"]) + resume, words)
            #expect(try folder.names().isEmpty)
        }
        // A run that is there already is left as it is, and goes on with a number that does.
        let before = try contents(of: tiny.run + "/recipe.yaml")
        let longer = ["training.steps=4"]
        try Program.expectRefused(
            arguments(tiny.run, longer + ["evaluation.count=9"]) + ["--resume"], words)
        #expect(try contents(of: tiny.run + "/recipe.yaml") == before)
        let outcome = try Program.run(arguments(tiny.run, longer) + ["--resume"])
        #expect(outcome.code == 0, "\(outcome.messages)")
    }

    /// Some methods take some steps on some processes. Those that do not are refused before anything is written.
    @Test(arguments: ["ddpm", "dpmpp-2m", "unipc", "flow-euler", "heun"])
    func sheetsThatCannotBeDrawnAreRefused(solver: String) throws {
        for (index, changes) in [["evaluation.steps=50"], ["diffusion.zero_terminal_snr=true"]].enumerated() {
            let name = "run-\(index)"
            let outcome = try Program.run(
                arguments(
                    folder(name), changes + ["evaluation.solver=\(solver)", "diffusion.prediction=v"]))
            if outcome.code == 2 {
                #expect(outcome.messages.hasPrefix("error: evaluation: "), "\(outcome.messages)")
                #expect(try !folder.names().contains(name))
            } else {
                #expect(outcome.code == 0 && !outcome.messages.contains("no sheet"), "\(outcome.messages)")
                #expect(try folderNames(folder(name) + "/samples") == ["step-3.png"])
            }
        }
    }

    /// The logarithm of a time of 0 or below is no number.
    @Test(arguments: ["betas", "edm", "ve"])
    func timesWithoutALogarithmAreRefused(process: String) throws {
        let recipe = try folder.write(
            "recipe.yaml",
            "model: {kind: unet2d, time_embedding_type: fourier}\ndiffusion: {process: \(process)}")
        try Program.expectRefused(
            ["train", recipe, "--out", folder("run")],
            "model.time_embedding_type: the network takes the logarithm of times, and diffusion.process \(process)"
        )
        #expect(try folder.names() == ["recipe.yaml"])
    }

    /// The last sheet comes after the last checkpoint, and one that cannot be written loses nothing.
    @Test func aSheetThatFailsLosesNoCheckpoint() throws {
        let taken = tiny.run + "/samples/step-6.png/x"
        try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: true)
        let outcome = try Program.run(arguments(tiny.run, ["training.steps=6"]) + ["--resume"])
        #expect(outcome.messages.contains("step-6.png"), "\(outcome.messages)")
        let checkpoints = try folderNames(tiny.run + "/checkpoints")
        #expect(checkpoints.contains("step-6"), "\(checkpoints)")
        let sampled = try Program.run("sample", tiny.run, "-o", folder("x.png"))
        #expect(sampled.code == 0, "\(sampled.messages)")
    }

    @Test func guidanceWithoutClassesIsSaid() throws {
        let outcome = try Program.run(
            arguments(folder("run"), ["model.class_conditional=false", "evaluation.guidance=2"]))
        #expect(outcome.code == 0 && outcome.messages.contains("evaluation.guidance changes nothing"))
    }
}
