import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

/// A family of models that diffuse latents. What its pipeline in diffusers does otherwise than its siblings is a
/// requirement here with what most do as its default; a family's file holds what it does.
package protocol LatentAssembly: StoredAssembly {
    // MARK: Parts

    /// The part between pictures and latents.
    static var autoencoderComponent: ModelComponent { get }
    /// The type of the network that denoises.
    static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type
    /// Every type of network that may denoise.
    static func networks(readsClassTable: Bool) -> [any DenoisingNetwork.Type]
    /// What the index says, beside its parts, of a model of this family that was trained on latents here; `nil` where
    /// the family has no such models.
    static func trainedIndex(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> JSONObject?
    /// Whether it is conditioned on a text.
    static var takesPrompt: Bool { get }
    /// Whether its U-Net is conditioned on sizes and crops.
    static var takesSizes: Bool { get }
    /// Whether its U-Net may attend to a table of classes.
    static var readsClassTable: Bool { get }
    /// Whether a table of classes that is the network's own is given them.
    static var fillsLabels: Bool { get }
    /// The fields of a request that it reads and most families of latents do not.
    static var reads: Set<RequestField> { get }
    /// Whether the network's labels are classes, and not how much noise is laid on a picture that it is given.
    static var labelsAreClasses: Bool { get }
    /// Channels that the network is given beside the latents in every call.
    static var channelsBeside: Int { get }
    /// Whether these are scaled with the latents before each call.
    static var scalesBeside: Bool { get }

    /// A family's model of opened parts.
    init(_ model: LatentModel)
    /// The parts.
    var model: LatentModel { get }

    // MARK: What a request leaves out

    /// The number of solver steps.
    func usualSteps(_ task: LatentTask) throws -> Int
    /// Guidance.
    func usualGuidance(_ task: LatentTask) throws -> Double
    /// Whether a picture that is changed keeps its size, where the request gives none.
    var keepsReferenceSize: Bool { get }
    /// What sides are multiples of, in pixels.
    var sizeMultiple: Int { get }

    // MARK: Steps

    /// The class of diffusers as the family's pipelines use it.
    /// - Parameter isConverted: whether another class will be made of it.
    func scheduler(_ trained: SchedulerConfiguration, _ task: LatentTask, isConverted: Bool)
        -> SchedulerConfiguration
    /// η of a request that has none, under a class of diffusers.
    func usualEta(_ scheduler: SchedulerConfiguration) -> Double?
    /// μ of a shift that depends on the picture's size.
    func shiftExponent(_ scheduler: SchedulerConfiguration, _ size: Request.Size) -> Double?
    /// How many of the steps a strength leaves out.
    func skippedSteps(of steps: Int, strength: Double) -> Int

    // MARK: Latents

    /// The start without a reference.
    func start(_ unit: Tensor, _ sampler: Sampler) -> Tensor
    /// From the autoencoder's latents to the network's.
    func scaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor
    /// And back.
    func unscaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor

    /// The noise level of a request; `nil` where the family reads none.
    func usedNoiseLevel(_ request: Request) -> Int?

    // MARK: Conditions

    /// The parts that conditions are made by, beside the network.
    func conditionParts(of stage: LatentStage) throws -> [ModelComponent]
    /// Checks these parts and that they fit the network. No weights are read.
    func checkConditions(of stage: LatentStage) throws
    /// What the network is conditioned on.
    func conditions(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> BranchConditions
    /// What each batch is given that belongs to it alone, drawn of its noise before its latents are; `nil` where nothing
    /// is.
    func batchInputs(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> (
        (_ pictures: Range<Int>, _ noise: NoiseSource) throws -> BatchInputs
    )?
}

/// What is done with a request's reference.
package enum LatentTask: Equatable, Sendable {
    /// There is none.
    case text
    case imageToImage
    /// The network itself is given the mask and what is under it.
    case shownInpainting
    /// The known part is put back after every step.
    case restoredInpainting
    /// The network itself is given the picture, and makes a larger one of noise.
    case enlarging

    /// Whether latents begin as noise alone, wherever a mask is.
    var startsFromNoise: Bool { self == .text || self == .enlarging }
    var inpaints: Bool { self == .shownInpainting || self == .restoredInpainting }
}

/// What a network is conditioned on, with the prompt or class that is wanted and without; one row, or one a picture.
package struct BranchConditions {
    var wanted: Conditions
    /// `nil` where no branch leads away from it, and where nothing else than `wanted` is known.
    var unwanted: Conditions?
    /// What a negative branch beside the unconditional one is conditioned on.
    var negative: Conditions?

    /// The conditions of a branch.
    func conditions(_ branch: GuidanceBranch) -> Conditions {
        switch branch {
        case .conditional: wanted
        case .unconditional: unwanted ?? wanted
        case .negative: negative ?? unwanted ?? wanted
        }
    }
}

extension LatentAssembly {
    package static var autoencoderComponent: ModelComponent { .vae }
    package static var takesPrompt: Bool { false }
    package static var takesSizes: Bool { false }
    package static var readsClassTable: Bool { false }
    package static var fillsLabels: Bool { false }
    package static var reads: Set<RequestField> { [] }
    package static var labelsAreClasses: Bool { true }
    package static var channelsBeside: Int { 0 }
    package static var scalesBeside: Bool { false }
    package static func networks(readsClassTable: Bool) -> [any DenoisingNetwork.Type] {
        [network(readsClassTable: readsClassTable)]
    }
    package static func trainedIndex(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> JSONObject? { nil }

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        self.init(try LatentModel(source, options, of: Self.self))
    }

    package var name: String { model.source.name }
    package var classCount: Int? { model.labelCount }
    package var takesPrompt: Bool { Self.takesPrompt }

    package func usualSteps(_ task: LatentTask) throws -> Int { 50 }
    package func usualGuidance(_ task: LatentTask) throws -> Double { 1 }
    package var keepsReferenceSize: Bool { true }
    package var sizeMultiple: Int { model.pixelsPerLatent * model.network.sizeMultiple }

    package func scheduler(_ trained: SchedulerConfiguration, _ task: LatentTask, isConverted: Bool)
        -> SchedulerConfiguration
    { trained }

    // diffusers' pipelines hand over their own η, 0, and not the scheduler's, which acts in TCD's alone.
    package func usualEta(_ scheduler: SchedulerConfiguration) -> Double? {
        scheduler.kind == .tcd ? 0 : nil
    }

    package func shiftExponent(_ scheduler: SchedulerConfiguration, _ size: Request.Size) -> Double? { nil }

    package func skippedSteps(of steps: Int, strength: Double) -> Int {
        steps - Int(min(Double(steps) * strength, Double(steps)))
    }

    package func start(_ unit: Tensor, _ sampler: Sampler) -> Tensor { sampler.scaled(unit) }

    package func scaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor {
        scaling.scaled(latents)
    }

    package func unscaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor {
        scaling.unscaled(latents)
    }

    package func usedNoiseLevel(_ request: Request) -> Int? { nil }

    package func conditionParts(of stage: LatentStage) throws -> [ModelComponent] { [] }
    package func checkConditions(of stage: LatentStage) throws {}
    package func batchInputs(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> (
        (_ pictures: Range<Int>, _ noise: NoiseSource) throws -> BatchInputs
    )? { nil }

    // MARK: Stages

    /// One stage, or two where another model goes on with the latents.
    package func stages(_ request: Request) throws -> [any Stage] {
        guard let refiner = request.refiner else { return [try LatentStage(self, request)] }
        guard request.guide == nil, request.classifier == nil else {
            throw PipelineError(
                "\(request.guide == nil ? .classifier : .guide) belongs to one model, and \(.refiner) is a second one: leave out one of them"
            )
        }
        guard request.denoisingStart == nil else {
            throw PipelineError(
                "\(.refiner) goes on where \(.denoisingEnd) stops: leave out \(.denoisingStart)")
        }
        var first = request
        (first.refiner, first.denoisingEnd) = (nil, request.denoisingEnd ?? 0.8)
        let stage = try LatentStage(self, first)
        var rest = first
        (rest.denoisingStart, rest.denoisingEnd, rest.strength) = (first.denoisingEnd, nil, nil)
        // Latents of the right shape stand in for those that the first model will leave.
        rest.reference = .latents(.zeros(Shape([1] + stage.settings.sampleShape.extents)))
        (rest.mask, rest.background, rest.initial, rest.files) = (nil, nil, nil, [:])
        (rest.width, rest.height, rest.imagePrompts) = (nil, nil, [])
        return try [stage] + refiner.assembly.stages(rest)
    }
}
