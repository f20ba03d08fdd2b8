/// By what a file is recognized as one of a family.
struct FamilyMarks: Sendable {
    /// Whether the networks of a file are those of the family, the channels of a U-Net aside.
    let match: @Sendable (TensorNames) -> Bool
    /// The channels that a U-Net of the family takes; `nil` where the family has none, or one alone is possible.
    let channels: Int?
    /// The text that the family's U-Nets attend to; `nil` where they are recognized otherwise.
    let context: ContextMarks?

    /// By the names and shapes of tensors.
    static func tensors(channels: Int? = nil, _ match: @escaping @Sendable (TensorNames) -> Bool) -> Self {
        FamilyMarks(match: match, channels: channels, context: nil)
    }

    /// By the encoded text that a U-Net of the latent-diffusion code attends to, and the channels that it takes.
    static func text(_ context: ContextMarks, channels: Int) -> Self {
        FamilyMarks(match: { $0.attend(to: context) }, channels: channels, context: context)
    }
}

/// The encoded text that a U-Net attends to: by the text encoder in the file, else by the width of its keys.
struct ContextMarks: Sendable {
    /// With what the names of the text encoder begin.
    let prefixes: [String]
    /// The width of the keys' input.
    let width: Int
    /// Whether labels of sizes are embedded beside the time.
    var isLabelled = false
}
