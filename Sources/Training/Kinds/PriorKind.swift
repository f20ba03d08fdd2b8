import Datasets
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

// unCLIP's priors: their rows, and their parts.

extension ModelKind {
    /// `prior`
    static let prior = ModelKind(
        "prior", classNames: [PriorTransformer.className],
        summary: "unCLIP's diffusion prior, from a text to CLIP's embedding of a picture",
        objectives: [OwnObjective("denoising", [])], readsProcess: true, readsCLIP: .atEqualWidths,
        settings: PriorTransformerConfiguration.self,
        fittedKeys: PriorTransformerConfiguration.fittedKeys,
        fit: { $0.fitted(to: $1) },
        check: { try $0.checkDiffusionPrior() },
        resolve: { try $0.resolvedPrior(for: $1, CLIPPlan($0, on: .cpu)) },
        parts: { try $0.diffusionPriorParts($1) })

    /// `autoregressive-prior`
    static let autoregressivePrior = ModelKind(
        "autoregressive-prior", classNames: [AutoregressivePrior.className],
        summary: "unCLIP's autoregressive prior, one principal component of the embedding after the other",
        objectives: [OwnObjective("cross-entropy", [])], readsCLIP: .atAnyWidths,
        settings: AutoregressivePriorConfiguration.self,
        fittedKeys: AutoregressivePriorConfiguration.fittedKeys,
        fit: { $0.fitted(to: $1) },
        check: { try $0.checkPrior() },
        resolve: { try $0.resolvedPrior(for: $1, CLIPPlan($0, on: .cpu)) },
        parts: { try $0.autoregressivePriorParts($1) })
}

extension Recipe {
    /// Checks what a prior needs of the data.
    fileprivate func checkPrior() throws {
        try checkPlainPictures()
        guard data.captions != .none else {
            throw RecipeError(
                "data.captions is none, and model.kind \(model.kind.word) learns from pairs of texts and pictures: write class-names or another source of captions."
            )
        }
    }

    fileprivate func checkDiffusionPrior() throws {
        try checkPrior()
        try checkObjective()
    }

    /// The recipe with what follows from the CLIP.
    fileprivate func resolvedPrior(for data: any Dataset, _ clip: CLIPPlan) throws -> Recipe {
        try clip.check(data)
        var recipe = self
        recipe.model.network = try fittedModel(to: clip.demands)
        try recipe.checkWidths(clip)
        return recipe
    }

    /// Throws where keys that were given are not those of the CLIP.
    private func checkWidths(_ clip: CLIPPlan) throws {
        let wanted = try fittedToCLIP(clip)
        let (own, fitted) = (model.network.typedTree, wanted.typedTree)
        for (key, value) in own where fitted[key] != value {
            throw RecipeError(
                "model.\(key.scalar?.string ?? "") is \(value.shown), and model.clip has \(fitted[key]?.shown ?? "none"): leave it out."
            )
        }
    }

    /// The network with nothing given that the CLIP decides.
    private func fittedToCLIP(_ clip: CLIPPlan) throws -> RecipeNetwork {
        var demands = clip.demands
        demands.given = []
        return RecipeNetwork(
            model.kind, try model.kind.settings.fitted(model.network.settings, demands))
    }

    private func settings<Settings>(as type: Settings.Type) -> Settings {
        guard let settings = model.network.settings as? Settings else {
            preconditionFailure("a model of kind \(model.kind.word) has no \(Settings.self)")
        }
        return settings
    }

    fileprivate func checkMemory<Network>(
        _ className: String, activations: Double, _ opening: ModelKind.Opening,
        _ build: (Weights) throws -> Network
    ) throws {
        let shapes = ParameterStore(.shapesOnly)
        _ = try shapes.build(build)
        try memoryNeed(
            of: shapes, className, activations: activations, pictures: opening.data.exampleShape
        ).check(on: opening.device)
    }

    /// The parts of a run of a diffusion prior.
    fileprivate func diffusionPriorParts(_ opening: ModelKind.Opening) throws -> TrainingParts {
        let clip = try CLIPPlan(filled, on: opening.device)
        let recipe = try filled.resolvedPrior(for: opening.data, clip)
        let process = try recipe.process()
        _ = try recipe.sheetSampler(on: process)
        let configuration = recipe.settings(as: PriorTransformerConfiguration.self)
        try recipe.checkMemory(
            PriorTransformer.className, activations: configuration.activationCount, opening
        ) { try PriorTransformer(configuration, $0) }
        let store = try ParameterStore(trainedBy: recipe)
        let network = try store.build { try PriorTransformer(configuration, $0) }
        let task = DenoisingTask(
            store: store, student: network, objective: try recipe.embeddingObjective(on: process))
        task.codec = EmbeddingCodec(clip: clip)
        task.conditioner = EmbeddingConditioner(
            clip: clip, textDropout: recipe.diffusion.conditionDropout ?? 0)
        var parts = TrainingParts(recipe: recipe, data: opening.data, task: task)
        parts.output = TrainedPrior(
            type: PriorTransformer.self, configuration: configuration, process: process,
            card: recipe.embeddingCard(process), clip: clip)
        return parts
    }

    /// The parts of a run of an autoregressive prior.
    fileprivate func autoregressivePriorParts(_ opening: ModelKind.Opening) throws -> TrainingParts {
        let clip = try CLIPPlan(filled, on: opening.device)
        let recipe = try filled.resolvedPrior(for: opening.data, clip)
        let configuration = recipe.settings(as: AutoregressivePriorConfiguration.self)
        guard opening.data.count > configuration.components else {
            throw RecipeError(
                "model.components is \(configuration.components), and the data hold \(opening.data.count) pictures: write fewer components than pictures."
            )
        }
        try recipe.checkMemory(
            AutoregressivePrior.className, activations: configuration.activationCount, opening
        ) { try AutoregressivePrior(configuration, $0) }
        let store = try ParameterStore(trainedBy: recipe)
        let network = try store.build { try AutoregressivePrior(configuration, $0) }
        let task = AutoregressiveTask(
            store: store, network: network, clip: clip, dropout: recipe.model.textDropout ?? 0)
        let share = try task.fitQuantizer(to: opening.data)
        if share < 0.9 {
            opening.warn(
                "model.components is \(configuration.components): they hold \(Int(share * 100)) % of the variance of the embeddings; more hold more of it"
            )
        }
        var parts = TrainingParts(recipe: recipe, data: opening.data, task: task)
        parts.output = TrainedPrior(
            type: AutoregressivePrior.self, configuration: configuration, process: nil,
            card: recipe.embeddingCard(nil), clip: clip)
        return parts
    }
}

/// The model of a run of a prior: a folder of it and CLIP's encoder of texts. Embeddings are no pictures, so there are no sheets.
private struct TrainedPrior<Network: ConfiguredNetwork>: TrainingOutput {
    let type: Network.Type
    let configuration: Network.Configuration
    let process: Diffusion.Process?
    let card: ModelCard
    let clip: CLIPPlan

    var metadata: [String: String] {
        get throws { ["format": "pt", "config": JSONValue.object(try type.json(configuration)).text] }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        // diffusers has no autoregressive prior.
        let library = process == nil ? "langevin" : nil
        try ModelLayout.replacing(path) { aside in
            try ModelLayout(aside).write(
                prior: [
                    .init(.prior, type, configuration, parameters, library: library), clip.textPart,
                ], process: process, card: card, rest: clip.writeTokenizer)
        }
    }

    func sheet(_ parameters: TensorDictionary) -> Picture? { nil }
}
