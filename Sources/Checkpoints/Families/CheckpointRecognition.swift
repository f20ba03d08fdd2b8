import Layers
import Storage
import Tensors

/// What a file is, by the names and shapes of its tensors alone.
public enum CheckpointRecognition: Sendable, Equatable {
    case family(CheckpointFamily)
    /// None of the families, and why in one sentence.
    case unknown(reason: String)

    /// Recognizes the tensors of a file.
    public init(_ source: any TensorSource) {
        let tensors = TensorNames(source)
        let inputs = tensors.inputChannels
        let alike = CheckpointFamily.allCases.filter { $0.marks.match(tensors) }
        if let family = alike.first(where: { $0.marks.channels == nil || $0.marks.channels == inputs }) {
            self = .family(family)
        } else if let family = alike.first, let channels = family.marks.channels {
            let known = inputs == 8 ? "; 8 are those of InstructPix2Pix" : ""
            self = .unknown(
                reason: "it is like \(family.rawValue), but its U-Net takes \(inputs) channels instead of "
                    + "\(channels)\(known)")
        } else {
            self = .unknown(reason: tensors.reason)
        }
    }
}

/// The names and shapes of a file, as recognition needs them.
struct TensorNames {
    private static let unet = "model.diffusion_model."
    private let source: any TensorSource
    let all: [String]
    private let names: Set<String>

    init(_ source: any TensorSource) {
        self.source = source
        all = source.names
        names = Set(all)
    }

    func has(_ name: String) -> Bool { names.contains(name) }
    func hasAny(_ prefix: String) -> Bool { all.contains { $0.hasPrefix(prefix) } }
    func hasAny(ending suffix: String) -> Bool { all.contains { $0.hasSuffix(suffix) } }

    /// An extent of a tensor, nil where there is no such tensor or dimension.
    func extent(_ name: String, _ dimension: Int) -> Int? {
        source.shape(of: name).flatMap { $0.rank > dimension ? $0[dimension] : nil }
    }

    // MARK: U-Nets of the latent-diffusion code

    /// The channels that the U-Net takes.
    var inputChannels: Int { extent("model.diffusion_model.input_blocks.0.0.weight", 1) ?? 0 }

    /// Whether there is a U-Net that makes single pictures.
    var hasUNet: Bool { has("model.diffusion_model.input_blocks.0.0.weight") && !hasLayersOverTime }

    private var hasLayersOverTime: Bool {
        hasAny(ending: "time_stack.0.in_layers.0.weight")
            || hasAny(ending: "time_mix_blocks.0.norm_in.weight")
    }

    /// Whether the latents are those of a quantised autoencoder.
    var isQuantised: Bool { has("first_stage_model.quantize.embedding.weight") }

    /// The resolutions of the autoencoder.
    var autoencoderLevels: Int { CompVisAutoencoder(all, prefix: "first_stage_model.")?.levels ?? 0 }

    /// Whether labels of noise levels are embedded by a table.
    var hasLabelTable: Bool { has("model.diffusion_model.label_emb.weight") }

    /// Whether a U-Net attends to a text of these marks.
    func attend(to context: ContextMarks) -> Bool {
        guard hasUNet, !isQuantised, !hasLabelTable else { return false }
        let encoders = CheckpointFamily.allCases.compactMap(\.marks.context).first { known in
            known.prefixes.contains { hasAny($0) }
        }
        if let encoders { return encoders.prefixes == context.prefixes }
        let key = all.first { $0.hasPrefix(Self.unet) && $0.hasSuffix("attn2.to_k.weight") }
        return key.flatMap { extent($0, 1) } == context.width
            && has("model.diffusion_model.label_emb.0.0.weight") == context.isLabelled
    }

    // MARK: Others

    /// What the file is where it is of no family.
    var reason: String {
        let hasClasses = has("cond_stage_model.embedding.weight")
        let kinds: [(Bool, String)] = [
            (
                hasLayersOverTime && has("model.diffusion_model.input_blocks.0.0.weight"),
                "its U-Net has layers over time: it makes videos"
            ),
            (
                hasUNet && isQuantised,
                "it is a latent-diffusion model whose autoencoder has \(autoencoderLevels) levels, "
                    + (hasClasses ? "conditioned on classes" : "not conditioned on classes")
            ),
            (hasUNet, "it has a U-Net, and no text encoder or width of context that is known"),
            (all.isEmpty, "it holds no tensors"),
            (
                hasAny("lora_unet_") || hasAny("lora_te") || hasAny(ending: ".lora_A.weight"),
                "it holds low-rank changes to a model (LoRA), and no model"
            ),
            (
                hasAny("control_model.") || hasAny("controlnet_cond_embedding."),
                "it is a ControlNet, which goes with a model ('generate --controlnet')"
            ),
            (
                hasAny("double_blocks.0.") || hasAny("model.diffusion_model.double_blocks.0."),
                "it is a model of the Flux kind"
            ),
            (
                has("conv_in.weight") && hasAny("down_blocks.0.") || hasAny("transformer_blocks.0."),
                "it is one network of a diffusers folder; give the folder"
            ),
            (
                hasAny("encoder.down.0.") || hasAny("encoder.down_blocks.0.") || hasAny("first_stage_model."),
                "it holds an autoencoder and no denoising network"
            ),
            (
                hasAny("text_model.") || hasAny("encoder.block.0.layer.") || hasAny("text_encoders."),
                "it holds a text encoder and no denoising network"
            ),
        ]
        if let known = kinds.first(where: \.0) { return known.1 }
        return "its names are those of no known family: \(listed(Array(all.prefix(3)))), …"
    }
}
