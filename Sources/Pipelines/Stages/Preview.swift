import Checkpoints
import Diffusion
import Foundation
import Layers
import Networks
import Pictures
import Tensors

/// Pictures of the denoised estimate while a model works, decoded by a small autoencoder (TAESD) that costs next to
/// nothing beside a step.
struct Preview: Sendable {
    private let autoencoder: AutoencoderTiny

    /// Opens a folder with an `AutoencoderTiny`, and checks that it decodes the latents of a model.
    /// - Throws: an error about the files; `PipelineError` where it is one for other latents.
    init(folder: String, for model: LatentModel) throws {
        autoencoder = try explaining(ModelFolder(folder)) {
            try AutoencoderTiny.load(ModelFolder(folder), on: model.device).network
        }
        let needed = model.autoencoder.latentChannels
        guard autoencoder.latentChannels == needed else {
            throw PipelineError(
                "\(folder) decodes latents of \(autoencoder.latentChannels) channels, and this model's have \(needed): use the tiny autoencoder that was made for it"
            )
        }
    }

    /// The pictures of a batch, side by side where there are several.
    func picture(of progress: SamplingProgress) throws -> Picture {
        let data = progress.estimate.data.to(.float32)
        let pictures = inference { autoencoder.decode(autoencoder.latentScaling.unscaled(data)) }
        return try pictures.shape[0] == 1 ? Picture(pictures[0]) : Picture.sheet(of: pictures)
    }
}
