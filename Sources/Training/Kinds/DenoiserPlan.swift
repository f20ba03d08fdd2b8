import Datasets
import Networks
import Tensors

/// What stands beside a recipe's network: the autoencoder among whose latents it works, and the text encoder or the table
/// of classes that it is conditioned by.
struct DenoiserPlan {
    /// The autoencoder; `nil` where the network sees the data themselves.
    let latents: LatentPlan?
    /// The text encoder; `nil` where nothing is conditioned on text.
    let text: TextPlan?
    /// Rows of a table of classes that the network attends to, the one that stands for none included; `nil` where classes
    /// are embedded in the network, or there are none.
    let classTokens: Int?
    /// The shape of what the network denoises.
    let sample: Shape

    /// Features of a class token where the recipe does not give them: those of the published table.
    static let classTokenWidth = ClassEmbedderConfiguration().width

    /// The plan of a recipe whose defaults are filled in.
    /// - Throws: `RecipeError`, or an error about a file.
    init(_ recipe: Recipe, _ data: any Dataset) throws {
        latents = try LatentPlan(recipe, data)
        text = try TextPlan(recipe.model, captions: data.captions)
        sample = latents?.sample(of: data.exampleShape) ?? data.exampleShape
        let traits = recipe.model.network.configuration.traits
        let attends = traits.context != nil && traits.pooled == nil
        let hasTokens = latents != nil && recipe.model.conditioning == .classes && attends
        classTokens = hasTokens ? data.classCount.map { $0 + 1 } : nil
    }

    /// The table of classes of a network that attends to it.
    func classTable(of network: NetworkTraits) -> ClassEmbedderConfiguration? {
        classTokens.map {
            ClassEmbedderConfiguration(classes: $0, width: network.context?.width ?? Self.classTokenWidth)
        }
    }
}
