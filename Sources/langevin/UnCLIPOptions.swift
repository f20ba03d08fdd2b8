import ArgumentParser
import Pipelines

/// How unCLIP's prior makes the embedding of a picture of a text.
struct PriorOptions: ParsableArguments {
    @Option(help: "unCLIP: the steps of the prior, which makes the embedding of a picture; by default 25.")
    var priorSteps: Int?

    @Option(
        help:
            "unCLIP: the scale of the prior's guidance; 1 and below is the conditional branch alone; by default 4."
    )
    var priorGuidance: Double?

    func set(_ request: inout Request) {
        (request.priorSteps, request.priorGuidance) = (priorSteps, priorGuidance)
    }
}

/// How unCLIP's pictures are enlarged.
struct UpscalingOptions: ParsableArguments {
    @Option(help: "unCLIP: the steps of what enlarges the pictures; by default 7.")
    var upscaleSteps: Int?

    func set(_ request: inout Request) { request.upscaleSteps = upscaleSteps }
}
