import Layers
import Storage

extension CheckpointFamily {
    /// The published configurations of the family's components, as their `config.json` and
    /// `scheduler_config.json` hold them, so that a single file needs nothing else.
    ///
    /// - Parameter source: the tensors of the file, from which the sizes of a diffusion transformer follow.
    public func configurations(_ source: any TensorSource) -> [ModelComponent: JSONObject] {
        switch self {
        case .stableDiffusion1, .stableDiffusion1Inpainting:
            let paints = self == .stableDiffusion1Inpainting
            return [
                .unet: Published.sd1UNet(inputs: paints ? 9 : 4),
                .vae: Published.klAutoencoder(sampleSize: paints ? 256 : 512),
                .textEncoder: Published.clipLarge(),
                .scheduler: paints ? Published.ddim(prediction: "epsilon") : Published.pseudoNumerical,
            ]
        case .stableDiffusion2, .stableDiffusion2Inpainting:
            let paints = self == .stableDiffusion2Inpainting
            return [
                .unet: paints ? Published.sd2InpaintingUNet : Published.sd2UNet,
                .vae: Published.klAutoencoder(sampleSize: paints ? 512 : 768),
                .textEncoder: Published.openCLIPHuge,
                .scheduler: paints ? Published.pseudoNumerical : Published.ddim(prediction: "v_prediction"),
            ]
        case .stableDiffusionXL:
            return [
                .unet: Published.xlUNet, .vae: Published.xlAutoencoder, .textEncoder: Published.clipLarge(),
                .textEncoder2: Published.openCLIPBigG, .scheduler: Published.euler,
            ]
        case .stableDiffusionXLRefiner:
            return [
                .unet: Published.refinerUNet, .vae: Published.xlAutoencoder,
                .textEncoder2: Published.openCLIPBigG, .scheduler: Published.euler,
            ]
        case .stableDiffusion3Medium:
            return Published.sd3(layers: 24, heads: 24, positions: 192)
        case .stableDiffusion35Medium:
            return Published.sd3(
                layers: 24, heads: 24, positions: 384, dual: Array(0...12), normalizesQueries: true)
        case .stableDiffusion35Large:
            return Published.sd3(layers: 38, heads: 38, positions: 192, normalizesQueries: true)
        case .latentDiffusionVQ4:
            return [
                .unet: Published.unconditionalLatentUNet, .vqvae: Published.vq4,
                .scheduler: Published.latentDDIM,
            ]
        case .latentDiffusionVQ8:
            return [
                .unet: Published.classLatentUNet, .vqvae: Published.vq8, .scheduler: Published.latentDDIM,
                .classEmbedder: [
                    "_class_name": "ClassEmbedder", "embed_dim": 512, "n_classes": 1000, "key": "class_label",
                ],
            ]
        case .upscaler4:
            return [
                .unet: Published.upscalerUNet, .vae: Published.upscalerAutoencoder,
                .textEncoder: Published.openCLIPHuge, .scheduler: Published.upscalerDDIM,
                .lowResolutionScheduler: Published.upscalerDDPM,
            ]
        case .diffusionTransformer:
            return [.transformer: Published.dit(source), .scheduler: Published.ditScheduler]
        }
    }
}

/// Configurations as they were published with the weights.
enum Published {
    /// Values that several configurations share, with those of one.
    static func join(_ objects: JSONObject...) -> JSONObject {
        objects.dropFirst().reduce(into: objects[0]) { result, object in
            for (key, value) in object.members { result[key] = value }
        }
    }
}
