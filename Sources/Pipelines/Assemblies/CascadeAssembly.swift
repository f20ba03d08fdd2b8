import Networks
import Tensors

/// A family of models that diffuse pixels under a text, alone or as the stages of a cascade: the first draws small pictures,
/// each of the others enlarges what the one before it has made. What a family's pipelines do otherwise than others is a
/// requirement here; a family's file holds what it does.
/// Source: Ho et al. 2021 (arXiv:2106.15282), section 3; with texts: Saharia et al. 2022 (arXiv:2205.11487), section 2.
package protocol CascadeAssembly: StoredAssembly {
    /// Whether its models enlarge pictures.
    static var enlarges: Bool { get }
    /// The parts.
    var model: CascadeModel { get }

    /// What a request leaves out.
    func usual(_ task: CascadeTask) -> CascadeDefaults
    /// Height and width of the pictures that a reference is changed into.
    func size(of reference: Request.Size) throws -> Request.Size

    /// Checks the text encoder and its tokenizer; no weights are read.
    /// - Returns: the features of a token.
    func textWidth(_ encoding: TextEncoding) throws -> Int
    /// What the network attends to for each of some prompts, `[1, tokens, width]`.
    func contexts(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws -> [Tensor]
}

/// What the samples of a stage of a cascade begin with. One that enlarges is given the smaller picture beside them.
package enum CascadeTask: Equatable, Sendable {
    /// Noise alone.
    case text
    /// A picture with noise.
    case imageToImage
    /// A picture that has noise under a mask alone.
    case inpainting
}

/// What a request leaves to its model.
package struct CascadeDefaults: Sendable {
    var steps: Int
    var guidance: Double
    /// The share of the steps that are taken from a reference on; `nil` where all are.
    var strength: Double?
    /// The noise that is laid on the picture that is enlarged; `nil` where none is.
    var noiseLevel: Int?
}

extension CascadeAssembly {
    package var name: String { model.name }
    package var classCount: Int? { nil }
    package var takesPrompt: Bool { true }
    package var enlarges: Bool { model.enlarges }
    package var originals: OriginalUse { model.originals }

    package func stages(_ request: Request) throws -> [any Stage] { [try CascadeStage(self, request)] }

    package func stage(after earlier: StageSettings, _ request: Request) throws -> any Stage {
        guard model.enlarges else {
            throw PipelineError(
                "\(.following): \(name) enlarges no pictures, it draws its own: give a model that was made to enlarge"
            )
        }
        guard let shape = earlier.pictureShape else {
            throw PipelineError(
                "\(.following): \(earlier.model) makes points, and \(name) enlarges pictures: leave it out")
        }
        var request = request
        // Pictures of the right shape stand in for those that the earlier stage will make.
        request.reference = .latents(.zeros(Shape([1] + shape.extents)))
        return try CascadeStage(self, request, after: earlier)
    }

    package func bare() throws -> BareModel {
        throw PipelineError(
            "\(name) encodes its texts by a part that is opened for a run alone, and this is for models without one"
        )
    }
}
