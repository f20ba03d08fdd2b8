import Layers
import Storage

/// A family of published models that come as one file: a row with how its files are recognized, which networks are in
/// them under which names, and the configurations, tokenizers and index that files of this layout leave out.
///
/// A new family is a file with its rows, its test, and a row of `CheckpointFamily.allCases`.
public struct CheckpointFamily: Sendable {
    /// The networks of a file, each with its layout.
    package typealias Layouts = [(component: ModelComponent, layout: TensorLayout)]

    /// The name in reports.
    public let rawValue: String
    /// The class of diffusers that opens a folder of this family.
    package let pipeline: String
    /// What the pipeline's class has beside tokenizers and its schedule, by the names of the folder's parts.
    let parts: [String]
    /// The suffixes of the text encoders and tokenizers that the pipeline's class has.
    let texts: [String]
    /// What `model_index.json` says beside the parts.
    let settings: JSONObject
    /// What is known of a model's use beside its configurations, as its `langevin.json` has it.
    package let card: JSONObject
    /// What the names and shapes cannot show, in sentences.
    public let caveats: [String]
    /// Whether files of the family may hold marks (`CheckpointMarks`).
    let isMarked: Bool
    /// Whether models of the family predict noise or v, which only the weights show.
    let hasOpenPrediction: Bool
    /// The text encoders whose published tokenizer fills prompts up with "!" in place of the token that ends them.
    package let fillsWithExclamationMarks: Set<ModelComponent>
    /// How a file is recognized.
    let marks: FamilyMarks
    /// The networks of a file of these names, with the heads where a U-Net keeps queries, keys and values in one tensor:
    /// those of the published ones where `nil`.
    let networks: @Sendable (_ names: [String], _ heads: HeadSplit?) -> Layouts
    /// The published configurations of the components.
    let published: @Sendable (any TensorSource) -> [ModelComponent: JSONObject]

    init(
        _ name: String, pipeline: String, parts: [String], texts: [String] = [], settings: JSONObject = [:],
        card: JSONObject = [:], caveats: [String] = [], isMarked: Bool = false,
        hasOpenPrediction: Bool = false,
        fillsWithExclamationMarks: Set<ModelComponent> = [], marks: FamilyMarks,
        networks: @escaping @Sendable (_ names: [String], _ heads: HeadSplit?) -> Layouts,
        configurations: @escaping @Sendable (any TensorSource) -> [ModelComponent: JSONObject]
    ) {
        (rawValue, self.pipeline, self.parts, self.texts) = (name, pipeline, parts, texts)
        (self.settings, self.card, self.caveats, self.isMarked) = (settings, card, caveats, isMarked)
        (self.hasOpenPrediction, self.marks, self.networks) = (hasOpenPrediction, marks, networks)
        self.fillsWithExclamationMarks = fillsWithExclamationMarks
        published = configurations
    }
}

extension CheckpointFamily: RawRepresentable, CaseIterable, Codable, Hashable {
    /// Every family. A file is of the first whose marks it has.
    public static let allCases: [CheckpointFamily] = [
        stableDiffusion35Medium, stableDiffusion35Large, stableDiffusion3Medium, diffusionTransformer,
        latentDiffusionVQ4, latentDiffusionVQ8, upscaler4, stableDiffusionXL, stableDiffusionXLRefiner,
        stableDiffusion2, stableDiffusion2Inpainting, stableDiffusion1, stableDiffusion1Inpainting,
        guidedDiffusion, guidedDiffusionUpsampler, guidedDiffusionClassifier, glide, glideInpainting,
        glideUpsampler, glideInpaintingUpsampler, esrgan, swinIR,
    ]

    /// The family of a name, `nil` where there is none.
    public init?(rawValue name: String) {
        guard let found = CheckpointFamily.allCases.first(where: { $0.rawValue == name }) else { return nil }
        self = found
    }

    /// Families are the same where their names are.
    public static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }

    /// By the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

extension CheckpointFamily {
    /// The heads of latent diffusion's published U-Nets that keep queries, keys and values in one tensor.
    package static let heads = HeadSplit.width(32)

    /// The components of the family that have tensors, each with its layout in a file of these names; those
    /// that the file leaves out are left out.
    /// - Parameter heads: the heads where a U-Net keeps queries, keys and values in one tensor; those of the published
    ///   networks where `nil`.
    package func layouts(_ names: [String], heads: HeadSplit? = nil) -> Layouts {
        networks(names, heads)
    }

    /// The published configurations of the family's components, as their `config.json` and
    /// `scheduler_config.json` hold them, so that a single file needs nothing else.
    ///
    /// - Parameter source: the tensors of the file, from which the sizes of a diffusion transformer follow.
    public func configurations(_ source: any TensorSource) -> [ModelComponent: JSONObject] {
        published(source)
    }

    /// The classes of networks that diffusers does not have.
    private var ownClasses: Set<String> {
        ["ADMUNet2D", "GLIDEUNet2D", "ClassEmbedder", "UNetClassifier", "RRDBNet", "SwinIR"]
    }

    /// The `model_index.json` of the family for the components that there are; what its class has and the file has
    /// not is `[null, null]`. Every text encoder has its tokenizer.
    package func index(_ configurations: [ModelComponent: JSONObject]) throws -> JSONObject {
        var index = settings
        index["_class_name"] = .string(pipeline)
        index["_diffusers_version"] = "0.42.0"
        let expected = parts + texts.flatMap { ["text_encoder\($0)", "tokenizer\($0)"] }
        for name in expected { index[name] = [.null, .null] }
        for (component, object) in configurations {
            let className = try object.optional("_class_name", as: String.self)
            let architecture = try object.optional("architectures", as: [String].self)?.first
            let library =
                className.map { ownClasses.contains($0) ? "langevin" : "diffusers" } ?? "transformers"
            index[component.rawValue] = [.string(library), .string(className ?? architecture ?? "")]
            if let tokenizer = component.tokenizer { index[tokenizer] = ["transformers", "CLIPTokenizer"] }
        }
        return index
    }
}
