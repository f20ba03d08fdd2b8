import Diffusion
import Foundation
import Tensors

/// Everything that a picture was made with, written into it.
public struct Receipt: Codable, Sendable, Equatable {
    /// The version of this program.
    public static let version = "0.1.0"

    /// The program that made the picture.
    public var program = "langevin \(Receipt.version)"
    /// The model's name.
    public var model: String
    /// The sha256 of the network's weights; of all shards in turn where there are several.
    public var modelHash: String
    /// The seed of this picture, or of the first one of a sheet.
    public var seed: UInt64
    /// The number of pictures.
    public var count: Int
    /// The solver.
    public var solver: String
    /// The number of solver steps.
    public var steps: Int
    /// How times were chosen.
    public var grid: String
    /// DDIM's η.
    public var eta: Double
    /// Classifier-free guidance.
    public var guidance: Double
    /// The class of each picture.
    public var classes: [Int]?
    /// Pixels.
    public var width: Int
    /// Pixels.
    public var height: Int
    /// The element type of the network's arithmetic.
    public var dtype: String
    /// Where the network ran.
    public var device: String
    /// What the pictures were to show.
    public var prompt: String?
    /// What they were not to show.
    public var negativePrompt: String?
    /// How far guidance was brought back to the spread of the conditional branch.
    public var guidanceRescale: Double?
    /// Layers of CLIP that were left out.
    public var clipSkip: Int?
    /// The deep layers of the U-Net ran in every so many calls.
    public var deepFeatureInterval: Int?
    /// The share of the steps that were taken from a reference on.
    public var strength: Double?
    /// What the network's output was taken for: `noise`, `data`, `v`, `flow`.
    public var prediction: String?

    enum CodingKeys: String, CodingKey {
        case program, model, seed, count, solver, steps, grid, eta, guidance, classes, width, height, dtype,
            device, prompt, strength, prediction
        case modelHash = "model_hash"
        case negativePrompt = "negative_prompt"
        case guidanceRescale = "guidance_rescale"
        case clipSkip = "clip_skip"
        case deepFeatureInterval = "deep_feature_interval"
    }

    /// The receipt of a plan for the model of a folder.
    /// - Throws: `FileError` where the weights cannot be read again.
    public init(_ plan: SamplingPlan, layout: ModelLayout) throws {
        self.init(
            plan.request, plan.sampler, plan.scheduler, plan.solver, plan.model.elementType,
            plan.model.device)
        (model, modelHash) = (layout.name, try layout.weightsDigest())
        (guidance, classes) = (plan.guidance, plan.labels)
        (width, height) = (plan.shape[2], plan.shape[1])
    }

    /// The receipt of a plan for a model that diffuses latents.
    /// - Throws: `FileError` where the weights cannot be read again.
    public init(_ plan: GenerationPlan) throws {
        let (source, request) = (plan.model.source, plan.request)
        self.init(
            request.sampling, plan.sampler, plan.scheduler, plan.solver, plan.model.elementType,
            plan.model.device)
        (model, modelHash) = (source.name, try source.weightsDigest())
        (guidance, classes) = (plan.guidance, plan.labels)
        (width, height) = (plan.size.width, plan.size.height)
        (prompt, negativePrompt) = (request.prompt, request.negativePrompt)
        guidanceRescale = request.guidanceRescale == 0 ? nil : request.guidanceRescale
        clipSkip = request.clipSkip == 0 ? nil : request.clipSkip
        strength = plan.strength
    }

    /// What plans of all kinds have in common; the rest is set by the caller.
    private init(
        _ request: SamplingRequest, _ sampler: Sampler, _ scheduler: SchedulerConfiguration,
        _ solver: SolverName?, _ elementType: ElementType, _ device: Device
    ) {
        (model, modelHash, guidance, width, height) = ("", "", 1, 0, 0)
        (seed, count) = (request.seed, request.count)
        self.solver = (solver ?? scheduler.solverName)?.rawValue ?? scheduler.kind.rawValue
        steps = sampler.grid.steps.count
        grid = (request.grid ?? scheduler.gridName).rawValue
        eta = request.eta ?? 0
        prediction = scheduler.prediction.word
        deepFeatureInterval = request.deepFeatureInterval == 1 ? nil : request.deepFeatureInterval
        (dtype, self.device) = (elementType.name, device.description)
    }

    /// The receipt of one picture of several.
    public func picture(_ index: Int) -> Receipt {
        var receipt = self
        receipt.seed = seed &+ UInt64(index)
        receipt.count = 1
        receipt.classes = classes.map { [$0[index]] }
        return receipt
    }

    /// The form that AUTOMATIC1111 made common: the text chunk `parameters`.
    public var parameters: String {
        let classes = classes.map { Set($0).count == 1 ? "class \($0[0])" : "classes" }
        let negative = negativePrompt.map { "\nNegative prompt: \($0)" } ?? ""
        let prompt = (prompt ?? classes ?? "") + negative
        let more = [
            strength.map { "Denoising strength: \($0)" }, clipSkip.map { "Clip skip: \($0 + 1)" },
            guidanceRescale.map { "CFG Rescale: \($0)" },
        ].compactMap(\.self)
        let facts =
            [
                "Steps: \(steps)", "Sampler: \(Self.samplers[solver] ?? solver)", "Schedule type: \(grid)",
                "CFG scale: \(guidance)",
                "Seed: \(seed)", "Size: \(width)x\(height)", "Model hash: \(modelHash.prefix(10))",
                "Model: \(model)", "Eta: \(eta)",
            ] + more + ["Version: \(program)"]
        return "\(prompt)\n\(facts.joined(separator: ", "))"
    }

    /// What AUTOMATIC1111 calls solvers.
    private static let samplers = [
        "ddpm": "DDPM", "ddim": "DDIM", "plms": "PLMS", "euler": "Euler", "euler-a": "Euler a",
        "heun": "Heun", "dpm2": "DPM2", "dpm2-a": "DPM2 a", "lms": "LMS", "dpmpp-2m": "DPM++ 2M",
        "dpmpp-2s-a": "DPM++ 2S a", "dpmpp-sde": "DPM++ SDE", "dpmpp-2m-sde": "DPM++ 2M SDE",
        "dpmpp-3m-sde": "DPM++ 3M SDE", "dpm-fast": "DPM fast", "dpm-adaptive": "DPM adaptive",
        "unipc": "UniPC", "deis": "DEIS", "lcm": "LCM",
    ]

    /// The receipt as JSON: the text chunk `langevin`.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
