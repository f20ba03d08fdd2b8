import ArgumentParser
import Checkpoints
import Diffusion
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

/// The method of guidance, and what it needs: shared by the commands that make pictures.
struct GuidanceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The method of guidance; --guidance is then the scale of its formula as written; plain classifier-free guidance where not given: \(Self.methods)."
        ))
    var guidanceMethod: GuidanceMethod?

    @Option(
        help:
            "Where guidance acts, A:B: noise levels σ above A, up to B, for data of scale 1 (σ/α); everywhere where not given. 'interval' needs it.",
        transform: NumberRange.init(argument:))
    var guidanceInterval: NumberRange?

    @Option(
        help: ArgumentHelp(
            "How guidance grows over the steps, from the unconditional estimate to all of --guidance; the model's own where not given, which is as a rule all of it at every step: \(Self.schedules)."
        ))
    var guidanceSchedule: GuidanceSchedule?

    @Option(help: "How far guidance is brought back to the spread of the conditional branch, 0 to 1.")
    var guidanceRescale = 0.0

    @Option(help: "For 'perp-neg': how much --negative-prompt repels, from 0; by default 1.")
    var negativeWeight: Double?

    @Option(
        help: "A worse version of the model (smaller, or trained for less long), for 'autoguidance'.",
        transform: pathArgument)
    var guide: String?

    @Option(
        help:
            "For 'classifier': a model of the same samples whose output is a number for each class, or analytic:FILE.json, whose Gaussians are the classes. --class says which one is wanted.",
        transform: pathArgument)
    var classifier: String?

    @Option(
        help: "For 'clip': a CLIP that was trained on noisy pictures (docs/TextToImage.md).",
        transform: pathArgument)
    var noisyClip: String?

    private static let schedules = GuidanceSchedule.allCases.map { "\($0.name) (\($0.summary))" }
        .joined(separator: ", ")

    private static let methods = GuidanceMethod.allCases.map { "\($0.name) (\($0.summary))" }
        .joined(separator: ", ")

    /// Options that may have no part in any picture of a stage, whether it is so, and a sentence about each.
    func unused(in settings: StageSettings) -> [(isSo: Bool, sentence: String)] {
        [
            ("--guidance-rescale", guidanceRescale > 0), ("--guidance-schedule", guidanceSchedule != nil),
        ].map { option, isGiven in
            (
                isGiven && !settings.isGuided,
                "\(option) changes what two branches give, and there is one (--guidance is \(settings.guidance.scale))"
            )
        }
    }

    /// - Parameter options: how the model itself is opened.
    func set(_ request: inout Request, _ options: ModelOptions) throws {
        (request.guidanceMethod, request.guidanceRescale) = (guidanceMethod, guidanceRescale)
        request.guidanceSchedule = guidanceSchedule
        (request.guidanceInterval, request.negativeWeight) = (guidanceInterval?.range, negativeWeight)
        request.guide = try guide.map { try Model($0, options) }
        // Options that keep a model of latents small are not for a classifier.
        var plain = ModelOptions()
        (plain.elementType, plain.device) = (options.elementType, options.device)
        request.classifier = try classifier.map { try Model(judging: .classifier, $0, plain) }
        request.noisyCLIP = try noisyClip.map { try Model(judging: .noisyCLIP, $0, plain) }
    }
}

/// What methods read that add noise on the way: shared by the commands that sample.
struct StochasticOptions: ParsableArguments {
    @Option(
        help:
            "Noise that euler, heun, dpm2 and edm put back before their steps: S_churn of Karras et al., over all steps; none where not given."
    )
    var churn: Double?

    @Option(
        help:
            "Where --churn acts, A:B: noise levels σ from A to B, for data of scale 1; everywhere where not given.",
        transform: NumberRange.init(argument:))
    var churnRange: NumberRange?

    @Option(help: "What the noise of --churn is multiplied with; by default 1.")
    var churnNoise: Double?

    @Option(
        help:
            "Langevin steps at each noise level, of predictor-corrector (by default 1) and annealed-langevin (by default 100)."
    )
    var langevinSteps: Int?

    @Option(help: "The signal-to-noise ratio of the Langevin steps of predictor-corrector; by default 0.16.")
    var signalToNoise: Double?

    func set(_ request: inout Request) {
        (request.churn, request.churnRange, request.churnNoise) = (churn, churnRange?.range, churnNoise)
        (request.langevinSteps, request.signalToNoise) = (langevinSteps, signalToNoise)
    }

    /// Each option and whether it is given.
    var given: [(String, Bool)] {
        [
            ("--churn", churn != nil), ("--churn-range", churnRange != nil),
            ("--churn-noise", churnNoise != nil), ("--langevin-steps", langevinSteps != nil),
            ("--signal-to-noise", signalToNoise != nil),
        ]
    }
}

/// Noise that is added on the way, and where the noise of the start is from: shared by the commands that make pictures.
struct NoiseOptions: ParsableArguments {
    @OptionGroup var stochastic: StochasticOptions

    @Flag(
        help:
            "Write the noise that leads to --image, for --initial: -o noise.safetensors. By ddim, euler, flow-euler, heun, edm, flow-heun, dpm2 and rk45."
    )
    var inversion = false

    @Option(
        help:
            "Two seeds A:B: --count pictures from noise on the great circle between theirs, evenly spaced, both included.",
        transform: SeedPair.init(argument:))
    var interpolate: SeedPair?

    @Option(
        help:
            "Of models of pixels: what the noise of the start is multiplied with; the model's own where not given, most often 1."
    )
    var temperature: Double?

    /// - Parameter seed: whether a seed was given.
    func set(_ request: inout Request, seed isGiven: Bool) throws {
        stochastic.set(&request)
        request.temperature = temperature
        request.inverts = inversion
        request.interpolation = interpolate.map { ($0.first, $0.last) }
        guard isGiven, inversion || interpolate != nil else { return }
        throw PipelineError(
            inversion
                ? "--seed: --inversion draws no noise: leave it out"
                : "--seed: --interpolate has two seeds of its own: leave it out")
    }
}

/// `0.2:3`: two numbers, the smaller one first.
struct NumberRange {
    let range: ClosedRange<Double>

    @Sendable init(argument: String) throws {
        guard let (low, high) = twoParts(of: argument, at: ":", { Double($0) }), low <= high else {
            throw ValidationError("give two numbers, the smaller one first, such as 0.2:3")
        }
        range = low...high
    }
}

/// `1:2`: two seeds.
struct SeedPair {
    let first: UInt64
    let last: UInt64

    @Sendable init(argument: String) throws {
        guard let (first, last) = twoParts(of: argument, at: ":", { UInt64($0) }) else {
            throw ValidationError("give two whole numbers from 0 to \(UInt64.max), such as 1:2")
        }
        (self.first, self.last) = (first, last)
    }
}

extension GuidanceMethod: ExpressibleByArgument {}
extension GuidanceSchedule: ExpressibleByArgument {}

extension Request.Reference {
    /// A picture, or the tensor 'samples' of a .safetensors file.
    init(file path: String) throws {
        self =
            path.lowercased().hasSuffix(".safetensors")
            ? .latents(try SafetensorsFile(path: path).tensor(named: "samples"))
            : .picture(try Picture(contentsOf: URL(file: path), limit: Picture.requestLimit))
    }
}
