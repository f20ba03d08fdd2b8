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
        let plan = try DenoiserPlan(filled, dataset)
        let recipe = try resolved(for: dataset, plan)
        let process = try recipe.process()
        let objective = try recipe.objective(on: process, for: dataset)
        let card = recipe.card(for: dataset, process)
        try recipe.checkSheetSize(for: card)
        let readsEmbeddings = try plan.latents?.check(plan.text, recipe) ?? false
        try recipe.memoryNeed(plan, data: dataset.exampleShape).check(on: device)
        let networks = try recipe.networks(plan, on: device)
        let output = try recipe.output(of: networks, plan, process, card, dataset, on: device)
        let task = DenoisingTask(
            store: networks.store, student: networks.denoiser, objective: objective,
            memoryFormat: recipe.training.memoryFormat.format)
        if let latents = plan.latents { task.codec = try latents.codec(on: device) }
        task.conditioner = recipe.enlarging(
            recipe.conditioner(card, plan, networks, readsEmbeddings: readsEmbeddings), process)
        var parts = TrainingParts(recipe: recipe, data: dataset, task: task)
        parts.output = output
        if let caution = recipe.weightingCaution(objective) { warn(caution) }
        if recipe.model.conditioning == .none {
            let given = [
                ("guidance", evaluation.guidance != 1),
                ("guidance_schedule", evaluation.guidanceSchedule != nil),
            ]
            for (key, _) in given.filter(\.1) {
                warn("evaluation.\(key) changes nothing: the model is conditioned on nothing")
            }
        }
        return parts
    }

    /// What a run keeps of its networks, after a trial of a sheet.
    private func output(
        of networks: DenoiserNetworks, _ plan: DenoiserPlan, _ process: Diffusion.Process, _ card: ModelCard,
        _ dataset: any Dataset, on device: Device
    ) throws -> any TrainingOutput {
        let (configuration, captions) = (model.network.configuration, dataset.captions)
        guard let latents = plan.latents else {
            var output = TrainedModel(
                recipe: self, configuration: configuration, process: process, card: card, text: plan.text,
                frozen: plan.text?.isTrained == false ? networks.text : nil, captions: captions,
                device: device)
            output.smallPictures = try smallPictures(for: card, dataset)
            try checkSheets(of: output.model(networks.denoiser, networks.text), output.request())
            return output
        }
        let output = TrainedLatents(
            recipe: self, configuration: configuration, process: process, card: card,
            autoencoder: latents.autoencoder, text: plan.text,
            classTable: networks.classes?.configuration, captions: captions, device: device)
        try checkSheets(of: output.model(of: networks.store.source), output.request)
        return output
    }

    /// The networks of a run, with drawn or earlier weights.
    private func networks(_ plan: DenoiserPlan, on device: Device) throws -> DenoiserNetworks {
        let configuration = model.network.configuration
        func build(_ weights: Weights) throws -> (any NoiseNetwork, CLIPText?, ClassEmbedder?) {
            let network = try configuration.network(weights)
            let encoder = try plan.text.flatMap { text in
                try text.isTrainedBeside ? CLIPText(text.configuration, weights[TextPlan.scope]) : nil
            }
            let table = try plan.classTable(of: configuration.traits).map {
                try ClassEmbedder($0, weights[ClassTokenConditioner.scope])
            }
            return (network, encoder, table)
        }
        let earlier = try model.from.map { path in
            // Compared before any number is drawn, which takes long for a large network.
            let shapes = ParameterStore(.shapesOnly)
            _ = try shapes.build(build)
            return try initialWeights(path, configuration, shapes.named.map { ($0, $1.shape) })
        }
        let store = try ParameterStore(trainedBy: self)
        let (network, trained, table) = try store.build(build)
        try earlier?.assign(to: store)
        return DenoiserNetworks(
            store: store, denoiser: network, text: try trained ?? plan.text?.frozen(on: device),
            classes: table)
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

    /// A conditioner with the smaller pictures beside, where the network enlarges them.
    private func enlarging(_ base: any Conditioner, _ process: Diffusion.Process) -> any Conditioner {
        guard let enlargement = model.network.configuration.traits.enlargement else { return base }
        var augmentation = LowResolutionConditioner.Augmentation(ConditioningAugmentation(process))
        augmentation.share = diffusion.augmentation ?? 0
        augmentation.blur = diffusion.augmentationBlur ?? 0
        augmentation.degradation = data.degradation?.degradation
        return LowResolutionConditioner(base, factor: enlargement.factor, augmentation)
    }

    private func conditioner(
        _ card: ModelCard, _ plan: DenoiserPlan, _ networks: DenoiserNetworks, readsEmbeddings: Bool
    ) -> any Conditioner {
        let dropout = diffusion.conditionDropout ?? 0
        let traits = model.network.configuration.traits
        if readsEmbeddings {
            return EncodedTextConditioner(dropout: dropout, givesPooled: traits.pooled != nil)
        }
        if let text = plan.text, let prompts = text.prompts(networks.text, for: traits) {
            let texts = TextConditioner(prompts, dropout: dropout, isTrained: text.isTrained)
            return traits.numbers == nil ? texts : SizeConditioner(texts)
        }
        guard let null = card.nullClass else { return Unconditioned() }
        let classes = ClassConditioner(nullClass: null, dropout: dropout)
        return networks.classes.map { ClassTokenConditioner($0, classes) } ?? classes
    }
}

/// The networks of a run that trains one to denoise.
private struct DenoiserNetworks {
    /// Every parameter that is trained.
    let store: ParameterStore
    /// The network that learns to denoise.
    let denoiser: any NoiseNetwork
    /// The text encoder, trained along or not.
    let text: CLIPText?
    /// The table of classes that the network attends to.
    let classes: ClassEmbedder?
}
