import Datasets
import Diffusion
import Foundation
import Networks
import Pictures
import Pipelines
import Tensors

// A recipe's words as the values that they stand for.

extension Recipe {
    /// The process that the network is trained on.
    /// - Throws: `RecipeError` where its numbers, or its prediction, make no sense.
    func process() throws -> Diffusion.Process {
        do {
            return try ProcessDescription(
                "betas",
                [
                    "schedule": .word(diffusion.schedule.rawValue),
                    "train_steps": .number(Double(diffusion.trainSteps)),
                    "beta_start": .number(diffusion.betaStart), "beta_end": .number(diffusion.betaEnd),
                    "zero_terminal_snr": .flag(diffusion.zeroTerminalSNR),
                ], prediction: diffusion.prediction.word
            ).trained(sampledBy: evaluation.solver)
        } catch let error as DiffusionError {
            throw RecipeError("diffusion: \(error).")
        }
    }

    /// The network's configuration with what follows from the data filled in.
    /// - Throws: `RecipeError` where network and data do not fit together.
    func networkConfiguration(for dataset: some Dataset) throws -> NetworkConfiguration {
        let shape = dataset.pictureShape
        let network = try model.network(for: dataset)
        guard shape.count == network.sample.rank else {
            throw RecipeError(
                "model.kind: a \(model.kind) network is one of \(network.sample)s, and the data are others: use another kind."
            )
        }
        guard network.channels == shape[0], network.outputChannels == shape[0] else {
            throw RecipeError(
                "model: the network has \(network.channels) input and \(network.outputChannels) output channels and the pictures have \(shape[0]): make them agree."
            )
        }
        try checkSize(network.traits, of: shape)
        return network
    }

    /// Checks that pictures of a shape can pass through a network, and are those that it says it was made for.
    private func checkSize(_ traits: NetworkTraits, of shape: Shape) throws {
        guard shape.count == 3 else { return }
        let (multiple, size) = (traits.sizeMultiple, "\(shape[1])×\(shape[2])")
        guard shape[1] % multiple == 0, shape[2] % multiple == 0 else {
            throw RecipeError(
                "model: the network halves pictures down to 1/\(multiple) and they are \(size): set data.size to a multiple of \(multiple)."
            )
        }
        guard max(shape[1], shape[2]) <= traits.largestSide ?? .max else {
            throw RecipeError(
                "model: the network has places for \(traits.largestSide ?? 0) pixels a side and pictures are \(size): make model.pos_embed_max_size or data.size another."
            )
        }
        if let own = traits.pictureSize, own != (shape[1], shape[2]) {
            throw RecipeError(
                model.given.contains("sample_size")
                    ? "model.sample_size is not that of the pictures, which are \(size): leave it out."
                    : "model: a \(model.kind) network is made for squares and pictures are \(size): set data.size."
            )
        }
    }

    /// What the trained model will know of its own use.
    func card(for dataset: some Dataset, _ network: NetworkConfiguration) -> ModelCard {
        var card = ModelCard()
        if !model.classConditional {
            // A network that has a table of classes all the same was trained on none of them.
            card.classNames = network.classCount.map { _ in [] }
        } else if let classes = network.classCount {
            card.classNames = dataset.classNames
            card.nullClass = classes - 1
            card.guidance = evaluation.guidance
        }
        card.solver = evaluation.solver
        card.steps = min(evaluation.steps, diffusion.trainSteps)
        if network.pictureSize == nil, dataset.pictureShape.count == 3 {
            (card.height, card.width) = (dataset.pictureShape[1], dataset.pictureShape[2])
        }
        return card
    }
}

extension Recipe.ModelSection {
    /// The network with what follows from the data filled in.
    fileprivate func network(for dataset: some Dataset) throws -> NetworkConfiguration {
        if network.labels?.isRequired == true {
            throw RecipeError(
                "model.num_class_embeds and model.class_embed_type are not set by hand: use model.class_conditional."
            )
        }
        var demands = NetworkDemands(sample: dataset.pictureShape, given: given)
        if classConditional {
            guard let classes = dataset.classCount else {
                throw RecipeError("model.class_conditional: the data have no classes; set it to false.")
            }
            // One more, which stands for none: guidance needs an unconditional branch.
            demands.classes = classes + 1
        }
        let fitted: NetworkConfiguration
        do {
            fitted = try network.fitted(to: demands)
        } catch let error as NetworkError {
            throw RecipeError("model.\(error.key) \(error.problem).")
        }
        try checkConditions(fitted.traits, demands)
        return fitted
    }

    /// Checks that a network is conditioned on what a recipe gives it, and on nothing else.
    private func checkConditions(_ traits: NetworkTraits, _ demands: NetworkDemands) throws {
        if let feature = traits.context ?? traits.pooled {
            throw RecipeError(
                "model.kind: a \(kind) network reads a context (\(feature.key)), and this recipe gives it none: use another kind, or blocks without cross attention."
            )
        }
        if traits.numbers != nil || traits.guidanceWidth != nil {
            throw RecipeError(
                "model.kind: this \(kind) network reads sizes or a guidance scale, which recipes do not give: set addition_embed_type and time_cond_proj_dim to null."
            )
        }
        guard classConditional else {
            guard traits.labels?.isRequired != true, !given.contains("num_embeds_ada_norm") else {
                throw RecipeError(
                    "model.class_conditional is false, and the network has a table of classes: leave out their number, or set it to true."
                )
            }
            return
        }
        guard let count = traits.classCount else {
            throw RecipeError("model.class_conditional: a \(kind) network knows no classes: set it to false.")
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

extension Recipe.DataSection {
    /// Opens the data set.
    /// - Throws: `DatasetError` or `RecipeError`, one sentence with the file.
    public func open() throws -> any Dataset {
        func coloured(_ dataset: some Dataset) throws -> any Dataset {
            guard let channels, channels != dataset.pictureShape[0] else { return dataset }
            return try dataset.converted(toChannels: channels)
        }
        func sized(_ dataset: some Dataset) throws -> any Dataset {
            let shape = dataset.pictureShape
            guard let size, shape[1] != size || shape[2] != size else { return dataset }
            return try dataset.padded(toHeight: size, width: size)
        }
        func shaped(_ dataset: some Dataset) throws -> any Dataset { try sized(coloured(dataset)) }
        switch kind {
        case .digits:
            return try shaped(
                DigitsDataset(
                    contentsOf: URL(fileURLWithPath: path ?? Self.shippedDigits()), part: split.digits))
        case .idx:
            return try shaped(IdxDataset(folder: URL(fileURLWithPath: needed(path)), part: split.idx))
        case .folder:
            guard let size else {
                throw RecipeError("data.size: a folder of pictures needs one; give the side in pixels.")
            }
            return try FolderDataset(
                folder: URL(fileURLWithPath: needed(path)), width: size, height: size,
                channels: channels ?? 3,
                background: background.flatMap(Colour.init(css:)), part: split.folder)
        }
    }

    private func needed(_ path: String?) throws -> String {
        guard let path else {
            throw RecipeError("data.path: data of kind \(kind.rawValue) need one; give it.")
        }
        return path
    }

    /// The digits that come with the project: below the working folder, or beside the program's own tree.
    private static func shippedDigits() throws -> String {
        let inner = "data/digits/digits.csv.gz"
        var places = [URL(fileURLWithPath: FileManager.default.currentDirectoryPath)]
        if var place = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent() {
            for _ in 0..<5 {
                places.append(place)
                place.deleteLastPathComponent()
            }
        }
        for place in places where FileManager.default.fileExists(atPath: place.appending(path: inner).path) {
            return place.appending(path: inner).path
        }
        throw RecipeError(
            "data.path: the project's digits (\(inner)) are not below the working folder; give their path.")
    }

    /// Data that a command names in a word: `digits`, a folder of idx files, or a folder of class folders,
    /// brought to the shape of a model's pictures.
    /// - Parameter shape: `[channels, height, width]`
    public init(named name: String, shape: Shape) throws {
        self.init()
        size = shape[1]
        channels = shape[0]
        guard shape[1] == shape[2] else {
            throw RecipeError(
                "The model's pictures are \(shape[1])×\(shape[2]): data are compared at square sizes only.")
        }
        guard name != "digits" else { return }
        path = name
        let names = (try? FileManager.default.contentsOfDirectory(atPath: name)) ?? []
        kind = names.contains { $0.hasPrefix("train-images-idx3-ubyte") } ? .idx : .folder
    }

    /// Opens one part of the data set.
    public func open(_ split: Split) throws -> any Dataset {
        var section = self
        section.split = split
        return try section.open()
    }
}

extension Recipe.DataSection.Split {
    fileprivate var digits: DigitsDataset.Part {
        switch self {
        case .train: .train
        case .evaluation: .evaluation
        case .all: .all
        }
    }

    fileprivate var idx: IdxDataset.Part {
        switch self {
        case .train: .train
        case .evaluation: .test
        case .all: .all
        }
    }

    fileprivate var folder: FolderDataset.Part {
        switch self {
        case .train: .train
        case .evaluation: .evaluation
        case .all: .all
        }
    }
}
