import Diffusion
import Pictures
import Tensors

/// One model's share of a run: a request that was checked against it and resolved. A run is a list of stages; each goes
/// on with the samples of the one before it.
package protocol Stage: Sendable {
    /// What the samples are drawn with.
    var settings: StageSettings { get set }

    /// Whether the request's steps and guidance are those of this stage; other stages of one pipeline serve it with steps
    /// of their own.
    var isMain: Bool { get }

    /// Looks at everything that the run will need, before any of it is done: configurations, the names and shapes of
    /// weights, tokenizers, memory. No weights are read.
    /// - Parameter decodes: whether pictures will be made of the samples.
    /// - Throws: an error that names the file; `PipelineError` where parts do not fit each other or the machine.
    func check(decodes: Bool) throws

    /// Begins with the digests of the files that are loaded.
    func digests(decodes: Bool) throws -> ModelDigests

    /// Loads what the samples are made with.
    /// - Parameter say: gets what a person should know: cut prompts, resized pictures.
    /// - Returns: what makes the beginning of a batch, its noise drawn from the streams of its pictures.
    func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin

    /// Loads the model's own denoisers, for `load` and for stages that this one guides.
    func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers

    /// Pictures `[count, channels, height, width]` in −1 … 1 of samples.
    func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) throws -> Tensor

    /// What the samples of a step are about to become; `nil` where that cannot be shown.
    func preview(of progress: SamplingProgress) throws -> Picture?

    /// Whether pictures of samples are drawn from noise: each goes on with the stream that its sample was drawn from.
    var drawsPictures: Bool { get }

    /// The same stage with the streams from which pictures of samples are drawn.
    func drawingPictures(from streams: NoiseSource) -> any Stage

    /// The same stage with the samples that the one before it left, or with pictures of them.
    func starting(from samples: Tensor) throws -> any Stage

    /// Whether it goes on with the pictures of the stage before it, not with its samples.
    var takesPictures: Bool { get }

    /// Makes the stage before it stop at the noise that this one expects on its pictures.
    /// - Throws: `PipelineError` where it expects none.
    mutating func truncate(_ earlier: inout StageSettings) throws

    /// Adds what this kind of model has to a receipt.
    func complete(_ receipt: inout Receipt, decodes: Bool) throws
}

extension Stage {
    /// They are.
    package var isMain: Bool { true }

    /// They follow from the samples.
    package var drawsPictures: Bool { false }
    package func drawingPictures(from streams: NoiseSource) -> any Stage { self }

    /// Only models of latents go on with the samples of another.
    package func starting(from samples: Tensor) throws -> any Stage {
        throw PipelineError("\(settings.model) goes on with no other model's samples: leave it out")
    }

    package var takesPictures: Bool { false }

    package mutating func truncate(_ earlier: inout StageSettings) throws {
        throw PipelineError("\(settings.model) expects no noise on its pictures: leave out \(.truncates)")
    }
}

/// What a stage draws its samples with, nothing left to default.
public struct StageSettings: Sendable {
    /// The model's name.
    public var model: String
    /// The request.
    public var request: Request
    /// The steps, and the method that takes them.
    public var sampler: Sampler
    /// The number of steps that the method was set to, those that are left out included.
    public var steps: Int
    /// The words for process, method and grid.
    public var words: SamplingWords
    /// The process that the network was trained on, as it is sampled.
    public var process: Process
    /// Guidance.
    public var guidance: GuidanceSettings
    /// Whether more than one estimate counts.
    public var isGuided: Bool
    /// The class of each picture, where the model is conditioned on one.
    public var labels: [Int]?
    /// The prompt of each picture, where the model is conditioned on texts.
    public var prompts: [String]?
    /// The shape of one sample: `[channels, height, width]`, or `[dimension]` of a point.
    public var sampleShape: Shape
    /// The shape of the picture that it becomes; `nil` for points.
    public var pictureShape: Shape?
    /// The most samples at once; they do not depend on it.
    public var batchSize: Int
    /// The element type of the network's arithmetic.
    public var elementType: ElementType
    /// Where the network runs.
    public var device: Device
    /// What may help where samples are not finite.
    var remedy: Sentence = "try \(.elementType) float32, or other weights"
    /// What an exact model in a network's place predicts.
    var exactPrediction: Prediction?
    /// Whether it goes on with the pictures of another model in a cascade.
    var isFollowing = false
    /// The model whose text encoder reads the prompts, which a further stage without one shares; `nil` in other families.
    var textSource: CascadeModel?
    /// Other models that have a part in guidance.
    var guides = GuidanceModels()
    /// What samples are divided by at the end: for an inversion, what unit noise is multiplied with at the start.
    var resultScale = 1.0
    /// Whether each picture's stream of noise goes on where the stage before this one stopped, as through the networks of
    /// one pipeline; it begins anew otherwise.
    package var continuesNoise = false

    /// The steps of the whole process that come before the first one that is taken.
    var skippedSteps = 0
    /// How many steps of a batch are taken.
    var stepCount = StepCount()

    /// The number of samples.
    public var count: Int { request.count }

    /// What samples are kept in: float32 where the network computes in half precision.
    var sampleType: ElementType { elementType == .float64 ? .float64 : .float32 }

    /// What the output means where it is a prediction, which rescaled guidance acts on.
    var prediction: Prediction? {
        exactPrediction ?? process.parameterization.output as? Prediction
    }

    /// The branches of the model that are evaluated, in the order in which they pass through the network.
    var branches: [GuidanceBranch] {
        isGuided || guidance.method != nil ? guidance.branches : [.conditional]
    }
}
