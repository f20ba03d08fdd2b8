import Datasets
import Diffusion
import Networks
import Pipelines
import Tensors

// A recipe's words as the values that they stand for.

extension Recipe {
    /// The recipe with every key that its data decide: what a run saves, and is compared by when it is continued.
    /// - Throws: `RecipeError` where network, conditioning and data do not fit together.
    func resolved(for dataset: any Dataset) throws -> Recipe { try model.kind.resolve(filled, dataset) }

    /// The same of a network that denoises.
    func resolvedDenoiser(for dataset: any Dataset) throws -> Recipe {
        try resolved(for: dataset, DenoiserPlan(filled, dataset))
    }

    /// The same, with the plan of what stands beside the network.
    func resolved(for dataset: any Dataset, _ plan: DenoiserPlan) throws -> Recipe {
        var recipe = filled
        recipe.model.textTokens = plan.text?.length
        recipe.model.network = try recipe.network(for: dataset, plan)
        return recipe
    }

    /// The process that the network is trained on.
    /// - Throws: `RecipeError` where its values, or its prediction, make no sense.
    func process() throws -> Diffusion.Process {
        do {
            return try processDescription.trained(sampledBy: evaluation.solver)
        } catch let error as DiffusionError {
            throw RecipeError("diffusion: \(error).")
        }
    }

    /// The loss.
    /// - Throws: `RecipeError` that names the keys that do not go together.
    func objective(on process: Diffusion.Process, for dataset: any Dataset) throws -> any Objective {
        let context = ObjectiveContext(
            process, word: diffusion.process.word, hasPairedNoise: data.kind.hasPairedNoise)
        do {
            return try objective.settings(
                decodesPixels: dataset.hasPictures && model.autoencoder == nil
            ).objective(on: context)
        } catch let error as DiffusionError {
            throw RecipeError("\(error).")
        }
    }

    /// What the trained model will know of its own use.
    func card(for dataset: any Dataset, _ process: Diffusion.Process) -> ModelCard {
        let network = model.network.configuration
        var card = ModelCard()
        if model.conditioning == .classes {
            card.classNames = dataset.classNames
            // Of a network that attends to a table of classes, the table's last row.
            card.nullClass = network.classCount.map { $0 - 1 } ?? dataset.classCount
        } else if network.classCount != nil {
            // A network that has a table of classes all the same was trained on none of them.
            card.classNames = []
        }
        if model.conditioning != .none {
            (card.guidance, card.guidanceSchedule) = (evaluation.guidance, evaluation.guidanceSchedule)
        }
        card.solver = evaluation.solver
        card.steps = min(evaluation.steps, process.schedule.wholeTimeCount ?? .max)
        if network.pictureSize == nil, dataset.hasPictures, model.autoencoder == nil {
            (card.height, card.width) = (dataset.exampleShape[1], dataset.exampleShape[2])
        }
        return card
    }
}

// MARK: - The network

extension Recipe {
    /// The network with what follows from the data filled in.
    private func network(for dataset: any Dataset, _ plan: DenoiserPlan) throws -> RecipeNetwork {
        let shape = plan.sample
        var demands = NetworkDemands(sample: shape)
        demands.learnsVariance = try learnsVariance
        if model.conditioning == .classes {
            guard let classes = dataset.classCount else {
                throw RecipeError("model.conditioning is class: the data have no classes; write none.")
            }
            // One more, which stands for none: guidance needs an unconditional branch.
            demands.classes = plan.classTokens == nil ? classes + 1 : nil
        }
        let textWidth = plan.text?.configuration.hiddenSize
        demands.tokens = plan.text.map { text in
            .init(length: text.length, vocabulary: text.configuration.vocabSize)
        }
        demands.textLayers = plan.text?.configuration.numHiddenLayers
        demands.contextWidth = textWidth ?? plan.classTokens.map { _ in DenoiserPlan.classTokenWidth }
        demands.pooledWidth = textWidth
        let noisesSmaller = (diffusion.augmentation ?? 0) > 0
        demands.noisesLowResolution = noisesSmaller
        let kind = model.kind
        let kindTraits = RecipeNetwork(kind).configuration.traits
        guard kindTraits.sample.rank == shape.rank else {
            throw RecipeError(
                "model.kind is \(kind.word), a network of \(kindTraits.sample)s, and examples of data.kind \(data.kind.word) are of shape \(shape): use another."
            )
        }
        let fitted = try fittedModel(to: demands)
        let traits = fitted.configuration.traits
        try checkChannels(traits, demands)
        try checkSize(traits, of: shape)
        try checkEnlargement(traits, plan)
        if plan.classTokens == nil { try checkConditions(traits, demands) }
        try checkTimes(traits)
        return fitted
    }

    /// Whether the loss needs a variance beside each value.
    private var learnsVariance: Bool {
        get throws { try ObjectiveWords.kinds(WordChoice(objective.kind)).learnsVariance }
    }

    /// Throws where a network that takes the logarithm of times is given such as have none.
    private func checkTimes(_ traits: NetworkTraits) throws {
        guard let key = traits.positiveTimeKey else { return }
        let process = try processDescription.process
        let least = process.schedule.level(at: process.schedule.time(atShare: 1e-6))
        guard process.parameterization.time(least) <= 0 else { return }
        throw RecipeError(
            "model.\(key): the network takes the logarithm of times, and diffusion.process \(diffusion.process.word) has times of 0 or below: leave \(key) out."
        )
    }

    /// Checks that what is set for networks that enlarge pictures goes with such a network and its data.
    private func checkEnlargement(_ traits: NetworkTraits, _ plan: DenoiserPlan) throws {
        guard let enlargement = traits.enlargement else {
            let keys = [
                ("augmentation", diffusion.augmentation), ("augmentation_blur", diffusion.augmentationBlur),
            ]
            guard let key = keys.first(where: { $0.1 != nil }) else { return }
            throw RecipeError(
                "diffusion.\(key.0) is of networks that enlarge pictures, and this one draws them: leave it out, or give model.kind adm or efficient-unet and model.low_resolution_factor."
            )
        }
        guard plan.latents == nil else {
            throw RecipeError(
                "model.low_resolution_factor enlarges pictures, and model.autoencoder makes latents of them: leave one of them out."
            )
        }
        guard enlargement.readsNoiseLevel == ((diffusion.augmentation ?? 0) > 0) else {
            throw RecipeError(
                "model.noise_level_embedding says whether the network reads the noise level of diffusion.augmentation, and they do not agree: leave it out."
            )
        }
        let (factor, shape) = (enlargement.factor, plan.sample)
        guard shape[1] % factor == 0, shape[2] % factor == 0 else {
            throw RecipeError(
                "model.low_resolution_factor is \(factor), which does not divide pictures of \(shape[2])×\(shape[1]): set data.size to a multiple of it."
            )
        }
    }

    private func checkChannels(_ traits: NetworkTraits, _ demands: NetworkDemands) throws {
        let (channels, outputs) = (demands.channels ?? 0, demands.outputChannels ?? 0)
        guard traits.channels == channels, traits.outputChannels == outputs else {
            throw RecipeError(
                "model: the network has \(traits.channels) input and \(traits.outputChannels) output channels, and data.kind \(data.kind.word) with objective.kind \(objective.kind) needs \(channels) and \(outputs): leave them out."
            )
        }
    }

    /// Checks that pictures of a shape can pass through a network, and are of the size in its configuration.
    private func checkSize(_ traits: NetworkTraits, of shape: Shape) throws {
        guard shape.rank == 3 else { return }
        let (multiple, size) = (traits.sizeMultiple, "\(shape[1])×\(shape[2])")
        let samples = model.autoencoder == nil ? "pictures" : "latents"
        guard shape[1] % multiple == 0, shape[2] % multiple == 0 else {
            throw RecipeError(
                "model: the network halves \(samples) down to 1/\(multiple) and they are \(size): set data.size to a multiple of \(multiple)\(model.autoencoder == nil ? "" : " latents")."
            )
        }
        guard max(shape[1], shape[2]) <= traits.largestSide ?? .max else {
            throw RecipeError(
                "model: the network has places for \(traits.largestSide ?? 0) pixels a side and \(samples) are \(size): make model.pos_embed_max_size or data.size another."
            )
        }
        try checkBuckets(traits)
        if let own = traits.pictureSize, own != (shape[1], shape[2]) {
            throw RecipeError(
                model.network.given.contains("sample_size")
                    ? "model.sample_size is not that of the \(samples), which are \(size): leave it out."
                    : "model: a \(model.kind.word) network is made for squares and \(samples) are \(size): set data.size."
            )
        }
    }

    /// Checks that a network is conditioned on what the recipe gives it, and on nothing else.
    private func checkConditions(_ traits: NetworkTraits, _ demands: NetworkDemands) throws {
        let (kind, conditioning) = (model.kind.word, model.conditioning)
        let key = (traits.context ?? traits.pooled)?.key ?? traits.tokens.map { _ in "text_ctx" }
        if let key, conditioning != .text {
            throw RecipeError(
                "model.conditioning is \(conditioning.word), and a network of model.kind \(kind) reads a text (\(key)): write text, or use another kind or blocks without cross attention."
            )
        }
        guard conditioning != .text || traits.context != nil || traits.tokens != nil else {
            throw RecipeError(
                "model.conditioning is text, and this network of model.kind \(kind) reads none: use unet2d-condition with blocks that have cross attention, mmdit or glide."
            )
        }
        guard !traits.inpaints else {
            throw RecipeError(
                "model.inpaints is true, and recipes hide no part of pictures that could be made anew: leave it out."
            )
        }
        guard traits.guidanceWidth == nil else {
            throw RecipeError(
                "model: this \(kind) network reads a guidance scale, which recipes do not give: set time_cond_proj_dim to null."
            )
        }
        if let numbers = traits.numbers { try checkNumbers(numbers, demands) }
        guard conditioning == .classes else {
            guard traits.labels?.isRequired != true, !model.network.given.contains("num_embeds_ada_norm")
            else {
                throw RecipeError(
                    "model.conditioning is \(conditioning.word), and the network has a table of classes: leave out their number, or write class."
                )
            }
            return
        }
        guard let count = traits.classCount else {
            throw RecipeError(
                "model.conditioning is class, and a network of model.kind \(kind) knows no classes: write none."
            )
        }
        guard count >= demands.classes ?? 0 else {
            throw RecipeError(
                "model: the network has places for \(count) classes, the one that stands for none included, and the data need \(demands.classes ?? 0): leave the number out."
            )
        }
    }
}

extension Recipe.TrainingSection.MemoryFormat {
    /// The order as tensors know it.
    var format: MemoryFormat {
        switch self {
        case .contiguous: .contiguous
        case .channelsLast: .channelsLast
        }
    }
}
