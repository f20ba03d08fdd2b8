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
    /// What gives a number for each class of a noisy sample.
    case classifier
    /// The schedule; it has a configuration and no tensors.
    case scheduler
    /// The schedule that noises the picture which an upscaler enlarges.
    case lowResolutionScheduler = "low_res_scheduler"

    /// Whether it is a schedule.
    public var isSchedule: Bool { self == .scheduler || self == .lowResolutionScheduler }

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
