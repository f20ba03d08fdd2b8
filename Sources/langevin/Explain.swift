import ArgumentParser
import Evaluation
import Foundation
import Pictures
import Pipelines
import Storage

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain a model: its parts, layers, noise schedule, and the derivation checked on it.",
        discussion: """
            Lists what each part is, the layers of the network that denoises with the shapes of their outputs for one \
            example, and the noise schedule; then works out the derivation of diffusion models in two ways each, in \
            numbers, on the model's own process and estimates.
            """)

    @Argument(
        help:
            "A run folder, a folder in the diffusers layout, one network's folder, a .safetensors file, or analytic:FILE.json.",
        transform: pathArgument)
    var model: String

    @Option(help: "The part whose layers are listed; the one that denoises where none is given.")
    var part: String?

    @Option(help: "How deep modules are listed.")
    var depth = 3

    @Option(
        name: [.short, .long], help: "Also draw the noise schedule: a folder for the plots.",
        transform: pathArgument)
    var output: String?

    @Flag(help: "Print one JSON object; it has every layer of every part.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func run() throws {
        guard depth > 0 else { throw PipelineError("--depth is \(depth): give a number above 0") }
        let device = try compute.open()
        if let output { try Files.checkPlace(ofFolder: output) }
        var options = ModelOptions()
        (options.elementType, options.device) = (compute.dtype, device)
        let explanation = try Explanation(model, options)
        // Whether the part is there, before anything is written.
        let text = try explanation.text(part: part, depth: depth)
        for note in compute.notes { say("note: \(note)") }
        if let output {
            guard !explanation.plots.isEmpty else {
                throw PipelineError(
                    "\(model) says no noise schedule, so there is nothing to draw: leave out -o")
            }
            try Files.createFolder(output)
            for (name, plot) in explanation.plots {
                try plot.picture().write(to: URL(file: "\(output)/\(name).png"))
            }
        }
        if json {
            try printJSON(explanation)
        } else {
            try printResult(text)
        }
    }
}
