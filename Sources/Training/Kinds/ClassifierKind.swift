import Datasets
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

// A classifier of noisy pictures: its row, and its parts.

extension ModelKind {
    /// `classifier`
    static let classifier = ModelKind(
        "classifier", classNames: [UNetClassifier.className], summary: "a classifier of noisy pictures",
        objectives: [OwnObjective("classification", [])], readsProcess: true,
        settings: UNetClassifierConfiguration.self, fittedKeys: UNetClassifierConfiguration.fittedKeys,
        fit: { $0.fitted(to: $1) },
        check: { try $0.checkClassification() },
        resolve: { try $0.resolvedClassifier(for: $1) },
        parts: { try $0.classificationParts($1) })
}

extension Recipe {
    /// Checks what a classifier needs.
    fileprivate func checkClassification() throws {
        try checkPlainPictures()
        _ = try classification(on: process())
    }

    private var classifierSettings: UNetClassifierConfiguration {
        guard let settings = model.network.settings as? UNetClassifierConfiguration else {
            preconditionFailure("a model of kind \(model.kind.word) is no classifier")
        }
        return settings
    }

    private func classification(on process: Diffusion.Process) throws -> ClassificationObjective {
        do {
            return try ClassificationObjective(objective.settings(decodesPixels: true), on: process)
        } catch let error as DiffusionError {
            throw RecipeError("\(error).")
        }
    }

    /// The recipe with what follows from the data.
    fileprivate func resolvedClassifier(for data: any Dataset) throws -> Recipe {
        guard let classes = data.classCount, classes > 1 else {
            throw RecipeError(
                "model.kind is classifier: the data have no classes, or one; give data with two classes at least."
            )
        }
        let shape = data.exampleShape
        var demands = NetworkDemands(sample: shape)
        demands.classes = classes
        var recipe = self
        recipe.model.network = try fittedModel(to: demands)
        let settings = recipe.classifierSettings
        let size = settings.encoder.sampleSize
        guard shape == [settings.encoder.inChannels, size?.height ?? 0, size?.width ?? 0] else {
            throw RecipeError(
                "model.sample_size and model.in_channels are not those of the pictures, which are \(shape[1])×\(shape[2]) of \(shape[0]) channels: leave them out."
            )
        }
        guard settings.numClasses == classes else {
            throw RecipeError(
                "model.num_classes is \(settings.numClasses), and the data have \(classes) classes: leave it out."
            )
        }
        return recipe
    }

    /// The parts of a run of a classifier.
    fileprivate func classificationParts(_ opening: ModelKind.Opening) throws -> TrainingParts {
        let recipe = try filled.resolvedClassifier(for: opening.data)
        let process = try recipe.process()
        let configuration = recipe.classifierSettings
        let shapes = ParameterStore(.shapesOnly)
        _ = try shapes.build { try UNetClassifier(configuration, $0) }
        try recipe.memoryNeed(
            of: shapes, UNetClassifier.className, activations: configuration.activationCount,
            pictures: opening.data.exampleShape
        ).check(on: opening.device)
        let store = try ParameterStore(trainedBy: recipe)
        let network = try store.build { try UNetClassifier(configuration, $0) }
        let task = ClassificationTask(
            store: store, network: network, objective: try recipe.classification(on: process),
            memoryFormat: recipe.training.memoryFormat.format)
        var parts = TrainingParts(recipe: recipe, data: opening.data, task: task)
        var card = ModelCard()
        card.classNames = opening.data.classNames
        parts.output = TrainedClassifier(configuration: configuration, process: process, card: card)
        return parts
    }
}

/// The model of a run of a classifier: a folder that guides samples. There are none of its own.
private struct TrainedClassifier: TrainingOutput {
    let configuration: UNetClassifierConfiguration
    let process: Diffusion.Process
    let card: ModelCard

    var metadata: [String: String] {
        get throws {
            ["format": "pt", "config": JSONValue.object(try UNetClassifier.json(configuration)).text]
        }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        try ModelLayout.replacing(path) { path in
            try ModelLayout(path).write(
                classifier: configuration, process: process, card: card, parameters: parameters)
        }
    }

    func sheet(_ parameters: TensorDictionary) -> Picture? { nil }
}
