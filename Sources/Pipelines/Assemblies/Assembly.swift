import Checkpoints
import Diffusion
import Networks
import Storage
import Tensors

/// A family of models that draw samples: everything that sets it apart from the others stands in the file of its type.
package protocol Assembly: Sendable {
    /// A short name of the model, for messages and receipts.
    var name: String { get }
    /// The number of classes that a request can name; `nil` where there are none.
    var classCount: Int? { get }
    /// Whether it is conditioned on texts.
    var takesPrompt: Bool { get }
    /// Whether it makes a larger picture of the one that a request refers to.
    var enlarges: Bool { get }

    /// What a model that enlarges makes of the picture that an earlier stage began with.
    var originals: OriginalUse { get }
    /// Whether its network is given a picture of which a part is made anew.
    var inpaints: Bool { get }

    /// What makes the samples of a request, in the order of a run.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    func stages(_ request: Request) throws -> [any Stage]

    /// What makes larger pictures of those of an earlier stage.
    /// - Throws: `PipelineError` where it enlarges none, or not these.
    func stage(after earlier: StageSettings, _ request: Request) throws -> any Stage

    /// The number of classes that it tells apart as a classifier of noisy samples; `nil` where it is none.
    var classifiedCount: Int? { get }

    /// The model as a classifier of another's noisy samples.
    /// - Parameters:
    ///   - shape: the shape of a sample.
    ///   - labels: the class of each picture.
    ///   - sampler: the steps of the other model.
    ///   - process: the process of the other model.
    /// - Throws: `PipelineError` where it classifies no such samples.
    func classifier(of shape: Shape, labels: [Int], sampler: Sampler, process: Process) throws
        -> NoiseClassifier

    /// The model as a judge of how alike texts and another's noisy samples are.
    /// - Parameters:
    ///   - prompts: the text of each picture.
    ///   - shape: the shape of a sample.
    ///   - sampler: the steps of the other model.
    ///   - process: the process of the other model.
    /// - Throws: `PipelineError` where it compares no texts with such samples.
    func similarity(to prompts: [String], of shape: Shape, sampler: Sampler, process: Process) throws
        -> NoisySimilarity

    /// The model without a run around it.
    /// - Throws: `PipelineError` where it has no denoiser of data, or needs conditions that cannot be given so.
    func bare() throws -> BareModel
}

/// Whether a model that enlarges can begin with the picture that was changed into the smaller one, in place of noise.
package enum OriginalUse: Sendable {
    /// It cannot.
    case unread
    /// Where a request says so.
    case onRequest
    /// Wherever there is one.
    case always
}

extension Assembly {
    package func bare() throws -> BareModel {
        throw PipelineError(
            "\(name) diffuses latents, and this is for models of pixels, of points, and exact ones")
    }

    package func stage(after earlier: StageSettings, _ request: Request) throws -> any Stage {
        throw PipelineError(
            "\(.following): \(name) does not go on with the pictures of another model: give one that enlarges pictures"
        )
    }

    package var classifiedCount: Int? { nil }
    package var enlarges: Bool { false }
    package var originals: OriginalUse { .unread }
    package var inpaints: Bool { false }

    package func classifier(of shape: Shape, labels: [Int], sampler: Sampler, process: Process) throws
        -> NoiseClassifier
    {
        throw PipelineError("\(.classifier): \(name) is no classifier of noisy samples")
    }

    package func similarity(to prompts: [String], of shape: Shape, sampler: Sampler, process: Process) throws
        -> NoisySimilarity
    {
        throw PipelineError("\(.noisyCLIP): \(name) is no CLIP that knows noise")
    }
}

/// A family that is kept in folders of the diffusers layout or in single files.
package protocol StoredAssembly: Assembly {
    /// diffusers' classes of this family. What is done with a model (image to image, inpainting) is the request's matter,
    /// so they are all one.
    static var classNames: [String] { get }
    /// The word for the family in what `inspect` prints.
    static var family: String { get }
    /// The part that denoises.
    static var networkComponent: ModelComponent { get }

    /// Opens a model.
    /// - Throws: an error that names the file and the key, one sentence.
    init(_ source: ModelSource, _ options: ModelOptions) throws
}

/// The families that are known; a new one is a file with its type, and a row here.
package enum Assemblies {
    /// The rows.
    package static let all: [any StoredAssembly.Type] = [
        PixelAssembly.self, StableDiffusion.self, LatentConsistency.self, StableDiffusionXL.self,
        StableDiffusion3.self, StableDiffusionUpscaler.self, StableDiffusionDepth.self, DeepFloyd.self,
        DeepFloydUpscaler.self, UnCLIP.self, UnCLIPPrior.self, StableUnCLIP.self, LatentTextDiffusion.self,
        LatentDiffusion.self, LatentSuperResolution.self,
        DiffusionTransformer.self, TextTransformer.self, NoisyClassification.self, NoisyContrast.self,
        PictureUpscaling.self,
    ]

    /// The family that a network becomes a model of when it is trained on latents, and what its index says beside its
    /// parts; `nil` where there is none.
    package static func trained(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> (
        family: any LatentAssembly.Type, index: JSONObject
    )? {
        for case let family as any LatentAssembly.Type in all {
            if let index = family.trainedIndex(network, card, isText: isText) { return (family, index) }
        }
        return nil
    }

    /// Every class that can be sampled.
    static var classNames: [String] { all.flatMap { $0.classNames } }

    /// The family of a class of diffusers, `nil` where it is not known.
    static func named(_ className: String) -> (any StoredAssembly.Type)? {
        all.first { $0.classNames.contains(className) }
    }
}

extension StoredAssembly {
    package static var networkComponent: ModelComponent { .unet }

    /// diffusers' classes of one family: from a text, from a picture, and for inpainting.
    static func tasks(_ name: String) -> [String] {
        ["", "Img2Img", "Inpaint"].map { "\(name)\($0)Pipeline" }
    }
}
