import Diffusers
import Diffusion
import Networks
import Tensors

/// What is asked of a model. Whatever is left out is the model's own.
public struct SamplingRequest: Sendable {
    /// Which classes to draw.
    public enum Classes: Sendable, Equatable {
        /// The same for every picture.
        case one(Int)
        /// All of them in turn, as many pictures of each as the count allows.
        case all
    }

    /// The number of pictures.
    public var count = 1
    /// Picture i has seed + i.
    public var seed: UInt64 = 0
    /// The number of solver steps.
    public var steps: Int?
    /// The solver.
    public var solver: Method?
    /// How the steps are spread.
    public var grid: Grid?
    /// DDIM's η, and that of other methods that have one.
    public var eta: Double?
    /// Classifier-free guidance; at 1 and below it is the conditional branch alone.
    public var guidance: Double?
    /// The classes; none where the model knows none, or for its unconditional branch.
    public var classes: Classes?
    /// The prompts of a model that is given texts: one for each picture, or one for all; empty ones where there are none.
    public var prompts: [String]?
    /// What the unconditional branch is given in place of an empty text.
    public var negativePrompt: String?
    /// Unit noise to start from, `[count, channels, height, width]`, instead of drawing it.
    public var initial: Tensor?
    /// Height of pictures in pixels.
    public var height: Int?
    /// Width of pictures in pixels.
    public var width: Int?
    /// The deep layers of a U-Net run in the first of so many calls, and their answer is reused in the others; 1 runs
    /// them in all.
    public var deepFeatureInterval = 1
    /// The most pictures that pass through the network at once; the pictures do not depend on it.
    public var batchSize: Int?
    /// The files that tensors and pictures of the request came from, by what they are for (`initial`, `image`,
    /// `mask`): what a receipt says of them.
    public var files: [String: InputFile] = [:]

    /// One picture with everything else the model's own.
    public init() {}
}

extension SamplingRequest {
    /// A place for deep features, one for each batch; none where all calls run all layers.
    var deepFeatures: DeepFeatures? {
        deepFeatureInterval > 1 ? DeepFeatures(every: deepFeatureInterval) : nil
    }
}

/// A request that has been checked against a model and resolved: nothing is left to default.
public struct SamplingPlan {
    let model: PictureModel
    let request: SamplingRequest
    /// The solver; none where it is the one of the model's own scheduler.
    public let solver: Method?
    /// The steps, and the method that takes them.
    public let sampler: Sampler
    /// The number of steps that was asked of the method.
    public let steps: Int
    /// The process that the network was trained on, as it is sampled.
    let process: Process
    /// The words for process, method and grid.
    public let words: SamplingWords
    /// Guidance, 1 where there is none.
    public let guidance: Double
    /// The class of each picture, where the model is told one.
    public let labels: [Int]?
    /// The prompt of each picture, where the model is given texts.
    public let prompts: [String]?
    /// The shape of one picture, `[channels, height, width]`, or of a point, `[dimension]`.
    public let shape: Shape

    /// Checks a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    public init(_ model: PictureModel, _ request: SamplingRequest) throws {
        try Self.check(request)
        try Self.checkDeepFeatures(request, model.configuration)
        try Self.checkConditions(model)
        self.model = model
        self.request = request
        process = model.process.computed(in: model.elementType)
        solver = request.solver ?? model.card.solver
        words = process.sampling.words(for: solver, grid: request.grid)
        steps = request.steps ?? model.card.steps ?? process.sampling.usualSteps(solver)
        try Self.check(steps: steps)
        var options = SamplerOptions()
        options.eta = request.eta
        sampler = try process.sampling.sampler(solver, steps: steps, grid: request.grid, options: options)
        try sampler.check(process.parameterization.output)
        shape = try Self.shape(model, request)
        prompts = try Self.prompts(model, request)
        let isConditional = request.classes != nil || request.prompts != nil
        guidance = request.guidance ?? (isConditional ? model.card.guidance ?? 1 : 1)
        guard Float(guidance).isFinite else {
            throw PipelineError("--guidance is \(guidance): give a number that single precision holds")
        }
        labels = try Self.labels(model, request, guidance: guidance)
        try Self.checkVariance(model, sampler)
        let together = sampler.solver.couplesExamples ? 1 : min(request.batchSize ?? 64, request.count)
        let needs = Self.memoryNeed(
            of: model.configuration, batch: guidance > 1 ? 2 * together : together, count: request.count,
            sample: shape, computing: model.elementType)
        for need in needs { try need.check(on: model.device) }
    }

    /// A network has as many output channels as pictures have, or twice as many: the others are a variance.
    private static func checkVariance(_ model: PictureModel, _ sampler: Sampler) throws {
        let (given, channels) = (model.configuration.outputChannels, model.configuration.channels)
        guard given == channels || given == 2 * channels else {
            throw PipelineError(
                "\(model.name) gives \(given) channels for pictures of \(channels): it needs as many, or twice as many for a learned variance"
            )
        }
        if given == channels, let variance = sampler.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and \(model.name) gives no channels for a variance: use 'fixed_small' or another solver"
            )
        }
    }

    /// Throws where no model could meet a request.
    static func check(_ request: SamplingRequest) throws {
        guard (1...1_000_000).contains(request.count) else {
            throw PipelineError("\(request.count) pictures were asked for: --count is 1 to 1000000")
        }
        guard (1...1_000_000).contains(request.deepFeatureInterval) else {
            throw PipelineError(
                "--reuse-deep is \(request.deepFeatureInterval): give a number from 1 (all calls run all layers)"
            )
        }
        try check(eta: request.eta)
    }

    /// Throws where deep layers are to be reused and a network has no such.
    static func checkDeepFeatures(_ request: SamplingRequest, _ network: NetworkConfiguration) throws {
        guard request.deepFeatureInterval > 1, !network.hasDeepFeatures else { return }
        throw PipelineError(
            "--reuse-deep: a \(network.className) has no deep layers apart from the others, only U-Nets have: leave it out"
        )
    }

    /// Throws where a network needs conditions that such a request has not.
    private static func checkConditions(_ model: PictureModel) throws {
        let traits = model.configuration.traits
        let isText = traits.context != nil || traits.pooled != nil || traits.numbers != nil
        let isServed = model.text != nil && traits.numbers == nil
        guard isText && !isServed || (traits.labels.map { $0.isRequired && $0.count == nil } ?? false) else {
            return
        }
        throw PipelineError(
            "\(model.name): its \(model.configuration.className) is conditioned on \(isText ? "a text" : "labels that are no classes"), and models on pixels are given classes only: look at its config.json"
        )
    }

    static func check(steps: Int) throws {
        guard (1...1_000_000).contains(steps) else {
            throw PipelineError("--steps is \(steps): give a number from 1 to 1000000")
        }
    }

    /// Throws where a side of pictures cannot be; the sentence names the nearest one that can.
    /// - Parameter origin: where a side is from that the request does not say.
    static func check(
        height: Int, width: Int, in request: SamplingRequest, from origin: String, multiple: Int,
        of noun: String
    ) throws {
        let sides = [("height", height, request.height), ("width", width, request.width)]
        for (name, extent, asked) in sides {
            guard (1...16_384).contains(extent), extent % multiple == 0 else {
                let nearest = max(multiple, (min(extent, 16_384) + multiple / 2) / multiple * multiple)
                let side = asked == nil ? "the \(name) of \(origin)" : "--\(name)"
                throw PipelineError(
                    "\(side) is \(extent): it must be a multiple of \(multiple) for this \(noun), such as \(min(nearest, 16_384 / multiple * multiple))"
                )
            }
        }
    }

    static func check(eta: Double?) throws {
        if let eta, !(0...1).contains(eta) {
            throw PipelineError(
                "--eta is \(eta): it must lie between 0 (deterministic) and 1 (ancestral)")
        }
    }

    static func check(initial: Tensor) throws {
        try initial.rethrow()
        let isFloating = initial.elementType.isFloatingPoint
        guard isFloating, try initial.isFinite().all().item(Bool.self) else {
            throw PipelineError(
                "--initial must hold finite floating-point numbers: it holds \(initial.elementType.name)"
                    + (isFloating ? " and some are not finite" : ""))
        }
    }

    private static func shape(_ model: PictureModel, _ request: SamplingRequest) throws -> Shape {
        let channels = model.configuration.channels
        if model.configuration.sample == .point { return try pointShape(model, request) }
        if let initial = request.initial {
            try check(initial: initial)
            guard initial.rank == 4, initial.shape[0] == request.count, initial.shape[1] == channels else {
                throw PipelineError(
                    "--initial holds latents of shape \(initial.shape): [\(request.count), \(channels), height, width] is needed"
                )
            }
        }
        let given = request.initial.map { (height: $0.shape[2], width: $0.shape[3]) }
        let isGiven = given != nil || (request.height != nil && request.width != nil)
        let own = isGiven ? given : try model.pictureSize()
        let height = request.height ?? own?.height ?? 0
        let width = request.width ?? own?.width ?? 0
        try check(
            height: height, width: width, in: request, from: given == nil ? "\(model.name)" : "--initial",
            multiple: model.configuration.sizeMultiple, of: "network")
        if let given, given != (height, width) {
            throw PipelineError(
                "--initial is \(given.height)×\(given.width) and --height, --width say \(height)×\(width)")
        }
        return [channels, height, width]
    }

    /// The prompt of each picture; `nil` where the model is given no texts.
    private static func prompts(_ model: PictureModel, _ request: SamplingRequest) throws -> [String]? {
        guard model.text != nil else {
            guard request.prompts == nil, request.negativePrompt == nil else {
                throw PipelineError("\(model.name) reads no prompts: use 'sample', or a model of texts")
            }
            return nil
        }
        let prompts = request.prompts ?? [""]
        guard prompts.count == 1 || prompts.count == request.count else {
            throw PipelineError(
                "\(prompts.count) prompts were given for \(request.count) pictures: give one for each")
        }
        return (0..<request.count).map { prompts[$0 % prompts.count] }
    }

    /// The shape of points; they have neither height nor width.
    private static func pointShape(_ model: PictureModel, _ request: SamplingRequest) throws -> Shape {
        let dimension = model.configuration.channels
        guard request.height == nil, request.width == nil else {
            throw PipelineError("\(model.name) makes points, not pictures: leave out --height and --width")
        }
        if let initial = request.initial {
            try check(initial: initial)
            guard initial.shape == [request.count, dimension] else {
                throw PipelineError(
                    "--initial holds points of shape \(initial.shape): [\(request.count), \(dimension)] is needed"
                )
            }
        }
        return [dimension]
    }

    private static func labels(_ model: PictureModel, _ request: SamplingRequest, guidance: Double) throws
        -> [Int]?
    {
        guard let classes = model.classCount else {
            guard request.classes == nil else {
                throw PipelineError("\(model.name) knows no classes: leave out --class")
            }
            guard guidance <= 1 || request.prompts != nil else {
                throw PipelineError(
                    model.text == nil
                        ? "\(model.name) knows no classes to guide to: leave out --guidance"
                        : "--guidance needs a prompt to guide to: give one")
            }
            return nil
        }
        if guidance > 1 && model.card.nullClass == nil {
            throw PipelineError(
                "\(model.name) has no unconditional branch to guide away from: use --guidance 1")
        }
        if let wanted = request.classes {
            return try Self.labels(wanted, of: classes, count: request.count, model: model.name)
        }
        guard let null = model.card.nullClass else {
            return try Self.labels(nil, of: classes, count: request.count, model: model.name)
        }
        guard guidance <= 1 else {
            throw PipelineError("--guidance needs a class to guide to: add --class")
        }
        return Array(repeating: null, count: request.count)
    }

    /// The class of each of `count` pictures, of so many classes.
    static func labels(_ wanted: SamplingRequest.Classes?, of classes: Int, count: Int, model: String) throws
        -> [Int]
    {
        switch wanted {
        case .one(let label):
            guard (0..<classes).contains(label) else {
                throw PipelineError("--class is \(label): \(model) has classes 0 to \(classes - 1)")
            }
            return Array(repeating: label, count: count)
        case .all:
            guard count >= classes else {
                throw PipelineError(
                    "\(count) pictures are fewer than one of each of the \(classes) classes of \(model): ask for \(classes) at least"
                )
            }
            return (0..<count).map { $0 * classes / count }
        case nil:
            throw PipelineError(
                "\(model) must be told a class: add --class 0 to \(classes - 1), or --class all")
        }
    }
}
