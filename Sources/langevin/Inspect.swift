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
            "A run folder, a folder in the diffusers layout, one network's folder, analytic:FILE.json, a .safetensors file, or a PNG."
    )
    var path: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let inspection = try Inspection(path)
        if json {
            try printJSON(inspection)
        } else {
            print(inspection.text)
        }
    }
}
