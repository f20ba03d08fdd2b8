import Checkpoints
import Datasets
import Diffusion
import Layers
import Networks
import Pipelines
import Storage
import Tensors

// A network that denoises: its parts.

extension Recipe {
    /// The parts of a run of a network that denoises.
    func denoisingParts(_ opening: ModelKind.Opening) throws -> TrainingParts {
        let (dataset, device, warn) = (opening.data, opening.device, opening.warn)
        let text = try TextPlan(filled.model, captions: dataset.captions)
        let recipe = try resolved(for: dataset, text)
        let process = try recipe.process()
        let objective = try recipe.objective(on: process, for: dataset)
        let card = recipe.card(for: dataset, process)
        try recipe.checkSheetSize(for: card)
        let configuration = recipe.model.network.configuration
        try recipe.memoryNeed(of: configuration, pictures: dataset.exampleShape).check(on: device)
        let (store, network, encoder) = try recipe.networks(configuration, text, on: device)
        let model = TrainedModel(
            recipe: recipe, configuration: configuration, process: process, card: card, text: text,
            frozen: text?.isTrained == false ? encoder : nil, captions: dataset.captions, device: device)
        try recipe.checkSheets(of: model.model(network, encoder), model)
        let task = DenoisingTask(
            store: store, student: network, objective: objective,
            memoryFormat: recipe.training.memoryFormat.format)
        task.conditioner = recipe.conditioner(card, text, encoder)
        var parts = TrainingParts(recipe: recipe, data: dataset, task: task)
        parts.output = model
        if let caution = recipe.weightingCaution(objective) { warn(caution) }
        if recipe.model.conditioning == .none, evaluation.guidance != 1 {
            warn("evaluation.guidance changes nothing: the model is conditioned on nothing")
        }
        return parts
    }

    /// The network, and the text encoder where there is one, with drawn or earlier weights.
    private func networks(
        _ configuration: NetworkConfiguration, _ text: TextPlan?, on device: Device
    ) throws -> (ParameterStore, any NoiseNetwork, CLIPText?) {
        func build(_ weights: Weights) throws -> (any NoiseNetwork, CLIPText?) {
            let network = try configuration.network(weights)
            let encoder = try text.flatMap { plan in
                try plan.isTrained ? CLIPText(plan.configuration, weights[TextPlan.scope]) : nil
            }
            return (network, encoder)
        }
        let earlier = try model.from.map { path in
            // Compared before any number is drawn, which takes long for a large network.
            let shapes = ParameterStore(.shapesOnly)
            _ = try shapes.build(build)
            return try initialWeights(path, configuration, shapes.named.map { ($0, $1.shape) })
        }
        let store = try ParameterStore(trainedBy: self)
        let (network, trained) = try store.build(build)
        try earlier?.assign(to: store)
        return (store, network, try trained ?? text?.frozen(on: device))
    }

    private func initialWeights(
        _ path: String, _ configuration: NetworkConfiguration, _ parameters: [(String, Shape)]
    ) throws -> InitialWeights {
        do {
            return try InitialWeights(
                path, for: configuration.type, parameters: parameters,
                predicting: diffusion.prediction.flatMap(Prediction.init(word:)) ?? .noise)
        } catch let error as PipelineError {
            throw RecipeError("model.from: \(error)")
        } catch let error as CheckpointError {
            throw RecipeError("model.from: \(error)")
        }
    }

    private func conditioner(_ card: ModelCard, _ text: TextPlan?, _ encoder: CLIPText?) -> any Conditioner {
        let dropout = diffusion.conditionDropout ?? 0
        if let text, let encoder {
            let prompts = PromptEncoder(
                text.tokenizer, encoder, length: text.length, for: model.network.configuration.traits)
            let texts = TextConditioner(prompts, dropout: dropout, isTrained: text.isTrained)
            return model.network.configuration.traits.numbers == nil ? texts : SizeConditioner(texts)
        }
        if let null = card.nullClass { return ClassConditioner(nullClass: null, dropout: dropout) }
        return Unconditioned()
    }
}
