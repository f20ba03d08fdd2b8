import Checkpoints
import Diffusion
import Foundation
import Layers
import Networks
import Pictures
import Tensors

/// Pictures of what a model believes while it works: its estimate of the data, decoded by a small autoencoder
/// (TAESD) that costs next to nothing beside a step.
public struct Preview {
    private let autoencoder: AutoencoderTiny

    /// Opens a folder with an `AutoencoderTiny`, and checks that it decodes the latents of a plan.
    /// - Throws: an error about the files; `PipelineError` where it is one for other latents.
    public init(folder: String, for plan: GenerationPlan) throws {
        autoencoder = try explaining(ModelFolder(folder)) {
            try AutoencoderTiny.load(ModelFolder(folder), on: plan.model.device).network
        }
        let needed = plan.model.autoencoder.latentChannels
        guard autoencoder.latentChannels == needed else {
            throw PipelineError(
                "\(folder) decodes latents of \(autoencoder.latentChannels) channels, and this model's have \(needed): use the tiny autoencoder that was made for it"
            )
        }
    }

    /// The pictures of a batch as they are believed to become, side by side where there are several.
    public func picture(of progress: SamplingProgress) throws -> Picture {
        let believed = progress.estimate.data.to(.float32)
        let pictures = inference { autoencoder.decode(autoencoder.latentScaling.unscaled(believed)) }
        return try pictures.shape[0] == 1 ? Picture(pictures[0]) : Picture.sheet(of: pictures)
    }
}
