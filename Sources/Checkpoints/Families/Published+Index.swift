import Layers
import Storage

extension CheckpointFamily {
    /// The class of diffusers that opens a folder of this family.
    package var pipeline: String {
        switch self {
        case .stableDiffusion1, .stableDiffusion2: "StableDiffusionPipeline"
        case .stableDiffusion1Inpainting, .stableDiffusion2Inpainting: "StableDiffusionInpaintPipeline"
        case .stableDiffusionXL: "StableDiffusionXLPipeline"
        case .stableDiffusionXLRefiner: "StableDiffusionXLImg2ImgPipeline"
        case .stableDiffusion3Medium, .stableDiffusion35Medium, .stableDiffusion35Large:
            "StableDiffusion3Pipeline"
        case .latentDiffusionVQ4, .latentDiffusionVQ8: "LDMPipeline"
        case .upscaler4: "StableDiffusionUpscalePipeline"
        case .diffusionTransformer: "DiTPipeline"
        }
    }

    /// The `model_index.json` of the family for the components that there are; what its class asks for and is
    /// not there is `[null, null]`. Every text encoder has its tokenizer.
    package func index(_ configurations: [ModelComponent: JSONObject]) throws -> JSONObject {
        var index = settings
        index["_class_name"] = .string(pipeline)
        index["_diffusers_version"] = "0.42.0"
        for name in expected { index[name] = [.null, .null] }
        for (component, object) in configurations {
            let className = try object.optional("_class_name", as: String.self)
            let architecture = try object.optional("architectures", as: [String].self)?.first
            let library =
                className == nil ? "transformers" : className == "ClassEmbedder" ? "langevin" : "diffusers"
            index[component.rawValue] = [.string(library), .string(className ?? architecture ?? "")]
            if let tokenizer = component.tokenizer { index[tokenizer] = ["transformers", "CLIPTokenizer"] }
        }
        return index
    }

    private var expected: [String] {
        let texts = ["text_encoder", "tokenizer"]
        let two = texts + texts.map { $0 + "_2" }
        return switch self {
        case .stableDiffusion1, .stableDiffusion1Inpainting, .stableDiffusion2, .stableDiffusion2Inpainting:
            ["unet", "vae", "safety_checker", "feature_extractor"] + texts
        case .upscaler4: ["unet", "vae"] + texts
        case .stableDiffusionXL, .stableDiffusionXLRefiner: ["unet", "vae"] + two
        case .stableDiffusion3Medium, .stableDiffusion35Medium, .stableDiffusion35Large:
            ["transformer", "vae"] + two + texts.map { $0 + "_3" }
        case .latentDiffusionVQ4, .latentDiffusionVQ8: ["unet", "vqvae"]
        case .diffusionTransformer: ["transformer", "vae"]
        }
    }

    private var settings: JSONObject {
        switch self {
        case .stableDiffusion1, .stableDiffusion1Inpainting, .stableDiffusion2, .stableDiffusion2Inpainting:
            ["requires_safety_checker": false]
        case .stableDiffusionXL: ["force_zeros_for_empty_prompt": true]
        case .stableDiffusionXLRefiner:
            ["force_zeros_for_empty_prompt": false, "requires_aesthetics_score": true]
        case .upscaler4: ["max_noise_level": 350]
        default: [:]
        }
    }
}

extension ModelComponent {
    /// The folder of the tokenizer that goes with a text encoder; `nil` for what is none.
    package var tokenizer: String? {
        switch self {
        case .textEncoder: "tokenizer"
        case .textEncoder2: "tokenizer_2"
        case .textEncoder3: "tokenizer_3"
        default: nil
        }
    }
}
