import ArgumentParser
import Checkpoints
import Pipelines
import Storage

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
            "FILE[:WEIGHT[:BLOCKS]]: an adapter (LoRA, LoHa, LoKr, DoRA), a .safetensors file or a folder of PEFT's, whose changes are added to the weights, by default as they are, none by default; BLOCKS is how much of that blocks have (in=1,mid=0.5,out=0, or a number for each of BASE,IN01,…); repeatable.",
        transform: AdapterOption.init(argument:))
    var lora: [AdapterOption] = []

    @Flag(
        help:
            "Compute what adapters change in the denoising network beside its weights, at every step, in place of changing them."
    )
    var loraLive = false

    func set(_ options: inout ModelOptions) {
        (options.adapters, options.hasLiveAdapters) = (lora.map(\.adapter), loraLive)
        (options.configurations, options.variant, options.autoencoder) = (config, variant, vae)
    }
}

/// `detail.safetensors:0.8:in=0`: a file, how much of it, and how much of that in each block.
struct AdapterOption {
    let adapter: ModelAdapter

    @Sendable init(argument: String) throws {
        var parts = argument.split(separator: ":", omittingEmptySubsequences: false)[...]
        // A name may hold a colon; what follows the last one is a weight where it is a number, and the one before it where
        // weights by block follow.
        var blocks: AdapterBlocks?
        if parts.count > 2, Double(parts[parts.count - 1]) == nil, Double(parts[parts.count - 2]) != nil {
            blocks = try AdapterBlocks(String(parts.removeLast()))
        }
        guard parts.count > 1, let weight = Double(parts[parts.count - 1]) else {
            adapter = ModelAdapter(try pathArgument(argument))
            return
        }
        guard weight.isFinite else { throw ValidationError("its weight is \(weight): give a number") }
        adapter = ModelAdapter(
            try pathArgument(parts.dropLast().joined(separator: ":")), weight: weight, blocks: blocks)
    }
}
