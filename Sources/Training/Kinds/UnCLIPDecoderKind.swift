import Datasets
import Diffusion
import Layers
import Networks
import Pipelines
import Tensors

// unCLIP's decoder: its row, and its parts.

extension ModelKind {
    /// `unclip-decoder`
    static let unclipDecoder = ModelKind(
        "unclip-decoder", classNames: ["UnCLIPDecoder"],
        summary: "unCLIP's decoder, from CLIP's embedding of a picture and a text to a picture",
        objectives: [OwnObjective("denoising", [])], readsProcess: true, readsCLIP: .atEqualWidths,
        settings: UnCLIPDecoderConfiguration.self, fittedKeys: UnCLIPDecoderConfiguration.fittedKeys,
        fit: { $0.fitted(to: $1) },
        check: { try $0.checkDecoder() },
        resolve: { try $0.resolvedDecoder(for: $1, CLIPPlan($0, on: .cpu)) },
        parts: { try $0.decoderParts($1) })
}

extension Recipe {
    /// Checks what a decoder needs.
    fileprivate func checkDecoder() throws {
        try checkPlainPictures()
        try checkObjective()
    }

    private var decoderSettings: UnCLIPDecoderConfiguration {
        guard let settings = model.network.settings as? UnCLIPDecoderConfiguration else {
            preconditionFailure("a model of kind \(model.kind.word) is no decoder of embeddings")
        }
        return settings
    }

    /// The recipe with what follows from the data and the CLIP.
    fileprivate func resolvedDecoder(for data: any Dataset, _ clip: CLIPPlan) throws -> Recipe {
        try clip.check(data)
        let shape = data.exampleShape
        guard shape[1] == shape[2] else {
            throw RecipeError(
                "data.size: pictures are \(shape[2])×\(shape[1]), and model.kind unclip-decoder makes squares; set it."
            )
        }
        var demands = clip.demands
        demands.sample = shape
        var recipe = self
        recipe.model.network = try fittedModel(to: demands)
        let settings = recipe.decoderSettings
        guard settings.unet.sampleSize == .square(shape[1]), settings.unet.inChannels == shape[0],
            settings.unet.outChannels == shape[0], settings.clipEmbeddingsDim == clip.features
        else {
            throw RecipeError(
                "model.sample_size, model.in_channels, model.out_channels and model.clip_embeddings_dim must be \(shape[1]), \(shape[0]), \(shape[0]) and \(clip.features), as the data and model.clip have them: leave them out."
            )
        }
        let multiple = 1 << (settings.unet.blockOutChannels.count - 1)
        guard shape[1] % multiple == 0 else {
            throw RecipeError(
                "model: the network halves pictures down to 1/\(multiple) and they are \(shape[2])×\(shape[1]): set data.size to a multiple of \(multiple)."
            )
        }
        return recipe
    }

    /// The parts of a run of a decoder.
    fileprivate func decoderParts(_ opening: ModelKind.Opening) throws -> TrainingParts {
        let (data, device) = (opening.data, opening.device)
        let clip = try CLIPPlan(filled, on: device)
        let recipe = try filled.resolvedDecoder(for: data, clip)
        let process = try recipe.process()
        let (configuration, sampler) = (recipe.decoderSettings, try recipe.sheetSampler(on: process))
        let shapes = ParameterStore(.shapesOnly)
        _ = try shapes.build { try UnCLIPDecoder(configuration, $0) }
        try recipe.memoryNeed(
            of: shapes, "decoder",
            activations: UNet2DCondition.traits(configuration.unet)
                .activationCount(data.exampleShape),
            pictures: data.exampleShape
        ).check(on: device)
        let store = try ParameterStore(trainedBy: recipe)
        let network = try store.build { try UnCLIPDecoder(configuration, $0) }
        let task = DenoisingTask(
            store: store, student: network,
            objective: try recipe.embeddingObjective(on: process, ofPixels: true),
            memoryFormat: recipe.training.memoryFormat.format)
        let conditioner = EmbeddingConditioner(
            clip: clip, textDropout: recipe.model.textDropout ?? 0,
            pictureDropout: recipe.diffusion.conditionDropout ?? 0)
        task.conditioner = conditioner
        var parts = TrainingParts(recipe: recipe, data: data, task: task)
        var shown = try data.batch(at: data.evenlySpread(recipe.evaluation.count))
        shown.captions = shown.captions?.map { Array($0.prefix(1)) }
        parts.output = TrainedDecoder(
            configuration: configuration, process: process, card: recipe.embeddingCard(process), clip: clip,
            sampler: sampler, guidance: GuidanceSettings(scale: recipe.evaluation.guidance),
            conditions: try conditioner.conditions(of: shown, hiding: nil, on: device),
            count: shown.data.shape[0], seed: UInt64(truncatingIfNeeded: recipe.seed), device: device)
        return parts
    }
}
