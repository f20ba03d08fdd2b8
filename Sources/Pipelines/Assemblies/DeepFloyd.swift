import Checkpoints
import Networks
import Tensors

/// DeepFloyd IF's first stage: pixels of 64×64 under the states of T5.
/// Source: Saharia et al. 2022 (Imagen, arXiv:2205.11487), whose cascade it follows; diffusers' `deepfloyd_if` pipelines.
package struct DeepFloyd: DeepFloydStage {
    package static let classNames = ["IFPipeline", "IFImg2ImgPipeline", "IFInpaintingPipeline"]
    package static let enlarges = false

    package let model: CascadeModel
    package init(_ model: CascadeModel) { self.model = model }

    package func usual(_ task: CascadeTask) -> CascadeDefaults {
        switch task {
        case .imageToImage: .init(steps: 80, guidance: 10, strength: 0.7)
        case .inpainting: .init(steps: 50, guidance: 7, strength: 1)
        case .text: .init(steps: 100, guidance: 7)
        }
    }
}

/// DeepFloyd IF's further stages: what enlarges pictures to 256×256, and these to 1024×1024. They begin with noise, or with the
/// picture that the first stage has changed.
package struct DeepFloydUpscaler: DeepFloydStage {
    static let changing = ["IFImg2ImgSuperResolutionPipeline", "IFInpaintingSuperResolutionPipeline"]
    package static let classNames = ["IFSuperResolutionPipeline"] + changing
    package static let enlarges = true

    package let model: CascadeModel
    package init(_ model: CascadeModel) { self.model = model }

    package func usual(_ task: CascadeTask) -> CascadeDefaults {
        switch task {
        case .text: .init(steps: 50, guidance: 4, noiseLevel: 250)
        case .imageToImage: .init(steps: 50, guidance: 4, strength: 0.8, noiseLevel: 250)
        case .inpainting: .init(steps: 100, guidance: 4, strength: 0.8, noiseLevel: 0)
        }
    }
}

/// What the stages of DeepFloyd IF have in common.
package protocol DeepFloydStage: CascadeAssembly {
    /// A stage of opened parts.
    init(_ model: CascadeModel)
}

extension DeepFloydStage {
    package static var family: String { "if" }

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        var model = try CascadeModel(source, options, enlarges: Self.enlarges)
        if Self.enlarges {
            let isChanging = DeepFloydUpscaler.changing.contains(try source.pipelineClass() ?? "")
            model.originals = isChanging ? .always : .onRequest
        }
        guard let network = model.network.settings as? UNet2DConditionConfiguration,
            [nil, .timestep].contains(network.classEmbedType)
        else {
            throw PipelineError(
                "\(source.path): the network of this pipeline is a UNet2DConditionModel with the class_embed_type 'timestep' or none"
            )
        }
        self.init(model)
    }

    /// The shorter side is the network's, the longer one the nearest multiple of 8.
    package func size(of reference: Request.Size) throws -> Request.Size {
        guard let own = model.network.pictureSize, own.height == own.width else {
            throw PipelineError(
                "\(name): 'sample_size' of its network is no one number, which the size of a changed picture follows from"
            )
        }
        let (side, aspect) = (Double(own.height), Double(reference.width) / Double(reference.height))
        func longer(_ aspect: Double) -> Int { Int((side / 8 * aspect).rounded(.toNearestOrEven)) * 8 }
        return aspect >= 1
            ? .init(height: own.height, width: longer(aspect))
            : .init(height: longer(1 / aspect), width: own.width)
    }

    package func textWidth(_ encoding: TextEncoding) throws -> Int {
        guard let width = try encoding.checkT5(CascadeModel.textComponent) else {
            throw PipelineError(
                "\(encoding.source.path): T5 and its tokenizer are needed for the prompt (text_encoder, tokenizer)"
            )
        }
        return width
    }

    /// The states of T5 for 77 tokens, as the networks were trained.
    package func contexts(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws -> [Tensor] {
        let cleaned = prompts.map { prompt in
            TextEncoding.Prompt(text: prompt.text.lowercasedAndStripped, isNegative: prompt.isNegative)
        }
        return try encoding.t5(cleaned, CascadeModel.textComponent, length: 77, hidesPadding: true) ?? []
    }
}
