import Checkpoints
import Datasets
import Diffusion
import Layers
import Networks
import Pipelines
import Storage
import Tensors

extension Recipe {
    /// The parts of the run that the recipe describes. Nothing is written.
    ///
    /// - Parameter warn: gets a sentence about whatever is passed over.
    /// - Throws: `RecipeError`, `DatasetError`, `PipelineError`, `TensorError`, each a sentence.
    public func parts(warn: @escaping (String) -> Void = { _ in }) throws -> TrainingParts {
        try validate()
        let device = try Device(available: training.device)
        let dataset = try opened(data)
        try checkNotEmpty(dataset)
        let text = try TextPlan(filled.model, captions: dataset.captions)
        let recipe = try resolved(for: dataset, text)
        let process = try recipe.process()
        let objective = try recipe.objective(on: process, for: dataset)
        let card = recipe.card(for: dataset, process)
        try recipe.checkSheetSize(for: card)
        let configuration = recipe.model.network.configuration
        try recipe.memoryNeed(of: configuration, pictures: dataset.exampleShape).check(on: device)
        let (roles, encoder) = try recipe.networks(configuration, text, on: device)
        let model = TrainedModel(
            recipe: recipe, configuration: configuration, process: process, card: card, text: text,
            frozen: text?.isTrained == false ? encoder : nil, captions: dataset.captions, device: device)
        try recipe.checkSheets(of: model.model(roles.student, encoder), model)
        var parts = TrainingParts(recipe: recipe, data: dataset, roles: roles, objective: objective)
        parts.heldOut = recipe.heldOut(warn: warn)
        parts.output = model
        parts.conditioner = recipe.conditioner(card, text, encoder)
        if let caution = recipe.weightingCaution(objective) { warn(caution) }
        if recipe.model.conditioning == .none, evaluation.guidance != 1 {
            warn("evaluation.guidance changes nothing: the model is conditioned on nothing")
        }
        return parts
    }

    private func opened(_ section: DataSection) throws -> any Dataset {
        do {
            return try section.open()
        } catch let error as DatasetError {
            throw RecipeError("data.path: \(error)")
        }
    }

    /// What is held back from training, to measure the loss on; `nil` where nothing is.
    private func heldOut(warn: (String) -> Void) -> (any Dataset)? {
        guard data.split == .train else { return nil }
        do {
            let dataset = try data.open(.evaluation)
            return dataset.count > 0 ? dataset : nil
        } catch {
            warn("there is no validation loss: \(error)")
            return nil
        }
    }

    /// The network, and the text encoder where there is one, with drawn or earlier weights.
    private func networks(
        _ configuration: NetworkConfiguration, _ text: TextPlan?, on device: Device
    ) throws -> (TrainedRoles, CLIPText?) {
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
        let store = ParameterStore(
            .initialized(RandomGenerator(seed: UInt64(truncatingIfNeeded: seed))), purpose: .training,
            on: device, memoryFormat: training.memoryFormat.format)
        let (network, trained) = try store.build(build)
        try earlier?.assign(to: store)
        return (TrainedRoles(store: store, student: network), try trained ?? text?.frozen(on: device))
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
            return TextConditioner(prompts, dropout: dropout, isTrained: text.isTrained)
        }
        if let null = card.nullClass { return ClassConditioner(nullClass: null, dropout: dropout) }
        return Unconditioned()
    }

    /// Sets the number of threads. More threads than processors would only wait for each other.
    func useThreads(warn: (String) -> Void) throws {
        let threads = min(training.threads, Machine.processorCount)
        if threads < training.threads {
            warn(
                "training.threads is \(training.threads): there are \(threads) processors, and as many are used."
            )
        }
        if threads > 0 { try Machine.setThreadCount(threads) }
    }
}
