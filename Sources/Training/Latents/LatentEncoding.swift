import Checkpoints
import Datasets
import Networks
import Pipelines
import Storage
import Tensors

/// Latents of a data set and embeddings of its captions, computed once: what an autoencoder and a text encoder that stay
/// as they are make of every picture and text, written as a folder that `data.kind: latents` reads.
///
/// Moments are kept and not samples, so that training still draws latents anew in every step. Memory is that of a batch and
/// of one file of the result.
public struct LatentEncoding {
    /// How much is written.
    public struct Progress: Sendable {
        /// Examples that are encoded.
        public let done: Int
        /// Examples in all.
        public let total: Int
    }

    /// A part of the data.
    private struct Part {
        let name: String
        let dataset: any Dataset
    }

    /// Bytes of the tensors of one file.
    package static let fileByteCount = 64 << 20

    private let section: Recipe.DataSection
    private let autoencoder: StoredAutoencoder
    private let text: TextPlan?
    private let parts: [Part]
    private let batchSize: Int
    private let device: Device
    private let warn: (String) -> Void

    /// Opens data and models, and checks that they fit.
    ///
    /// - Parameters:
    ///   - data: the data. Where they are mirrored, the mirror images are encoded, too; where they have captions, those.
    ///     A folder's pictures have the size for which the autoencoder was made where none is given.
    ///   - autoencoder: a model, or the folder of its autoencoder.
    ///   - textEncoder: a model, or the folder of its text encoder; `nil` keeps captions as texts alone.
    ///   - textTokens: tokens of a text; as many as the encoder reads where `nil`.
    ///   - split: the part to encode; both parts, learnt from and held back, where `nil`.
    ///   - batchSize: pictures that pass together.
    ///   - warn: gets a sentence about whatever is passed over.
    /// - Throws: `RecipeError`, `DatasetError`, `PipelineError`, each a sentence.
    public init(
        _ data: Recipe.DataSection, autoencoder path: String, textEncoder: String? = nil,
        textTokens: Int? = nil, split: Recipe.DataSection.Split? = nil, batchSize: Int = 16,
        on device: Device = .cpu, warn: @escaping (String) -> Void = { _ in }
    ) throws {
        guard data.kind.hasPictures else {
            throw RecipeError("data.kind is \(data.kind.word): only pictures are encoded as latents.")
        }
        autoencoder = try StoredAutoencoder(path)
        section = data.fitted(to: autoencoder.configuration.traits)
        (self.batchSize, self.device, self.warn) = (batchSize, device, warn)
        parts = try Self.parts(section, split, warn)
        let shape = parts[0].dataset.exampleShape
        try autoencoder.check(picture: shape, "data.size")
        let isText = data.captions != .none
        text = try isText ? textEncoder.map { try TextPlan(folder: $0, tokens: textTokens) } : nil
        try autoencoder.memoryNeed(batch: batchSize, pictures: shape).check(on: device)
    }

    private static func parts(
        _ section: Recipe.DataSection, _ split: Recipe.DataSection.Split?, _ warn: (String) -> Void
    ) throws -> [Part] {
        func opened(_ split: Recipe.DataSection.Split) throws -> Part {
            do {
                return Part(name: split.word, dataset: try section.open(split))
            } catch let error as DatasetError {
                throw RecipeError("data.path: \(error)")
            }
        }
        let first = try opened(split ?? .train)
        guard first.dataset.count > 0 else {
            throw RecipeError("data.split: the part \(first.name) has no pictures; encode another.")
        }
        guard split == nil else { return [first] }
        do {
            let heldOut = try opened(.evaluation)
            return heldOut.dataset.count > 0 ? [first, heldOut] : [first]
        } catch {
            warn("nothing that is held back is encoded: \(error)")
            return [first]
        }
    }

    /// Examples in all parts.
    public var count: Int { parts.reduce(0) { $0 + $1.dataset.count } }

    /// The shape of the latents of a picture.
    public var latentShape: Shape {
        autoencoder.configuration.traits.latentShape(of: parts[0].dataset.exampleShape)
    }

    // MARK: Writing

    /// Encodes everything into a folder, which takes its name when it is whole.
    /// - Parameters:
    ///   - path: the folder, which must not be there yet.
    ///   - isInterrupted: called between batches; `true` gives up, and nothing is left.
    ///   - report: gets the progress after every batch.
    /// - Returns: the description of the folder; `nil` where it was interrupted.
    /// - Throws: `PipelineError`, `DatasetError`, errors that name a file.
    public func write(
        to path: String, isInterrupted: () -> Bool = { false }, report: (Progress) -> Void = { _ in }
    ) throws -> LatentManifest? {
        guard !Files.exists(path) else {
            throw PipelineError("'\(path)' is there already: give another name")
        }
        try Files.checkPlace(ofFolder: path)
        var manifest = try self.manifest()
        let network = try autoencoder.network(on: device)
        let texts = try text.flatMap { plan in
            try plan.frozen(on: device).map {
                PromptEncoder(plan.tokenizer, $0, length: plan.length, givesPooled: true)
            }
        }
        var done = 0
        do {
            try ModelLayout.replacing(path) { aside in
                try Files.createFolder(aside)
                for part in parts {
                    let writer = LatentFileWriter(
                        network: network, texts: texts, manifest: manifest, device: device,
                        batchSize: batchSize)
                    let files = try writer.write(part.dataset, named: part.name, to: aside) { count in
                        if isInterrupted() { throw GivenUp() }
                        done += count
                        report(Progress(done: done, total: self.count))
                    }
                    manifest.parts.append(.init(name: part.name, files: files))
                }
                try Files.replace(
                    "\(aside)/\(LatentManifest.fileName)", with: sortedJSON(manifest, isIndented: true))
            }
        } catch is GivenUp {
            return nil
        }
        for part in parts { for sentence in part.dataset.findings.sentences() { warn(sentence) } }
        return manifest
    }

    /// Encoding was given up.
    private struct GivenUp: Error {}

    private func manifest() throws -> LatentManifest {
        let (dataset, traits) = (parts[0].dataset, autoencoder.configuration.traits)
        let scaling = try autoencoder.scaling()
        var manifest = LatentManifest(
            autoencoder: .init(
                className: autoencoder.configuration.type.className, digest: try autoencoder.digest(),
                scalingFactor: scaling.factor, shift: scaling.shift),
            latentShape: latentShape.extents, pictureShape: dataset.exampleShape.extents,
            hasDeviations: traits.hasDistribution, hasMirrored: section.flip,
            hasCaptions: section.captions != .none, classNames: dataset.classNames)
        manifest.textEncoder = try text.map { plan in
            .init(
                digest: try plan.digest(), width: plan.configuration.hiddenSize, tokens: plan.length)
        }
        return manifest
    }
}

extension Recipe.DataSection {
    /// The data in the channels that an autoencoder takes, and a folder's in the size that it was made for, where they are
    /// not given.
    func fitted(to autoencoder: AutoencoderTraits) -> Recipe.DataSection {
        var fitted = self
        guard kind.hasPictures else { return fitted }
        if channels == nil, [1, 3].contains(autoencoder.channels) { fitted.channels = autoencoder.channels }
        if size == nil, kind.hasPictureFiles, let own = autoencoder.pictureSize, own.height == own.width {
            fitted.size = own.height
        }
        return fitted
    }
}
