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
        card.steps = min(evaluation.steps, diffusion.trainSteps)
        if network.pictureSize == nil {
            (card.height, card.width) = (dataset.pictureShape[1], dataset.pictureShape[2])
        }
        return card
    }
}

extension Recipe.ModelSection {
    fileprivate func network(for dataset: some Dataset) throws -> NetworkConfiguration {
        switch network {
        case .annotated(let configuration):
            guard !classConditional else {
                throw RecipeError(
                    "model.class_conditional: the annotated network knows no classes; use kind unet2d.")
            }
            return .annotated(configuration)
        case .unet2D(var configuration):
            guard !configuration.isConditional else {
                throw RecipeError(
                    "model.num_class_embeds and model.class_embed_type are not set by hand: use model.class_conditional."
                )
            }
            let shape = dataset.pictureShape
            configuration.sampleSize =
                shape[1] == shape[2] ? .square(shape[1]) : .rectangle(height: shape[1], width: shape[2])
            guard classConditional else { return .unet2D(configuration) }
            guard let classes = dataset.classCount else {
                throw RecipeError("model.class_conditional: the data have no classes; set it to false.")
            }
            // One more, which stands for none: guidance needs an unconditional branch.
            configuration.numClassEmbeds = classes + 1
            return .unet2D(configuration)
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
