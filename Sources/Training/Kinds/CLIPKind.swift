import Datasets
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors
import Tokenizers

// CLIP: its row, and its parts.

extension ModelKind {
    /// `clip`
    static let clip = ModelKind(
        "clip", classNames: [CLIP.className], summary: "texts and pictures in one space",
        objectives: [
            OwnObjective(
                "contrastive",
                [
                    .number(
                        "largest_scale", CLIP.largestScale, in: 1...1e6,
                        "The most that the cosines of texts and pictures are multiplied with; the scale is learnt."
                    )
                ])
        ],
        settings: CLIPSettings.self, fittedKeys: CLIPSettings.fittedKeys, fit: { $0.fitted(to: $1) },
        check: { try $0.checkContrastive() },
        resolve: { recipe, data in try recipe.resolvedCLIP(for: data, recipe.learntTokenizer(of: data)) },
        parts: { try $0.contrastiveParts($1) })
}

extension Recipe {
    /// Checks what a contrastive loss needs of the data.
    fileprivate func checkContrastive() throws {
        try checkPlainPictures()
        guard data.captions != .none else {
            throw RecipeError(
                "data.captions is none, and model.kind clip learns from pairs of texts and pictures: write class-names or another source of captions."
            )
        }
        guard training.batchSize > 1 else {
            throw RecipeError(
                "training.batch_size is 1: the other pairs of a batch are what a contrastive loss tells a pair from; write 2 at least."
            )
        }
    }

    private var clipSettings: CLIPSettings {
        guard let settings = model.network.settings as? CLIPSettings else {
            preconditionFailure("a model of kind \(model.kind.word) is no CLIP")
        }
        return settings
    }

    /// The tokenizer that is learnt from the captions.
    fileprivate func learntTokenizer(of data: any Dataset) throws -> LearntTokenizer {
        var training = BytePairTraining()
        training.mergeCount = clipSettings.vocabMerges
        return try LearntTokenizer(learntFrom: data.captions, tokens: model.textTokens, training)
    }

    /// The recipe with what follows from the data.
    fileprivate func resolvedCLIP(for data: any Dataset, _ learnt: LearntTokenizer) throws -> Recipe {
        let shape = data.exampleShape
        var recipe = self
        recipe.model.textTokens = learnt.length
        recipe.model.network = try fittedModel(to: NetworkDemands(sample: shape))
        let settings = recipe.clipSettings
        guard shape == [settings.numChannels, settings.imageSize, settings.imageSize] else {
            throw RecipeError(
                "model.image_size and model.num_channels are \(settings.imageSize) and \(settings.numChannels), and pictures are \(shape[1])×\(shape[2]) of \(shape[0]) channels: leave them out, and set data.size where pictures are no squares."
            )
        }
        return recipe
    }

    /// The parts of a run of a CLIP.
    fileprivate func contrastiveParts(_ opening: ModelKind.Opening) throws -> TrainingParts {
        let filled = filled
        let learnt = try filled.learntTokenizer(of: opening.data)
        let recipe = try filled.resolvedCLIP(for: opening.data, learnt)
        if learnt.cutCount > 0 {
            opening.warn(
                "model.text_tokens is \(learnt.length): the ends of \(learnt.cutCount) captions, of \(opening.data.captions.count), are cut off"
            )
        }
        let configuration = recipe.clipSettings.configuration(
            vocabularySize: learnt.vocabulary.count, length: learnt.length)
        let shapes = ParameterStore(.shapesOnly)
        _ = try shapes.build { try CLIP(configuration, $0) }
        try recipe.memoryNeed(
            of: shapes, CLIP.className, activations: recipe.clipSettings.activationCount,
            pictures: opening.data.exampleShape
        ).check(on: opening.device)
        let store = try ParameterStore(trainedBy: recipe)
        let network = try store.build { try CLIP(configuration, $0) }
        let task = ContrastiveTask(
            store: store, network: network, tokenizer: learnt.tokenizer, length: learnt.length,
            largestScale: recipe.objective.number("largest_scale"),
            memoryFormat: recipe.training.memoryFormat.format)
        var parts = TrainingParts(recipe: recipe, data: opening.data, task: task)
        parts.output = TrainedCLIP(configuration: configuration, vocabulary: learnt.vocabulary)
        return parts
    }
}

/// The model of a run of a CLIP: a folder in the layout of transformers. There are no samples.
private struct TrainedCLIP: TrainingOutput {
    let configuration: CLIPConfiguration
    let vocabulary: BytePairVocabulary

    var metadata: [String: String] {
        get throws { ["format": "pt", "config": JSONValue.object(try CLIP.json(configuration)).text] }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        try ModelLayout.replacing(path) { path in
            try ContrastiveModel.write(
                configuration, parameters, vocabulary: vocabulary,
                statistics: .centred(channels: configuration.visionConfig.numChannels), to: path)
        }
    }

    func sheet(_ parameters: TensorDictionary) -> Picture? { nil }
}
