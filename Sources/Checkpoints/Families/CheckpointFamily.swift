/// A family of published models that come as one file.
public enum CheckpointFamily: String, Sendable, Codable, CaseIterable {
    case stableDiffusion1 = "sd1"
    case stableDiffusion1Inpainting = "sd1-inpaint"
    /// Version 2, whether it predicts noise or v.
    case stableDiffusion2 = "sd2"
    case stableDiffusion2Inpainting = "sd2-inpaint"
    case stableDiffusionXL = "sdxl"
    case stableDiffusionXLRefiner = "sdxl-refiner"
    case stableDiffusion3Medium = "sd3-medium"
    case stableDiffusion35Medium = "sd3.5-medium"
    case stableDiffusion35Large = "sd3.5-large"
    /// Latent diffusion without conditions in the space of a quantised autoencoder of factor 4.
    case latentDiffusionVQ4 = "ldm-vq-f4"
    /// Latent diffusion by class in the space of a quantised autoencoder of factor 8.
    case latentDiffusionVQ8 = "ldm-vq-f8"
    /// Stable Diffusion's upscaler to four times the size.
    case upscaler4 = "sd-x4-upscaler"
    /// The class-conditional diffusion transformer.
    case diffusionTransformer = "dit"

    /// What the names and shapes cannot tell, in sentences; a caller says them or asks.
    public var caveats: [String] {
        switch self {
        case .stableDiffusion1, .stableDiffusionXL:
            ["whether it was distilled to few steps (Turbo, LCM) cannot be told from the weights"]
        default: []
        }
    }
}

/// A part of a model that has a folder of its own in the layout of diffusers.
public enum ModelComponent: String, Sendable, Codable, CaseIterable {
    case unet
    case transformer
    case vae
    /// The quantised autoencoder of latent diffusion.
    case vqvae
    case textEncoder = "text_encoder"
    case textEncoder2 = "text_encoder_2"
    case textEncoder3 = "text_encoder_3"
    /// The table that turns classes into the states that a U-Net attends to.
    case classEmbedder = "class_embedder"
    /// The schedule; it has a configuration and no tensors.
    case scheduler
    /// The schedule that noises the picture which an upscaler enlarges.
    case lowResolutionScheduler = "low_res_scheduler"

    /// Whether it is a schedule.
    public var isSchedule: Bool { self == .scheduler || self == .lowResolutionScheduler }
}
