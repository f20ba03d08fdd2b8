import ArgumentParser
import Pipelines
import Tensors

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a model as a folder in the diffusers layout.",
        discussion: "Every tensor must have its place in the network, and the other way round.")

    @Argument(help: "A run folder, or a folder in the diffusers layout.")
    var input: String

    @Argument(help: "The folder to write; it must not be there yet.")
    var output: String

    @Option(help: "The element type of the weights: float32, float64, bfloat16, float16.")
    var dtype = ElementType.float32

    func run() throws {
        try ModelLayout(model: input).convert(to: output, elementType: dtype)
        say("wrote \(output)")
    }
}
