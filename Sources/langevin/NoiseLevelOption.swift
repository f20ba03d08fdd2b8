import ArgumentParser
import Pipelines

/// How much noise is laid on what a model begins with beside the text: shared by the commands that enlarge pictures or
/// condition on them.
struct NoiseLevelOption: ParsableArguments {
    @Option(
        help:
            "The time of the noise that is laid on --image, or on its embedding; the model's own where not given."
    )
    var noiseLevel: Int?

    func set(_ request: inout Request) { request.noiseLevel = noiseLevel }
}
