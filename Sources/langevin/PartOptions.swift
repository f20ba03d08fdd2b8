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

    func set(_ options: inout ModelOptions) {
        (options.configurations, options.variant, options.autoencoder) = (config, variant, vae)
    }
}
