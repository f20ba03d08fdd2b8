import Checkpoints
import Networks

/// What a model makes pictures from and with: which parts it has, and how it is asked.
public enum PipelineKind: Sendable, CaseIterable {
    /// A network on pixels, with classes or without.
    case pixels
    /// Latents under one text encoder: Stable Diffusion 1 and 2.
    case stableDiffusion
    /// Latents under two text encoders, sizes and crops; the refiner has one of them.
    case stableDiffusionXL
    /// Latents under up to three text encoders, on the straight path.
    case stableDiffusion3
    /// Latents with a class or without.
    case latentDiffusion
    /// Latents with a class, by a transformer.
    case diffusionTransformer

    /// diffusers' classes of this kind. What is done with a model (image to image, inpainting) is the
    /// request's matter, so they are all one.
    var classNames: [String] {
        switch self {
        case .pixels: ["DDPMPipeline", "DDIMPipeline", "ConsistencyModelPipeline", "ScoreSdeVePipeline"]
        case .stableDiffusion:
            Self.tasks("StableDiffusion") + ["LatentConsistencyModelPipeline"]
        case .stableDiffusionXL: Self.tasks("StableDiffusionXL")
        case .stableDiffusion3: Self.tasks("StableDiffusion3")
        case .latentDiffusion: ["LDMPipeline"]
        case .diffusionTransformer: ["DiTPipeline"]
        }
    }

    private static func tasks(_ name: String) -> [String] {
        ["", "Img2Img", "Inpaint"].map { "\(name)\($0)Pipeline" }
    }

    /// The kind of a class of diffusers, `nil` where there is none.
    init?(className: String) {
        guard let kind = Self.allCases.first(where: { $0.classNames.contains(className) }) else { return nil }
        self = kind
    }

    /// Whether it is asked with a text.
    public var takesPrompt: Bool {
        switch self {
        case .stableDiffusion, .stableDiffusionXL, .stableDiffusion3: true
        case .pixels, .latentDiffusion, .diffusionTransformer: false
        }
    }

    /// The number of solver steps of a request that says none; diffusers' own.
    var steps: Int { self == .stableDiffusion3 ? 28 : 50 }

    /// The guidance of a request that says none; diffusers' own.
    var guidance: Double {
        switch self {
        case .stableDiffusion: 7.5
        case .stableDiffusionXL: 5
        case .stableDiffusion3: 7
        case .diffusionTransformer: 4
        case .pixels, .latentDiffusion: 1
        }
    }
}

extension PipelineKind {
    /// The network that denoises, on pixels any; of latent diffusion one that attends to a table of classes, or another.
    func network(readsClassTable: Bool) -> (any DenoisingNetwork.Type)? {
        switch self {
        case .stableDiffusion, .stableDiffusionXL: UNet2DCondition.self
        case .stableDiffusion3: MMDiT.self
        case .diffusionTransformer: DiT.self
        case .latentDiffusion: readsClassTable ? UNet2DCondition.self : UNet2D.self
        case .pixels: nil
        }
    }

    /// The part that denoises.
    public var networkComponent: ModelComponent {
        switch self {
        case .stableDiffusion3, .diffusionTransformer: .transformer
        case .pixels, .stableDiffusion, .stableDiffusionXL, .latentDiffusion: .unet
        }
    }

    /// The part between pictures and latents.
    public var autoencoderComponent: ModelComponent { self == .latentDiffusion ? .vqvae : .vae }
}
