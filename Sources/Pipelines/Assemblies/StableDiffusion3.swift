import Checkpoints
import Diffusers
import Diffusion
import Networks
import Tensors

/// Latents under up to three text encoders, on the straight path.
/// Source: Esser et al. 2024 (arXiv:2403.03206).
package struct StableDiffusion3: TextAssembly {
    package static let classNames = tasks("StableDiffusion3")
    package static let family = "sd3"
    package static let reads: Set<RequestField> = [.controls]
    package static let networkComponent = ModelComponent.transformer
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { MMDiT.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualSteps(_ task: LatentTask) -> Int { task == .text ? 28 : 50 }
    package func usualGuidance(_ task: LatentTask) -> Double { 7 }
    package var keepsReferenceSize: Bool { false }

    package func shiftExponent(_ scheduler: SchedulerConfiguration, _ size: Request.Size) -> Double? {
        guard scheduler.usesDynamicShift, let patch = model.network.patch else { return nil }
        let side = model.pixelsPerLatent * patch
        return scheduler.shiftExponent(tokens: (size.height / side) * (size.width / side))
    }

    // The steps that are left are rounded up, where the other families round them down.
    package func skippedSteps(of steps: Int, strength: Double) -> Int {
        Int(Double(steps) - min(Double(steps) * strength, Double(steps)))
    }

    // diffusers' pipeline that inpaints forgets the shift.
    package func unscaled(_ latents: Tensor, _ scaling: LatentScaling, _ task: LatentTask) -> Tensor {
        task.inpaints ? latents / scaling.factor : scaling.unscaled(latents)
    }

    // MARK: Text

    private static let t5Length = 256

    // diffusers' pipelines read no textual inversions here.
    package static var readsInversions: Bool { false }

    package func clips() throws -> [(component: ModelComponent, isProjected: Bool)] {
        try [ModelComponent.textEncoder, .textEncoder2].filter(model.source.has).map { ($0, true) }
    }

    /// CLIP's states side by side, zeros to T5's width, and T5's states after them. An encoder that is absent
    /// gives zeros.
    /// Source: Esser et al. 2024 (arXiv:2403.03206), section 4 and figure 2.
    package func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws
        -> [TextEmbedding]
    {
        let (traits, source) = (model.network.traits, model.source)
        guard let joint = traits.context?.width, let width = traits.pooled?.width else {
            throw PipelineError("\(source.path): the transformer is not one of Stable Diffusion 3")
        }
        func present(_ component: ModelComponent) throws -> [TextEmbedding]? {
            try source.has(component) ? encoding.clip(prompts, component, isProjected: true) : nil
        }
        let found = try [present(.textEncoder), present(.textEncoder2)]
        let known = found.compactMap { $0?.first?.pooled?.shape[1] }
        let length = found.compactMap { $0?.first?.context.shape[1] }.first ?? 77
        // What the absent one would have given: CLIP's states are as wide as its projection.
        let missing = max(0, width - known.reduce(0, +)) / max(1, 2 - known.count)
        let sequence =
            try source.has(.textEncoder3)
            ? encoding.t5(prompts, .textEncoder3, length: Self.t5Length) : nil
        return prompts.indices.map { index in
            let clips = found.map { embeddings in
                embeddings?[index]
                    ?? TextEmbedding(
                        context: encoding.zeros([1, length, missing]), pooled: encoding.zeros([1, missing]))
            }
            let states = concatenated(clips.map(\.context), along: -1)
            let later = sequence?[index] ?? encoding.zeros([1, Self.t5Length, joint])
            return TextEmbedding(
                context: concatenated(
                    [states.padded([0, later.shape[2] - states.shape[2]]), later], along: 1),
                pooled: concatenated(clips.map { $0.pooled! }, along: -1))
        }
    }

    package func textWidths(_ encoding: TextEncoding) throws -> (context: Int, pooled: Int)? {
        let clips = try clips()
        let widths = try encoding.checkCLIP(clips)
        guard let width = try encoding.checkT5(.textEncoder3) else { return nil }
        return clips.count == 2 ? (width, widths.pooled) : nil
    }
}
