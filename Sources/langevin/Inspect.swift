import ArgumentParser
import Foundation
import Pipelines

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is in a model, a safetensors file or a picture.",
        discussion:
            "A model's parameters are counted from its configurations alone; weights need not be there.")

    @Argument(
        help:
            "A run folder, a folder in the diffusers layout, one network's folder, analytic:FILE.json, a .safetensors or GGUF file, org/name of the hub, or a PNG.",
        transform: pathArgument)
    var path: String

    @Option(
        help:
            "Whose names the parts have: native (those of diffusers), or original (those of the latent-diffusion code, for its networks)."
    )
    var names = Inspection.Parts.Names.native

    @Option(
        help: "How many words of their names parts are listed by; by default 1, or 3 of the original names.")
    var depth: Int?

    @Flag(help: "Read every value of a .safetensors file, and count those that are infinite or not a number.")
    var check = false

    @OptionGroup var hub: HubOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        if let depth, depth < 1 { throw PipelineError("--depth is \(depth): give a number above 0") }
        // What is in a model follows from its configurations.
        let path = try hub.path(of: path, takesWeights: check)
        let inspection = try Inspection(
            path, parts: .init(names: names, depth: depth), readsValues: check)
        guard !check || inspection.nonFiniteCount != nil else {
            throw PipelineError(
                "--check reads the values of a .safetensors file, and \(path) is none: leave it out")
        }
        if json, case .tensors(let file) = inspection {
            // A file can have a million tensors.
            try printJSON(text: file.json)
        } else if json {
            try printJSON(inspection)
        } else {
            try printResult(inspection.text)
        }
    }
}

extension Inspection.Parts.Names: ExpressibleByArgument {}
