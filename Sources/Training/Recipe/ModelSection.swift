extension Recipe {
    /// The network: its kind, whether it is told the class, and the keys of that kind's configuration.
    public struct ModelSection: Codable, Hashable, Sendable {
        /// Whether the network is told the class of a picture.
        public var classConditional = false
        /// The network and its configuration.
        public var network = Network.unet2D(UNet2DSettings())

        /// A kind of network with its configuration.
        public enum Network: Hashable, Sendable {
            /// The U-Net of DDPM under diffusers' `UNet2DModel` names.
            case unet2D(UNet2DSettings)
            /// The small ConvNeXt U-Net of "The Annotated Diffusion Model".
            case annotated(AnnotatedSettings)
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
            case .unet2d: network = .unet2D(UNet2DSettings())
            case .annotated: network = .annotated(AnnotatedSettings())
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
            case .unet2d: network = .unet2D(try UNet2DSettings(from: decoder))
            case .annotated: network = .annotated(try AnnotatedSettings(from: decoder))
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

    /// The configuration of `UNet2DModel` under diffusers' keys and with diffusers' defaults.
    public struct UNet2DSettings: Codable, Hashable, Sendable {
        /// Side of the pictures in pixels; any that the levels divide where absent.
        public var sampleSize: Int?
        /// Channels of the input.
        public var inChannels = 3
        /// Channels of the output.
        public var outChannels = 3
        /// Whether the input is mapped from 0…1 to −1…1 first.
        public var centerInputSample = false
        /// How the time is embedded.
        public var timeEmbeddingType = TimeEmbedding.positional
        /// Shift of the frequencies' denominator in the positional embedding.
        public var freqShift = 0.0
        /// Whether the cosines stand before the sines.
        public var flipSinToCos = true
        /// Blocks on the way down, one a level.
        public var downBlockTypes = [
            "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
        ]
        /// Blocks on the way up, one a level.
        public var upBlockTypes = ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"]
        /// Channels of each level.
        public var blockOutChannels = [224, 448, 672, 896]
        /// Residual blocks a level.
        public var layersPerBlock = 2
        /// Factor that the middle block's sums are divided by.
        public var midBlockScaleFactor = 1.0
        /// Padding of the strided convolutions (1, or 0 for the lopsided one of DDPM).
        public var downsamplePadding = 1
        /// Dropout in the residual blocks.
        public var dropout = 0.0
        /// Activation.
        public var actFn = "silu"
        /// Channels of an attention head; one head where absent.
        public var attentionHeadDim: Int? = 8
        /// Groups of the normalisations.
        public var normNumGroups = 32
        /// Epsilon of the normalisations.
        public var normEps = 1e-5
        /// How the time enters a residual block: `default` adds, `scale_shift` scales and shifts.
        public var resnetTimeScaleShift = TimeScaleShift.default
        /// Whether the middle block has attention.
        public var addAttention = true

        /// How time is embedded.
        public enum TimeEmbedding: String, RecipeChoice { case positional, fourier }
        /// How time enters a residual block.
        public enum TimeScaleShift: String, RecipeChoice {
            case `default`
            case scaleShift = "scale_shift"
        }

        /// diffusers' defaults.
        public init() {}

        enum CodingKeys: String, CodingKey {
            case sampleSize = "sample_size"
            case inChannels = "in_channels"
            case outChannels = "out_channels"
            case centerInputSample = "center_input_sample"
            case timeEmbeddingType = "time_embedding_type"
            case freqShift = "freq_shift"
            case flipSinToCos = "flip_sin_to_cos"
            case downBlockTypes = "down_block_types"
            case upBlockTypes = "up_block_types"
            case blockOutChannels = "block_out_channels"
            case layersPerBlock = "layers_per_block"
            case midBlockScaleFactor = "mid_block_scale_factor"
            case downsamplePadding = "downsample_padding"
            case dropout
            case actFn = "act_fn"
            case attentionHeadDim = "attention_head_dim"
            case normNumGroups = "norm_num_groups"
            case normEps = "norm_eps"
            case resnetTimeScaleShift = "resnet_time_scale_shift"
            case addAttention = "add_attention"
        }
    }

    /// The configuration of the annotated ConvNeXt U-Net.
    public struct AnnotatedSettings: Codable, Hashable, Sendable {
        /// Channels of the first level, of which the others are multiples.
        public var dim = 28
        /// Channels of each level as a multiple of `dim`.
        public var dimMults = [1, 2, 4]
        /// Channels of the pictures.
        public var channels = 1

        /// The defaults of the published notebook.
        public init() {}

        enum CodingKeys: String, CodingKey {
            case dim
            case dimMults = "dim_mults"
            case channels
        }
    }
}

extension Recipe.ModelSection {
    /// What the values of this network's configuration must fulfil.
    package var rules: [Rule] {
        switch network {
        case .unet2D(let unet): Self.rules(of: unet)
        case .annotated(let annotated): Self.rules(of: annotated)
        }
    }

    private static func rules(of unet: Recipe.UNet2DSettings) -> [Rule] {
        let levels = unet.blockOutChannels.count
        let down = ["DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"]
        let up = ["UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"]
        return [
            .optional("model.sample_size", 1...8192) { _ in unet.sampleSize },
            .whole("model.in_channels", 1...1024) { _ in unet.inChannels },
            .whole("model.out_channels", 1...1024) { _ in unet.outChannels },
            .number("model.freq_shift", -1...1) { _ in unet.freqShift },
            .wholes("model.block_out_channels", count: 1...12, 1...16_384) { _ in unet.blockOutChannels },
            Rule("model.down_block_types", "\(levels) of \(down.joined(separator: ", ")), one a level") { _ in
                unet.downBlockTypes.count == levels && unet.downBlockTypes.allSatisfy(down.contains)
            },
            Rule("model.up_block_types", "\(levels) of \(up.joined(separator: ", ")), one a level") { _ in
                unet.upBlockTypes.count == levels && unet.upBlockTypes.allSatisfy(up.contains)
            },
            .whole("model.layers_per_block", 1...64) { _ in unet.layersPerBlock },
            .number("model.mid_block_scale_factor", 1e-3...1e3) { _ in unet.midBlockScaleFactor },
            .whole("model.downsample_padding", 0...1) { _ in unet.downsamplePadding },
            .number("model.dropout", 0...0.999) { _ in unet.dropout },
            Rule("model.act_fn", "one of silu, swish, mish, gelu, relu") { _ in
                ["silu", "swish", "mish", "gelu", "relu"].contains(unet.actFn)
            },
            .optional("model.attention_head_dim", 1...16_384) { _ in unet.attentionHeadDim },
            .whole("model.norm_num_groups", 1...16_384) { _ in unet.normNumGroups },
            Rule("model.norm_num_groups", "a number that divides every one of model.block_out_channels") { _ in
                unet.blockOutChannels.allSatisfy { $0.isMultiple(of: unet.normNumGroups) }
            },
            .number("model.norm_eps", 1e-20...1) { _ in unet.normEps },
        ]
    }

    private static func rules(of annotated: Recipe.AnnotatedSettings) -> [Rule] {
        [
            .whole("model.dim", 8...4096) { _ in annotated.dim },
            .wholes("model.dim_mults", count: 1...12, 1...64) { _ in annotated.dimMults },
            .whole("model.channels", 1...1024) { _ in annotated.channels },
        ]
    }
}
