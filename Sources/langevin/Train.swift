import ArgumentParser
import Foundation
import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model as a recipe says.",
        discussion: """
            The run folder keeps the resolved recipe, metrics (JSON lines and TensorBoard), sheets of samples, \
            checkpoints and the model. Ctrl-C and SIGTERM save and end; --resume goes on, bit for bit.
            """)

    @Argument(help: "The recipe, a YAML file.", transform: pathArgument)
    var recipe: String?

    @Flag(help: "Print every key of a recipe with its default and its meaning, as Markdown.")
    var keys = false

    @Option(
        name: .customLong("set"), help: "Another value for a key of the recipe: --set training.steps=100.")
    var changes: [String] = []

    @Option(help: "The run folder (default: run).", transform: pathArgument)
    var out = "run"

    @Flag(help: "Go on with the run in the folder; start one where there is none.")
    var resume = false

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    func validate() throws {
        guard recipe != nil || keys else { throw ValidationError("Missing expected argument '<recipe>'") }
    }

    func run() throws {
        guard let path = recipe, !keys else { return try printResult(Recipe.documentation) }
        _ = try LaunchedProcess(ProcessInfo.processInfo.environment)
        let recipe = try Recipe(contentsOf: path, changes: changes, changedBy: "--set")
        let trainer = try Trainer(recipe: recipe, folder: out, resume: resume) { say("warning: \($0)") }
        let interrupts = Interrupts()
        let first = trainer.step
        var bar = ProgressBar(total: recipe.training.steps, first: first)
        defer { bar.finish() }
        let start = ContinuousClock.now
        var loss: Double?
        let outcome = try trainer.train(
            isInterrupted: { interrupts.pending != nil },
            report: { progress in
                loss = progress.loss
                bar.show(step: progress.step, loss: progress.loss)
            })
        bar.finish()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        if outcome == .interrupted, let interruption = interrupts.pending {
            say("saved after step \(trainer.step) in \(out); go on with --resume")
            throw Interrupted(interruption: interruption)
        }
        if first == trainer.step {
            say("the run in \(out) is complete: \(trainer.step) steps")
        } else {
            say("trained \(trainer.step - first) steps; the model is in \(out)/model")
        }
        if json {
            try printJSON(Summary(run: out, step: trainer.step, loss: loss, seconds: seconds))
        }
    }

    private struct Summary: Encodable {
        let run: String
        let step: Int
        let loss: Double?
        let seconds: Double
    }
}
