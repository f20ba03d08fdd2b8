import Networks

extension Recipe {
    /// The network: its kind, whether it is told the class, and the keys of that kind's configuration.
    public struct ModelSection: Codable, Equatable, Sendable {
        /// Whether the network is told the class of a picture.
        public var classConditional = false
        /// The network and its configuration.
        public var network = Network.unet2D(UNet2DConfiguration())

        /// A kind of network with its configuration.
        public enum Network: Equatable, Sendable {
            /// The U-Net of DDPM under diffusers' `UNet2DModel` names.
            case unet2D(UNet2DConfiguration)
            /// The small ConvNeXt U-Net of "The Annotated Diffusion Model".
            case annotated(AnnotatedUNetConfiguration)
        }

        /// The word for a kind of network in a recipe.
        public enum Kind: String, RecipeChoice {
            /// `Network.unet2D`.
            case unet2d
            /// `Network.annotated`.
            case annotated
        }

        /// A network of `kind` with every default.
        public init(_ kind: Kind = .unet2d) {
            switch kind {
            case .unet2d: network = .unet2D(UNet2DConfiguration())
            case .annotated: network = .annotated(AnnotatedUNetConfiguration())
            }
        }

        /// Which kind of network it is.
        public var kind: Kind {
            switch network {
            case .unet2D: .unet2d
            case .annotated: .annotated
            }
        }

        enum CodingKeys: String, CodingKey {
            case kind
            case classConditional = "class_conditional"
        }

        /// Reads `kind` and `class_conditional`, then the rest of the section as that kind's configuration.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            classConditional = try container.decode(Bool.self, forKey: .classConditional)
            switch try container.decode(Kind.self, forKey: .kind) {
            case .unet2d: network = .unet2D(try UNet2DConfiguration(from: decoder))
            case .annotated: network = .annotated(try AnnotatedUNetConfiguration(from: decoder))
            }
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(kind, forKey: .kind)
            try container.encode(classConditional, forKey: .classConditional)
            switch network {
            case .unet2D(let settings): try settings.encode(to: encoder)
            case .annotated(let settings): try settings.encode(to: encoder)
            }
        }
    }
}
