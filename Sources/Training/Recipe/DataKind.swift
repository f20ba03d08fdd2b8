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
    /// Whether examples are picture files, which are brought to a size, may have transparent parts, and captions in files of
    /// their own.
    var hasPictureFiles = false
    /// Whether pictures may keep about their own shapes.
    var hasBuckets = false
    /// Whether they stream through a buffer in which they are shuffled.
    var hasShuffleBuffer = false
    /// Whether examples come with the noise that they were made from.
    var hasPairedNoise = false
    /// Whether examples are what an autoencoder made of pictures, and captions those that were encoded with them.
    var isEncoded = false
    /// Whether data at a path, a folder that holds some names where it is one, are of this kind.
    var isRecognized: @Sendable (_ path: String, _ names: [String]) -> Bool = { _, _ in false }
    /// Opens one part, pictures in their own size.
    fileprivate let open: @Sendable (_ section: Recipe.DataSection, _ path: String) throws -> any Dataset

    /// Whether captions may come with the data.
    public var holdsCaptions: Bool { hasPictureFiles || isEncoded }

    /// Every kind.
    public static let choices = [digits, idx, cifar, folder, webdataset, npz, latents, points, pairs]

    /// The hub's word for a folder.
    public static let synonyms = ["imagefolder": folder]

    /// The 1,797 handwritten digits of 8×8 pixels that come with the project.
    public static let digits = DataKind(
        word: "digits",
        documentation: "the 1,797 handwritten digits of 8×8 pixels that come with the project",
        hasPictures: true, needsPath: false
    ) { section, path in
        try DigitsDataset(
            contentsOf: URL(file: path.isEmpty ? shippedDigits() : path),
            part: .init(rawValue: section.split.word)!)
    }

    /// Pictures and labels in idx files, plain or gzip, as MNIST and Fashion-MNIST have them.
    public static let idx = DataKind(
        word: "idx", documentation: "a folder of idx files, plain or gzip, as MNIST and Fashion-MNIST come",
        hasPictures: true, needsPath: true,
        isRecognized: { _, names in names.contains { $0.hasPrefix("train-images-idx3-ubyte") } }
    ) { section, path in
        // MNIST calls what is held back its test.
        try IdxDataset(
            folder: URL(file: path),
            part: section.split == .evaluation ? .test : .init(rawValue: section.split.word)!)
    }

    /// CIFAR-10 or CIFAR-100 in their binary form.
    public static let cifar = DataKind(
        word: "cifar", documentation: "a folder of CIFAR-10's or CIFAR-100's binary files",
        hasPictures: true, needsPath: true,
        isRecognized: { _, names in
            names.contains("data_batch_1.bin") || names.contains("train.bin") && names.contains("test.bin")
        }
    ) { section, path in
        try CifarDataset(folder: URL(file: path), part: .init(rawValue: section.split.word)!)
    }

    /// A folder of pictures with one folder a class, or with labels in rows of metadata.
    public static let folder = DataKind(
        word: "folder",
        documentation:
            "a folder of pictures, one folder a class or labels in metadata.jsonl or metadata.csv",
        hasPictures: true, needsPath: true, hasPictureFiles: true, hasBuckets: true
    ) { section, path in
        let size = try section.side(of: "pictures of a folder")
        return try FolderDataset(
            folder: URL(file: path), width: size, height: size, channels: section.channels ?? 3,
            background: section.background.flatMap(Colour.init(css:)),
            part: .init(rawValue: section.split.word)!, readsCaptions: section.captions == .file,
            captionColumns: section.captionColumns,
            buckets: section.aspectBuckets(size))
    }

    /// Tar shards in the form of WebDataset, plain or gzip.
    public static let webdataset = DataKind(
        word: "webdataset",
        documentation:
            "tar shards, plain or gzip, of key.jpg beside key.txt, key.json and key.cls: a file, a folder of them, or a pattern such as train-{0000..0099}.tar",
        hasPictures: true, needsPath: true, hasPictureFiles: true, hasBuckets: true, hasShuffleBuffer: true,
        isRecognized: { path, names in
            ShardPaths.isShard(path) || path.contains("{") || names.contains(where: ShardPaths.isShard)
        }
    ) { section, path in
        let size = try section.side(of: "pictures of shards")
        return try ShardDataset(
            ShardPaths.of(path), width: size, height: size, channels: section.channels ?? 3,
            background: section.background.flatMap(Colour.init(css:)),
            part: .init(rawValue: section.split.word)!, readsCaptions: section.captions == .file,
            captionColumns: section.captionColumns, buckets: section.aspectBuckets(size),
            shuffleBuffer: section.shuffleBuffer ?? 1000)
    }

    /// Pictures in an `.npz` archive.
    public static let npz = DataKind(
        word: "npz",
        documentation:
            "a .npz file with arr_0 or images [N, height, width, channels] of bytes and, where there are classes, arr_1 or labels [N]",
        hasPictures: true, needsPath: true,
        isRecognized: { path, _ in path.hasSuffix(".npz") }
    ) { section, path in
        try NumPyPictures(contentsOf: path, part: .init(rawValue: section.split.word)!)
    }

    /// What `langevin encode` wrote.
    public static let latents = DataKind(
        word: "latents",
        documentation:
            "a folder that langevin encode wrote: the latents of pictures, their classes, encoded captions",
        hasPictures: false, needsPath: true, isEncoded: true
    ) { section, path in
        let dataset = try LatentDataset(
            folder: path, part: .init(rawValue: section.split.word)!, readsCaptions: section.captions == .file
        )
        guard !section.flip || dataset.manifest.hasMirrored else {
            throw RecipeError(
                "data.flip is true: \(path) was encoded without mirror images; encode it with them, or write false."
            )
        }
        return dataset
    }

    /// Points in a `.npz` or `.safetensors` file.
    public static let points = DataKind(
        word: "points",
        documentation:
            "a .npz or .safetensors file with points [N, D] and, where there are classes, labels [N]",
        hasPictures: false, needsPath: true
    ) { section, path in
        try TensorDataset(points: path, part: .init(rawValue: section.split.word)!)
    }

    /// Noise and the data that a model made of it, in a `.safetensors` file.
    public static let pairs = DataKind(
        word: "pairs", documentation: "noise and the data that a model made of it, in a .safetensors file",
        hasPictures: false, needsPath: true, hasPairedNoise: true
    ) { section, path in
        try TensorDataset(pairs: path, part: .init(rawValue: section.split.word)!)
    }
}

extension Recipe.DataSection {
    /// Opens the data set.
    /// - Throws: `DatasetError` or `RecipeError`, one sentence with the file.
    public func open() throws -> any Dataset {
        guard let downscale, downscale > 1 else { return try openWhole() }
        var whole = self
        (whole.downscale, whole.size) = (nil, size.map { $0 * downscale })
        func averaged(_ dataset: some Dataset) throws -> any Dataset { try dataset.averaged(by: downscale) }
        return try averaged(whole.openWhole())
    }

    /// The data before pixels are averaged.
    private func openWhole() throws -> any Dataset {
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
        self.init(named: name)
        size = shape[1]
        channels = shape[0]
        guard shape[1] == shape[2] else {
            throw RecipeError(
                "The model's pictures are \(shape[1])×\(shape[2]): data are compared at square sizes only.")
        }
    }

    /// Data that a command names in a word: `digits`, or a folder, whose kind its files show.
    public init(named name: String) {
        self.init()
        guard name != "digits" else { return }
        path = name
        let names = (try? FileManager.default.contentsOfDirectory(atPath: name)) ?? []
        kind = DataKind.choices.first { $0.isRecognized(name, names) } ?? .folder
    }

    /// Opens one part of the data set, to measure by: pictures are of one size.
    public func open(_ split: Split) throws -> any Dataset {
        var section = self
        (section.split, section.buckets) = (split, nil)
        return try section.open()
    }

    /// The sizes of pictures that keep about their own shapes; nil where all get one size.
    fileprivate func aspectBuckets(_ size: Int) throws -> AspectBuckets? {
        try buckets.map { try AspectBuckets(size: size, step: $0, ratio: bucketRatio ?? 2) }
    }

    /// The side of pictures that are brought to a size.
    fileprivate func side(of data: String) throws -> Int {
        guard let size else {
            throw RecipeError(
                "data.size: \(data) are brought to one, and there is none; give the side in pixels.")
        }
        return size
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
