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
    /// The text encoder of latent diffusion.
    case bert
    /// What makes a larger picture of one in a single pass.
    case upscaler
    /// The encoder of pictures.
    case imageEncoder = "image_encoder"
    /// What finds how far away is what a picture shows.
    case depthEstimator = "depth_estimator"
    /// From a text to CLIP's embedding of a picture.
    case prior
    /// The text encoder of the prior, where the decoder has another.
    case priorTextEncoder = "prior_text_encoder"
    /// What the decoder of embeddings is conditioned on, made of them.
    case textProjection = "text_proj"
    /// From an embedding to a small picture.
    case decoder
    /// What enlarges it, in all steps but the last.
    case superResolutionFirst = "super_res_first"
    /// What enlarges it in the last step.
    case superResolutionLast = "super_res_last"
    /// The statistics of embeddings between which and unit variance noise is laid on them.
    case imageNormalizer = "image_normalizer"
    /// The schedule; it has a configuration and no tensors.
    case scheduler
    /// The schedule that noises the picture which an upscaler enlarges.
    case lowResolutionScheduler = "low_res_scheduler"
    /// The schedule of the prior.
    case priorScheduler = "prior_scheduler"
    /// The schedule of the decoder of embeddings.
    case decoderScheduler = "decoder_scheduler"
    /// The schedule of what enlarges pictures.
    case superResolutionScheduler = "super_res_scheduler"
    /// The schedule that noises embeddings.
    case imageNoisingScheduler = "image_noising_scheduler"

    /// Whether it is a schedule.
    public var isSchedule: Bool { rawValue.hasSuffix("scheduler") }

    /// The folder of the tokenizer that goes with a text encoder; `nil` for what is none.
    package var tokenizer: String? {
        switch self {
        case .textEncoder: "tokenizer"
        case .textEncoder2: "tokenizer_2"
        case .textEncoder3: "tokenizer_3"
        case .bert: "tokenizer"
        case .priorTextEncoder: "prior_tokenizer"
        default: nil
        }
    }
}
