import Checkpoints
import Dispatch
import Storage
import Synchronization

/// A file that a request began from: its name without the folders above it, and the sha256 of its bytes.
public struct InputFile: Codable, Sendable, Equatable {
    /// The name.
    public var name: String
    /// The sha256.
    public var sha256: String

    /// Reads a file for its digest.
    /// - Throws: `FileError` where it cannot be read.
    public init(_ path: String) throws {
        name = Files.name(of: path)
        sha256 = try DigestCache(folder: nil).sha256(ofFile: path)
    }
}

/// What a receipt holds of a model: its name and the digests of its files.
public struct ModelRecord: Sendable, Equatable {
    /// A file of weights.
    public struct File: Codable, Sendable, Equatable {
        /// The name of the model that it belongs to.
        public var model: String
        /// The part whose weights are in it, such as `unet`; absent for a file with the whole model.
        public var part: String?
        /// Its name in the part's folder.
        public var file: String
        /// The sha256 of its bytes.
        public var sha256: String
    }

    /// The model's name.
    public var name: String
    /// The sha256 of the file that the denoising network is in; of the digests of all its shards where there are
    /// several, each on a line of its own.
    public var hash: String
    /// Every file of weights that was loaded, the denoising network's first.
    public var weights: [File]
    /// One sha256 for the configurations and tokenizers of a folder; absent where the program's own describe a file.
    public var configurationHash: String?

    /// A model without files of weights.
    /// - Parameter hash: the sha256 of the file that describes it; empty for a model in memory.
    init(name: String, hash: String = "") {
        (self.name, self.hash, weights) = (name, hash, [])
    }
}

/// The digests of the weights that a run loads, worked out on another thread while it goes on: large models take
/// seconds. They are remembered in the user's cache.
public final class ModelDigests {
    /// Files of weights of a model beside the first one.
    struct Part {
        /// The model's name.
        var model: String
        /// What it is a part of the pictures as.
        var part: String
        var files: [String]
    }

    private let known: ModelRecord
    /// Left when the answer is there; a group can be waited for more than once.
    private let work = DispatchGroup()
    private let answer = Answer()

    /// The digests of a model without files of weights.
    init(_ known: ModelRecord) {
        self.known = known
        answer.value.withLock { $0 = .success([]) }
    }

    /// Begins with the digests of a model on pixels.
    /// - Throws: an error about files that cannot be opened.
    public convenience init(_ layout: ModelLayout) throws {
        try self.init(ModelSource(layout.path), [PixelAssembly.networkComponent])
    }

    /// Begins with the digests of parts of a model.
    /// - Parameters:
    ///   - components: the parts whose weights are loaded, the denoising network first.
    ///   - others: the files of other models that are loaded with it.
    /// - Throws: an error about files that cannot be opened.
    convenience init(_ source: ModelSource, _ components: [ModelComponent], beside others: [Part] = []) throws
    {
        func parts(_ components: [ModelComponent]) throws -> [(part: String?, files: [String])] {
            try components.map { ($0.rawValue, try source.weights(of: $0).files) }
        }
        // A file has all parts in it but those that others take the place of.
        let own = try source.onlyFile.map {
            try [(part: nil, files: [$0])] + parts(components.filter { source.replaced[$0] != nil })
        }
        try self.init(
            source.name, own ?? parts(components), beside: others, describedBy: source.configurations,
            looks: components.contains(.imageEncoder))
    }

    /// - Parameters:
    ///   - parts: the parts with their files, the denoising network first.
    ///   - looks: whether an encoder looks at pictures that may lie elsewhere.
    private init(
        _ name: String, _ parts: [(part: String?, files: [String])], beside others: [Part],
        describedBy layout: ModelLayout?, looks: Bool
    ) throws {
        var known = ModelRecord(name: name)
        known.configurationHash = try layout?.configurationDigest(looks: looks)
        self.known = known
        // Opened now: whatever has the names when the run is done, these are the files that were loaded.
        let all = parts.map { (name, $0.part, $0.files) } + others.map { ($0.model, $0.part, $0.files) }
        let files = try all.flatMap { model, part, files in
            try files.map { path in
                (model: model, part: part, name: Files.name(of: path), file: try OpenedFile(path))
            }
        }
        let (answer, cache) = (answer, DigestCache.user())
        DispatchQueue.global(qos: .utility).async(group: work) {
            let records = Result {
                try files.map { entry in
                    ModelRecord.File(
                        model: entry.model, part: entry.part, file: entry.name,
                        sha256: try cache.sha256(of: entry.file))
                }
            }
            answer.value.withLock { $0 = records }
        }
    }

    /// Waits for the digests.
    /// - Throws: `FileError` where a file could not be read.
    public func record() throws -> ModelRecord {
        work.wait()
        let weights = try answer.value.withLock { $0! }.get()
        guard let first = weights.first else { return known }
        let own = weights.filter { $0.part == first.part }.map(\.sha256)
        var record = known
        (record.hash, record.weights) = (own.count == 1 ? own[0] : digest(of: own), weights)
        return record
    }

    /// What the other thread leaves for this one.
    private final class Answer: Sendable {
        let value = Mutex<Result<[ModelRecord.File], any Error>?>(nil)
    }
}

extension ModelLayout {
    /// One sha256 for all that is read of the folder beside weights: `model_index.json`, the card, and the
    /// configurations and tokenizers of its parts.
    /// - Parameter looks: whether an encoder of another folder looks at pictures as this one says.
    fileprivate func configurationDigest(looks: Bool) throws -> String {
        let tokenizers = ["tokenizer", "tokenizer_2", "tokenizer_3", "prior_tokenizer"]
        // How networks that look at pictures take them.
        let hasLooking = [ModelComponent.imageEncoder, .depthEstimator].contains {
            Files.isFolder("\(path)/\($0.rawValue)")
        }
        let extractors = looks || hasLooking ? [PicturePreprocessing.folder] : []
        let folders = (ModelComponent.allCases.map(\.rawValue) + tokenizers + extractors).sorted()
        let inner = try folders.flatMap { folder in
            try Files.names(in: "\(path)/\(folder)").filter { name in
                !name.contains(".safetensors") && [".json", ".txt", ".model"].contains { name.hasSuffix($0) }
            }.map { "\(folder)/\($0)" }
        }
        let names = ["model_index.json", ModelCard.fileName].filter { Files.exists("\(path)/\($0)") } + inner
        let cache = DigestCache(folder: nil)
        return digest(of: try names.map { "\($0) \(try cache.sha256(ofFile: "\(path)/\($0)"))" })
    }
}

/// The sha256 of lines.
func digest(of lines: [String]) -> String {
    let digest = SHA256()
    Array(lines.map { $0 + "\n" }.joined().utf8).withUnsafeBytes { digest.update($0) }
    return digest.hexadecimal()
}
