import Networks
import Yams

extension Recipe {
    /// The network, what it is conditioned on, and where its weights begin.
    public struct ModelSection: Equatable, Sendable {
        /// What the network is conditioned on.
        public var conditioning = Conditioning.none
        /// The model whose weights training begins from; random ones where absent.
        public var from: String?
        /// The model, or the folder of its autoencoder, whose latents are learnt; the data themselves where absent.
        public var autoencoder: String?
        /// The folder of a text encoder, which stays as it is, or `trained` for one that is trained along.
        public var textEncoder: String?
        /// Features of a token of a text encoder that is trained along.
        public var textWidth: Int?
        /// Layers of a text encoder that is trained along.
        public var textLayers: Int?
        /// The most tokens of a text; where absent, what the longest caption needs.
        public var textTokens: Int?
        /// The CLIP, which stays as it is, of whose embeddings priors and decoders of embeddings learn.
        public var clip: String?
        /// Part of the examples whose text is hidden from such a model.
        public var textDropout: Double?
        /// The network and its configuration.
        public var network: RecipeNetwork

        /// What a network is conditioned on.
        public enum Conditioning: String, RecipeChoice, CaseIterable {
            case none
            case classes = "class"
            case text
        }

        /// A network with every default.
        public init(_ kind: ModelKind = ModelKind(UNet2D.self)) {
            network = RecipeNetwork(kind)
        }

        /// Which kind of model it is.
        public var kind: ModelKind { network.kind }
    }
}

extension Recipe.ModelSection {
    /// The value of `text_encoder` for an encoder that is trained along.
    public static let trained = "trained"

    static let keys: [RecipeKey] = [
        // Read before the keys of the network's own configuration.
        RecipeKey(
            "model.kind", \.modelKind, .choice, "The model; its own configuration's keys follow."),
        RecipeKey(
            "model.conditioning", \.model.conditioning, .choice,
            "What the network is conditioned on: nothing, the class, or a text."),
        RecipeKey(
            older: "model.class_conditional", wanted: "true or false",
            "An older way to write conditioning: true is class, false is none."
        ) { node, recipe in
            guard node.tag == Tag(.bool), let isClass = node.scalar.flatMap(Bool.construct(from:)) else {
                return false
            }
            recipe.model.conditioning = isClass ? .classes : .none
            return true
        },
        RecipeKey(
            "model.from", \.model.from, .optional(.text("the path of a model")),
            changeable: "a continued run has weights of its own",
            "The model whose weights training begins from; random ones by default."),
        RecipeKey(
            "model.autoencoder", \.model.autoencoder,
            .optional(.text("the path of a model of latents, or of an autoencoder's folder")),
            "The autoencoder, which stays as it is, whose latents are learnt: a model that has one, or its folder; by default the data themselves are learnt."
        ),
        RecipeKey(
            "model.text_encoder", \.model.textEncoder,
            .text("trained, or the path of a text encoder's folder"),
            of: .conditioning, ["text": trained],
            "The folder of a text encoder, which stays as it is, or trained for one that is trained along."),
        RecipeKey(
            "model.text_width", \.model.textWidth, .whole(8...4096), of: .textEncoder, [trained: 64],
            "Features of a token of a text encoder that is trained along."),
        RecipeKey(
            "model.text_layers", \.model.textLayers, .whole(1...64), of: .textEncoder, [trained: 2],
            "Layers of a text encoder that is trained along."),
        RecipeKey(
            "model.text_tokens", \.model.textTokens, .optional(.whole(3...77)),
            "The most tokens of a text, start and end included; by default what the longest caption needs."),
        RecipeKey(
            "model.clip", \.model.clip, .optional(.text("a run of model.kind clip, or a folder of a CLIP")),
            "The CLIP, which stays as it is, of whose embeddings unCLIP's priors and decoder learn: a run of model.kind clip, or a folder in the layout of transformers."
        ),
        RecipeKey(
            "model.text_dropout", \.model.textDropout, .number(0...1), of: .kind,
            ["unclip-decoder": 0.5, "autoregressive-prior": 0.1],
            "Part of the examples whose text is hidden; diffusion.condition_dropout hides the picture's embedding from a decoder, and the text from a diffusion prior."
        ),
    ]

}

extension Recipe {
    /// The kind of model. A change of it leaves every other key of the network, and a loss that it does not have, to their
    /// defaults.
    public var modelKind: ModelKind {
        get { model.kind }
        set {
            if newValue != model.kind { model.network = RecipeNetwork(newValue) }
            if !newValue.objectives.contains(objective.kind) { objective.kind = newValue.objectives[0] }
        }
    }
}

extension RecipeKey.Owner {
    fileprivate static let kind = Self("model.kind") { $0.model.kind.word }
    fileprivate static let textEncoder = Self("model.text_encoder") { recipe in
        recipe.model.textEncoder.map { $0 == Recipe.ModelSection.trained ? $0 : "a folder" }
    }
}
