import ArgumentParser
import Pipelines

/// Where parts of a model come from that is opened for texts: shared by the commands that draw with such models.
struct PartOptions: ParsableArguments {
    @Option(
        help: "For a file: a folder in the diffusers layout with its configurations and tokenizers.",
        transform: pathArgument)
    var config: String?

    @Option(
        help: "The set of weights in the model's folder, such as fp16; parts that lack it have the plain one."
    )
    var variant: String?

    @Option(
        help:
            "The folder of an autoencoder in place of the model's own, such as TAESD or a consistency decoder; the model's own where not given.",
        transform: pathArgument)
    var vae: String?

    @Option(
        help:
            "FILE[:WEIGHT]: an adapter (LoRA, LoHa, LoKr, DoRA) whose changes are added to the weights, by default as they are, none by default; repeatable.",
        transform: AdapterOption.init(argument:))
    var lora: [AdapterOption] = []

    func set(_ options: inout ModelOptions) {
        options.adapters = lora.map(\.adapter)
        (options.configurations, options.variant, options.autoencoder) = (config, variant, vae)
    }
}

/// `detail.safetensors:0.8`: a file, and how much of it.
struct AdapterOption {
    let adapter: ModelAdapter

    @Sendable init(argument: String) throws {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        // A name may hold a colon; what follows the last one is a weight where it is a number.
        guard parts.count > 1, let weight = Double(parts[parts.count - 1]) else {
            adapter = ModelAdapter(try pathArgument(argument))
            return
        }
        guard weight.isFinite else { throw ValidationError("its weight is \(weight): give a number") }
        adapter = ModelAdapter(try pathArgument(parts.dropLast().joined(separator: ":")), weight: weight)
    }
}
