import Checkpoints
import Datasets
import Layers
import Networks
import Pipelines
import Storage
import Tensors

/// What a recipe of an autoencoder is trained as.
struct AutoencoderRecipe<Network: RecipeAutoencoder> {
    private let recipe: Recipe
    private let plan: AutoencoderPlan
    private let opening: ModelKind.Opening
    private let configuration: Network.Configuration

    /// - Throws: `RecipeError` where network and data do not fit together.
    init(_ recipe: Recipe, _ plan: AutoencoderPlan, _ opening: ModelKind.Opening) throws {
        self.recipe = try recipe.resolved(for: opening.data)
        (self.plan, self.opening) = (plan, opening)
        configuration = Self.configuration(of: self.recipe)
    }

    private var data: any Dataset { opening.data }
    private var objective: Recipe.ObjectiveSection { recipe.objective }

    private static func configuration(of recipe: Recipe) -> Network.Configuration {
        guard let own = recipe.model.network.settings as? Network.Configuration else {
            preconditionFailure("the configuration of a \(recipe.model.kind.word) is of another kind")
        }
        return own
    }

    // MARK: Checks

    /// Throws keys of the configuration that a run measures.
    static func checkMeasuredKeys(of recipe: Recipe) throws {
        let (own, defaults) = (
            try Network.json(configuration(of: recipe)), try Network.json(Network.Configuration())
        )
        for key in ["scaling_factor", "shift_factor", "latents_mean", "latents_std"]
        where own[key] != defaults[key] {
            throw RecipeError(
                "model.\(key) is given: a run measures the scale of its latents and writes it into the model's config.json, so leave it out."
            )
        }
    }

    /// A recipe with channels and size of its data.
    static func resolved(_ recipe: Recipe, for data: any Dataset) throws -> Recipe {
        let shape = data.exampleShape
        guard data.hasPictures else {
            throw RecipeError(
                "model.kind is \(recipe.model.kind.word), an autoencoder of pictures, and examples of data.kind \(recipe.data.kind.word) are of shape \(shape): use pictures."
            )
        }
        if let step = recipe.data.buckets {
            throw RecipeError(
                "data.buckets is \(step): an autoencoder is trained on pictures of one size, so leave it out."
            )
        }
        var resolved = recipe
        resolved.model.network = try recipe.fittedModel(to: NetworkDemands(sample: shape))
        let coder = configuration(of: resolved)[keyPath: Network.coder]
        guard coder.inChannels == shape[0], coder.outChannels == shape[0] else {
            throw RecipeError(
                "model.in_channels is \(coder.inChannels) and model.out_channels \(coder.outChannels), and the pictures have \(shape[0]) channels: leave both out."
            )
        }
        let factor = coder.pixelsPerLatent
        guard shape[1] % factor == 0, shape[2] % factor == 0 else {
            throw RecipeError(
                "model.block_out_channels has \(coder.blockOutChannels.count) levels, so sides must be multiples of \(factor), and pictures are \(shape[2])×\(shape[1]): set data.size, or use fewer levels."
            )
        }
        return resolved
    }

    // MARK: Parts

    /// The parts of the run. Nothing is written.
    /// - Throws: `RecipeError`, `PipelineError`, `TensorError`, each a sentence.
    func parts() throws -> TrainingParts {
        let perceptual = try perceptualNetwork()
        let discriminator = try discriminatorConfiguration()
        let earlier = try initialWeights()
        try memoryNeed(discriminator).check(on: opening.device)
        let store = try ParameterStore(trainedBy: recipe)
        let task: AutoencoderTask = try store.build { weights in
            let network = try Network(configuration, weights)
            return self.task(store, weights, perceptual, discriminator, network)
        }
        if let earlier {
            for name in earlier.names { try store[name]?.assign(earlier.tensor(named: name)) }
        }
        var parts = TrainingParts(recipe: recipe, data: data, task: task)
        parts.output = AutoencoderOutput<Network>(
            configuration: configuration, data: data, count: recipe.evaluation.count,
            device: opening.device)
        return parts
    }

    private func task(
        _ store: ParameterStore, _ weights: Weights, _ perceptual: PerceptualNetwork?,
        _ discriminator: PatchDiscriminator.Configuration?, _ network: Network
    ) -> AutoencoderTask {
        var settings = AutoencoderTask.Settings()
        settings.loss = AutoencoderLoss(
            error: ReconstructionError(rawValue: objective.word("reconstruction")) ?? .l1,
            perceptualWeight: objective.number("perceptual_weight"), penaltyWeights: plan.penaltyWeights)
        settings.noise = objective.number("noise")
        settings.drawsLatents = plan.drawsLatents
        settings.memoryFormat = recipe.training.memoryFormat.format
        var features = perceptual.map(PerceptualFeatures.file)
        if features == nil, objective.number("perceptual_weight") > 0 {
            features = .classifier(
                LearnedFeatures(data, seed: recipe.seed, weights[AutoencoderTask.Scope.perceptual.rawValue]))
        }
        let adversary = discriminator.map { discriminator in
            AdversarialLoss(
                discriminator: PatchDiscriminator(
                    discriminator, weights[AutoencoderTask.Scope.discriminator.rawValue]),
                weight: objective.number("adversarial_weight"),
                isAdaptive: objective.flag("adversarial_adaptive"),
                firstStep: Int(objective.number("adversarial_start")))
        }
        var upkeep: CodebookUpkeep?
        if let plan = plan.codebook, let codebook = network.codebook {
            upkeep = CodebookUpkeep(codebook, plan, weights[AutoencoderTask.Scope.codebook.rawValue])
        }
        return AutoencoderTask(
            store: store, network: network, settings, features: features, adversary: adversary,
            upkeep: upkeep)
    }

    /// The network of a file whose features are compared, where there is one.
    private func perceptualNetwork() throws -> PerceptualNetwork? {
        guard objective.number("perceptual_weight") > 0 else { return nil }
        let (path, shape) = (objective.word("perceptual"), data.exampleShape)
        guard path != ObjectiveOption.trainedFeatures else {
            guard (data.classCount ?? 0) > 1 else {
                throw RecipeError(
                    "objective.perceptual is trained, a classifier of the data, and the data have no two classes: give the path of an LPIPS network, or objective.perceptual_weight 0."
                )
            }
            return nil
        }
        do {
            let network = try PerceptualNetwork(path: path, on: opening.device)
            let least = network.backbone.leastSize
            guard min(shape[1], shape[2]) >= least, [1, 3].contains(shape[0]) else {
                throw RecipeError(
                    "objective.perceptual: \(network.backbone.name) takes pictures of 1 or 3 channels and \(least)×\(least) pixels at least, and the data's are of shape \(shape): set data.size and data.channels, or use another network."
                )
            }
            return network
        } catch let error as CheckpointError {
            throw RecipeError("objective.perceptual: \(error)")
        } catch let error as LoadError {
            throw RecipeError("objective.perceptual: \(path): \(error)")
        }
    }

    private func discriminatorConfiguration() throws -> PatchDiscriminator.Configuration? {
        guard objective.number("adversarial_weight") > 0 else { return nil }
        let shape = data.exampleShape
        var configuration = PatchDiscriminator.Configuration(channels: shape[0])
        configuration.width = Int(objective.number("discriminator_width"))
        configuration.layers = Int(objective.number("discriminator_layers"))
        guard min(shape[1], shape[2]) >= configuration.leastSize else {
            throw RecipeError(
                "objective.discriminator_layers is \(configuration.layers), which needs pictures of \(configuration.leastSize)×\(configuration.leastSize) pixels at least, and the data's are \(shape[2])×\(shape[1]): use fewer layers."
            )
        }
        return configuration
    }

    /// The weights of an earlier autoencoder, compared with this one before any number is drawn.
    private func initialWeights() throws -> (any TensorSource)? {
        guard let path = recipe.model.from else { return nil }
        let folder = Files.exists("\(path)/model/config.json") ? "\(path)/model" : path
        do {
            _ = try Network.configuration(of: ModelFolder(folder))
            let source = try Network.weights(of: ModelFolder(folder))
            _ = try ParameterStore(.compared(source)).build { try Network(configuration, $0) }
            return source
        } catch let error as CheckpointError {
            throw RecipeError("model.from: \(error)")
        } catch let error as LoadError {
            throw RecipeError("model.from: \(path): \(error)")
        }
    }

    /// What a step holds at the least: parameters with their gradients, the optimizer's two moments and the average, and
    /// for each picture of a batch what the backward pass reads.
    private func memoryNeed(_ discriminator: PatchDiscriminator.Configuration?) throws -> MemoryNeed {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { weights in
            if let discriminator { _ = PatchDiscriminator(discriminator, weights["discriminator"]) }
            return try Network(configuration, weights)
        }
        let (training, shape) = (recipe.training, data.exampleShape)
        let copies = 4.0 + (training.emaDecay > 0 ? 1 : 0)
        // Encoder and decoder each, at full resolution alone, more than once.
        let activations = 4 * Network.traits(configuration).activationCount(height: shape[1], width: shape[2])
        let kept = activations * (training.precision == .bfloat16 ? 2 : 4)
        return MemoryNeed(
            "training.batch_size \(training.batchSize) with a \(Network.className) of \(store.parameterCount) parameters",
            bytes: Double(store.parameterCount) * 4 * copies + kept * Double(training.batchSize),
            remedy:
                "make training.batch_size smaller (training.gradient_accumulation makes up for it), or the network"
        )
    }
}
