import Layers
import Storage
import Tensors

/// What a file is, told by the names and shapes of its tensors alone.
public enum CheckpointRecognition: Sendable, Equatable {
    case family(CheckpointFamily)
    /// None of the families, and why in one sentence.
    case unknown(reason: String)

    /// Recognises the tensors of a file.
    public init(_ source: any TensorSource) {
        let tensors = TensorNames(source)
        if let transformer = tensors.transformer {
            self = transformer
        } else if tensors.has("model.diffusion_model.input_blocks.0.0.weight") {
            self = tensors.compVis
        } else {
            self = .unknown(reason: tensors.reason)
        }
    }
}

/// The names of a file, as recognition asks about them.
private struct TensorNames {
    private let source: any TensorSource
    private let all: [String]
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

    // MARK: Transformers

    var transformer: CheckpointRecognition? {
        if hasAny("model.diffusion_model.joint_blocks.0.") || hasAny("joint_blocks.0.") {
            if hasAny(ending: "x_block.attn2.qkv.weight") { return .family(.stableDiffusion35Medium) }
            return .family(
                hasAny(ending: "x_block.attn.ln_q.weight") ? .stableDiffusion35Large : .stableDiffusion3Medium
            )
        }
        if has("blocks.0.adaLN_modulation.1.weight"), has("y_embedder.embedding_table.weight"),
            has("x_embedder.proj.weight")
        {
            return .family(.diffusionTransformer)
        }
        return nil
    }

    // MARK: U-Nets

    var compVis: CheckpointRecognition {
        let inputs = extent("model.diffusion_model.input_blocks.0.0.weight", 1) ?? 0
        if hasAny(ending: "time_stack.0.in_layers.0.weight")
            || hasAny(ending: "time_mix_blocks.0.norm_in.weight")
        {
            return .unknown(reason: "its U-Net has layers over time: it makes videos")
        }
        if has("first_stage_model.quantize.embedding.weight") { return latentDiffusion }
        if has("model.diffusion_model.label_emb.weight") { return only(.upscaler4, 7, inputs) }
        switch conditioning {
        case .clip:
            return inputs == 9 ? .family(.stableDiffusion1Inpainting) : only(.stableDiffusion1, 4, inputs)
        case .openCLIP:
            return inputs == 9 ? .family(.stableDiffusion2Inpainting) : only(.stableDiffusion2, 4, inputs)
        case .both: return only(.stableDiffusionXL, 4, inputs)
        case .bigOpenCLIP: return only(.stableDiffusionXLRefiner, 4, inputs)
        case nil:
            return .unknown(reason: "it has a U-Net, and no text encoder or width of context that is known")
        }
    }

    private func only(_ family: CheckpointFamily, _ needed: Int, _ inputs: Int) -> CheckpointRecognition {
        guard inputs != needed else { return .family(family) }
        let known = inputs == 8 ? "; 8 are those of InstructPix2Pix" : ""
        return .unknown(
            reason: "it is like \(family.rawValue), but its U-Net takes \(inputs) channels instead of "
                + "\(needed)\(known)")
    }

    private enum Conditioning { case clip, openCLIP, both, bigOpenCLIP }

    /// Whose states the U-Net attends to: by the text encoders in the file, else by the width of its keys.
    private var conditioning: Conditioning? {
        if hasAny("conditioner.embedders.1.model.") { return .both }
        if hasAny("conditioner.embedders.0.model.") { return .bigOpenCLIP }
        if hasAny("cond_stage_model.model.") { return .openCLIP }
        if hasAny("cond_stage_model.transformer.text_model.")
            || hasAny("cond_stage_model.transformer.embeddings.")
        {
            return .clip
        }
        let key = all.first { $0.hasPrefix("model.diffusion_model.") && $0.hasSuffix("attn2.to_k.weight") }
        let isLabelled = has("model.diffusion_model.label_emb.0.0.weight")
        switch (key.flatMap { extent($0, 1) }, isLabelled) {
        case (768, false): return .clip
        case (1024, false): return .openCLIP
        case (2048, true): return .both
        case (1280, true): return .bigOpenCLIP
        default: return nil
        }
    }

    private var latentDiffusion: CheckpointRecognition {
        let levels = CompVisAutoencoder(all, prefix: "first_stage_model.")?.levels ?? 0
        let hasClasses = has("cond_stage_model.embedding.weight")
        switch (levels, hasClasses) {
        case (3, false) where !hasAny("cond_stage_model."): return .family(.latentDiffusionVQ4)
        case (4, true): return .family(.latentDiffusionVQ8)
        default:
            return .unknown(
                reason: "it is a latent-diffusion model whose autoencoder has \(levels) levels, "
                    + (hasClasses ? "conditioned on classes" : "not conditioned on classes"))
        }
    }

    // MARK: Others

    /// What the file is instead.
    var reason: String {
        let kinds: [(Bool, String)] = [
            (all.isEmpty, "it holds no tensors"),
            (
                hasAny("lora_unet_") || hasAny("lora_te") || hasAny(ending: ".lora_A.weight"),
                "it holds low-rank changes to a model (LoRA), and no model"
            ),
            (
                hasAny("control_model.") || hasAny("controlnet_cond_embedding."),
                "it is a ControlNet, which goes with a model"
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
