import Datasets
import Diffusion
import Foundation
import Networks
import Pipelines
import Tensors
import Yams

// A recipe's words as the values that they stand for.

extension Recipe {
    /// The recipe with every key that its data decide: what a run saves, and is compared by when it is continued.
    /// - Throws: `RecipeError` where network and data do not fit together.
    func resolved(for dataset: some Dataset) throws -> Recipe {
        var recipe = filled
        recipe.model.network = try model.network(for: dataset)
        return recipe
    }

    /// The process, and how to sample it.
    /// - Throws: `RecipeError` where training knows no such combination.
    func scheduler() throws -> SchedulerConfiguration {
        let settings = filled
        guard settings.diffusion.process == .betas, settings.objective == Recipe().filled.objective,
            let prediction = Prediction.named(settings.diffusion.prediction)
        else {
            throw RecipeError(
                "diffusion.process \(diffusion.process.word) and objective.kind \(objective.kind.word) are not trained here."
            )
        }
        let diffusion = settings.diffusion
        var scheduler = SchedulerConfiguration(.ddpm)
        scheduler.trainSteps = diffusion.trainSteps ?? scheduler.trainSteps
        scheduler.betaStart = diffusion.betaStart ?? scheduler.betaStart
        scheduler.betaEnd = diffusion.betaEnd ?? scheduler.betaEnd
        scheduler.betaSchedule = diffusion.schedule ?? scheduler.betaSchedule
        scheduler.prediction = prediction
        scheduler.zeroTerminalSNR = diffusion.zeroTerminalSNR ?? false
        // diffusers' DDIM cuts the data off and leaves the noise as it was, and the two then disagree: guided
        // samples fall apart. Ancestral steps read the data alone and gain from it.
        scheduler.clipsData = evaluation.solver == .ddpm
        // A process without signal at its end must be sampled from that end.
        if scheduler.zeroTerminalSNR { scheduler.spacing = .trailing }
        return scheduler
    }

    /// The network's configuration with what follows from the data filled in.
    /// - Throws: `RecipeError` where network and data do not fit together.
    func networkConfiguration(for dataset: some Dataset) throws -> NetworkConfiguration {
        let shape = dataset.exampleShape
        let network = try model.network.networkConfiguration
        guard network.channels == shape[0], network.outputChannels == shape[0] else {
            throw RecipeError(
                "model: the network has \(network.channels) input and \(network.outputChannels) output channels and the pictures have \(shape[0]): make them agree."
            )
        }
        let multiple = network.sizeMultiple
        guard shape[1] % multiple == 0, shape[2] % multiple == 0 else {
            throw RecipeError(
                "model: the network halves pictures down to 1/\(multiple) and they are \(shape[1])×\(shape[2]): set data.size to a multiple of \(multiple)."
            )
        }
        return network
    }

    /// What the trained model will know of its own use.
    func card(for dataset: some Dataset, _ network: NetworkConfiguration) -> ModelCard {
        var card = ModelCard()
        if let classes = network.classCount {
            card.classNames = dataset.classNames
            card.nullClass = classes - 1
            card.guidance = evaluation.guidance
        }
        card.solver = evaluation.solver
        card.steps = min(evaluation.steps, filled.diffusion.trainSteps ?? .max)
        if network.pictureSize == nil {
            (card.height, card.width) = (dataset.exampleShape[1], dataset.exampleShape[2])
        }
        return card
    }
}

extension Prediction {
    fileprivate static func named(_ word: PredictionWord?) -> Prediction? {
        let table: [PredictionWord: Prediction] = [
            .noise: .noise, .data: .data, .v: .velocity, .flow: .flow, .score: .score,
        ]
        return word.flatMap { table[$0] }
    }
}

extension RecipeNetwork {
    /// The configuration as pipelines take it.
    fileprivate var networkConfiguration: NetworkConfiguration {
        get throws {
            switch configuration {
            case let configuration as UNet2DConfiguration: .unet2D(configuration)
            case let configuration as AnnotatedUNetConfiguration: .annotated(configuration)
            default: throw RecipeError("model.kind \(kind.word) is not trained here.")
            }
        }
    }
}

extension Recipe.ModelSection {
    /// The network with what the data decide.
    fileprivate func network(for dataset: some Dataset) throws -> RecipeNetwork {
        let shape = dataset.exampleShape
        let classKey = kind.dataKeys.classes
        if conditioning == .classes, dataset.classCount == nil {
            throw RecipeError("model.conditioning is class: the data have no classes; write none.")
        }
        var values: [String: Node] = [:]
        values[kind.dataKeys.input] = Node(whole: shape[0])
        values[kind.dataKeys.output] = Node(whole: shape[0])
        if let size = kind.dataKeys.size, dataset.hasPictures {
            values[size] =
                shape[1] == shape[2]
                ? Node(whole: shape[1]) : Node([Node(whole: shape[1]), Node(whole: shape[2])])
        }
        // One more class, which stands for none: guidance needs an unconditional branch.
        if let classKey, conditioning == .classes {
            values[classKey] = Node(whole: (dataset.classCount ?? 0) + 1)
        }
        do {
            let filled = try network.filled(with: values)
            let found = try classKey.flatMap { key in
                try filled.tree.first { $0.key.scalar?.string == key }?.value
            }
            if let classKey, let found, found != values[classKey] ?? .absent {
                throw RecipeError(
                    "model.\(classKey) is \(found.shown): it is not set by hand, use model.conditioning.")
            }
            return filled
        } catch let error as NetworkError {
            throw RecipeError("model.\(error.key) \(error.problem).")
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
