import Networks

/// A network of a recipe: its word, its type, and which keys of its configuration the data decide.
public struct NetworkKind: RecipeRow {
    /// The word in a recipe.
    public let word: String
    /// What it is.
    let documentation: String
    /// The type that is built.
    let type: any ConfiguredNetwork.Type
    /// The keys that the data decide where they are left unset.
    let dataKeys: DataKeys

    /// Keys of a configuration by what they hold; nil where the network has no such key.
    struct DataKeys: Sendable {
        /// Channels of the noisy example.
        var input: String
        /// Channels of the output.
        var output: String
        /// Side of the pictures.
        var size: String?
        /// Number of classes.
        var classes: String?
        /// Features of a token of text.
        var context: String?
        /// Features of the text as a whole.
        var pooled: String?

        var all: [String] { [input, output, size, classes, context, pooled].compactMap(\.self) }
    }

    /// Every network.
    public static let choices = [unet2D, annotated, unet2DCondition, dit, mmdit]

    /// The classes of diffusers.
    public static let synonyms = Dictionary(
        uniqueKeysWithValues: choices.map { ($0.type.className, $0) })

    /// The U-Net of DDPM under diffusers' `UNet2DModel` names.
    public static let unet2D = NetworkKind(
        word: "unet2d", documentation: "the U-Net of DDPM", type: UNet2D.self,
        dataKeys: DataKeys(
            input: "in_channels", output: "out_channels", size: "sample_size", classes: "num_class_embeds"))
    /// The small ConvNeXt U-Net of "The Annotated Diffusion Model".
    public static let annotated = NetworkKind(
        word: "annotated", documentation: "the ConvNeXt U-Net of the annotated diffusion article",
        type: AnnotatedUNet.self, dataKeys: DataKeys(input: "channels", output: "out_dim"))
    /// The U-Net that attends to a text, under diffusers' `UNet2DConditionModel` names.
    public static let unet2DCondition = NetworkKind(
        word: "unet2d-condition", documentation: "the U-Net that attends to a text",
        type: UNet2DCondition.self,
        dataKeys: DataKeys(
            input: "in_channels", output: "out_channels", size: "sample_size", classes: "num_class_embeds",
            context: "cross_attention_dim"))
    /// The transformer of classes.
    public static let dit = NetworkKind(
        word: "dit", documentation: "the transformer of classes", type: DiT.self,
        dataKeys: DataKeys(
            input: "in_channels", output: "out_channels", size: "sample_size", classes: "num_embeds_ada_norm"
        ))
    /// The transformer of pictures and text.
    public static let mmdit = NetworkKind(
        word: "mmdit", documentation: "the transformer of pictures and text", type: MMDiT.self,
        dataKeys: DataKeys(
            input: "in_channels", output: "out_channels", size: "sample_size",
            context: "joint_attention_dim", pooled: "pooled_projection_dim"))
}
