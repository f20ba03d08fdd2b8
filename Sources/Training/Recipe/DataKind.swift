import Datasets
import Foundation
import Pictures
import Storage
import Tensors

/// A form that data come in: its word, and how it is opened.
public struct DataKind: RecipeRow {
    /// The word in a recipe.
    public let word: String
    /// What it is.
    let documentation: String
    /// Whether examples are pictures, which have a size, channels and a mirror image.
    let hasPictures: Bool
    /// Whether they are at `data.path`.
    let needsPath: Bool
    /// Whether pictures may have captions in a file of their own.
    let hasCaptionFile: Bool
    /// Whether examples come with the noise that they were made from.
    var hasPairedNoise = false
    /// With what the name of a file begins by which a folder of this kind is recognized; `nil` where none is.
    var fileMark: String?
    /// Opens one part, pictures in their own size.
    fileprivate let open: @Sendable (_ section: Recipe.DataSection, _ path: String) throws -> any Dataset

    /// Every kind.
    public static let choices = [digits, idx, cifar, folder, points, pairs]

    /// The hub's word for a folder.
    public static let synonyms = ["imagefolder": folder]

    /// The 1,797 handwritten digits of 8×8 pixels that come with the project.
    public static let digits = DataKind(
        word: "digits",
        documentation: "the 1,797 handwritten digits of 8×8 pixels that come with the project",
        hasPictures: true, needsPath: false, hasCaptionFile: false
    ) { section, path in
        try DigitsDataset(
            contentsOf: URL(file: path.isEmpty ? shippedDigits() : path),
            part: .init(rawValue: section.split.word)!)
    }

    /// Pictures and labels in idx files, plain or gzip, as MNIST and Fashion-MNIST have them.
    public static let idx = DataKind(
        word: "idx", documentation: "a folder of idx files, plain or gzip, as MNIST and Fashion-MNIST come",
        hasPictures: true, needsPath: true, hasCaptionFile: false, fileMark: "train-images-idx3-ubyte"
    ) { section, path in
        // MNIST calls what is held back its test.
        try IdxDataset(
            folder: URL(file: path),
            part: section.split == .evaluation ? .test : .init(rawValue: section.split.word)!)
    }

    /// CIFAR-10 in its binary form.
    public static let cifar = DataKind(
        word: "cifar", documentation: "a folder of CIFAR-10's binary files",
        hasPictures: true, needsPath: true, hasCaptionFile: false, fileMark: "data_batch_1.bin"
    ) { section, path in
        try CifarDataset(folder: URL(file: path), part: .init(rawValue: section.split.word)!)
    }

    /// A folder of pictures with one folder a class, or with labels in `metadata.jsonl`.
    public static let folder = DataKind(
        word: "folder", documentation: "a folder of pictures, one folder a class or labels in metadata.jsonl",
        hasPictures: true, needsPath: true, hasCaptionFile: true
    ) { section, path in
        guard let size = section.size else {
            throw RecipeError("data.size: a folder of pictures needs one; give the side in pixels.")
        }
        return try FolderDataset(
            folder: URL(file: path), width: size, height: size, channels: section.channels ?? 3,
            background: section.background.flatMap(Colour.init(css:)),
            part: .init(rawValue: section.split.word)!, readsCaptions: section.captions == .file)
    }

    /// Points in a `.npz` or `.safetensors` file.
    public static let points = DataKind(
        word: "points",
        documentation:
            "a .npz or .safetensors file with points [N, D] and, where there are classes, labels [N]",
        hasPictures: false, needsPath: true, hasCaptionFile: false
    ) { section, path in
        try TensorDataset(points: path, part: .init(rawValue: section.split.word)!)
    }

    /// Noise and the data that a model made of it, in a `.safetensors` file.
    public static let pairs = DataKind(
        word: "pairs", documentation: "noise and the data that a model made of it, in a .safetensors file",
        hasPictures: false, needsPath: true, hasCaptionFile: false, hasPairedNoise: true
    ) { section, path in
        try TensorDataset(pairs: path, part: .init(rawValue: section.split.word)!)
    }
}

extension Recipe.DataSection {
    /// Opens the data set.
    /// - Throws: `DatasetError` or `RecipeError`, one sentence with the file.
    public func open() throws -> any Dataset {
        if kind.needsPath, path?.isEmpty != false {
            throw RecipeError("data.path: data of kind \(kind.word) need one; give it.")
        }
        func coloured(_ dataset: some Dataset) throws -> any Dataset {
            guard let channels, channels != dataset.exampleShape[0] else { return dataset }
            return try dataset.converted(toChannels: channels)
        }
        func sized(_ dataset: some Dataset) throws -> any Dataset {
            let shape = dataset.exampleShape
            guard let size, shape[1] != size || shape[2] != size else { return dataset }
            return try dataset.padded(toHeight: size, width: size)
        }
        let opened = try kind.open(self, path ?? "")
        let shaped = kind.hasPictures ? try sized(coloured(opened)) : opened
        return captions == .classNames ? try ClassCaptions(shaped) : shaped
    }

    /// Data that a command names in a word: `digits`, or a folder, whose kind its files show, brought to the
    /// shape of a model's pictures.
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
        kind =
            DataKind.choices.first { kind in
                kind.fileMark.map { mark in names.contains { $0.hasPrefix(mark) } } ?? false
            } ?? .folder
    }

    /// Opens one part of the data set.
    public func open(_ split: Split) throws -> any Dataset {
        var section = self
        section.split = split
        return try section.open()
    }
}

/// The digits that come with the project: below the working folder, or beside the program's own tree.
private func shippedDigits() throws -> String {
    let inner = "data/digits/digits.csv.gz"
    var places = [URL(file: FileManager.default.currentDirectoryPath)]
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
