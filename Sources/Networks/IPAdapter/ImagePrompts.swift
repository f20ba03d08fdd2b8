import Layers
import Tensors

/// What the layers of a U-Net that attend to a text attend to beside it, each by an attention of its own whose answer is added: keys
/// and values of pictures, as IP-Adapters make them once a run.
/// Source: Ye et al. 2023 (arXiv:2308.06721), section 3.2.2, equation 5.
public struct ImagePrompts: ConditionPart {
    /// What one adapter makes of its pictures.
    public struct Prompt: Sendable {
        /// Keys and values by the names of the layers, `[batch, tokens, width]`.
        var projections: ContextProjections

        /// Keys and values, layer by layer.
        public var tensors: [Tensor] { projections.tensors }
    }

    /// In the order in which they are added.
    public var prompts: [Prompt]

    /// Prompts of several adapters.
    public init(_ prompts: [Prompt]) { self.prompts = prompts }

    /// What a layer attends to.
    func seen(by layer: String) -> [ContextProjection] { prompts.compactMap { $0.projections[layer] } }

    /// Keys and values, prompt by prompt.
    public var tensors: [Tensor] { prompts.flatMap(\.tensors) }

    /// The same with every tensor passed through a function.
    public func map(_ transform: (Tensor) -> Tensor) -> ImagePrompts {
        ImagePrompts(prompts.map { Prompt(projections: $0.projections.map(transform)) })
    }

    /// These prompts and, in the rows after them, those of another branch.
    public func followed(by other: ImagePrompts) -> ImagePrompts {
        ImagePrompts(
            zip(prompts, other.prompts).map {
                Prompt(projections: $0.projections.followed(by: $1.projections))
            })
    }
}

extension Conditions.Key where Part == ImagePrompts {
    /// What attention to a text attends to beside it.
    public static var imagePrompts: Self { Self("image prompts") }
}

extension UNet2DConditionConfiguration {
    /// The layers that attend to a text, in the order in which IP-Adapters number them: the way down, the way up, the middle.
    /// - Returns: their names, and the shapes of the matrices of their keys.
    /// - Throws: `NetworkError` where the configuration describes no network.
    package func textLayers() throws -> [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly)
        let body = try store.build { try UNet2DCondition(self, $0) }.body
        let attentions =
            body.down.flatMap(\.attentions) + body.up.flatMap(\.attentions)
            + [body.middle?.attention].compactMap(\.self)
        return attentions.flatMap(\.transformerBlocks).map { block in
            let name = block.attention2.name
            return (name, store["\(name).to_k.weight"]!.shape)
        }
    }
}

extension BlockAttention {
    fileprivate var transformerBlocks: [ContextTransformerBlock] {
        if case .transformer(let transformer) = self { transformer.blocks } else { [] }
    }
}
