import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// An autoencoder that is there already: that of a model, or one in a folder of its own. Its weights are mapped.
public struct StoredAutoencoder: Sendable {
    /// What it was named by.
    public let path: String
    /// Its configuration.
    public let configuration: AutoencoderConfiguration
    /// Its `config.json`.
    public let json: JSONObject
    /// Its weights under the network's own names.
    public let weights: any TensorSource

    /// Opens an autoencoder.
    /// - Parameter path: a model (a run folder, a folder in the diffusers layout, a single file), or the folder of an
    ///   autoencoder with its `config.json`, itself or as a run's model.
    /// - Throws: `PipelineError` or `CheckpointError` that says what is there instead, one sentence.
    public init(_ path: String) throws {
        self.path = path
        if let folder = try Self.folder(path) {
            json = try folder.configuration()
            configuration = try Self.explaining(folder.path) { [json] in try AutoencoderConfiguration(json) }
            weights = try configuration.type.native(folder.anyWeights(variant: nil))
        } else {
            let source = try ModelSource(path)
            guard let family = source.assembly as? any LatentAssembly.Type else {
                throw PipelineError(
                    "\(path) diffuses pixels and has no autoencoder: give a model of latents, or an autoencoder's folder"
                )
            }
            json = try source.configuration(of: family.autoencoderComponent)
            configuration = try source.explaining(family.autoencoderComponent) { [json] in
                try AutoencoderConfiguration(json)
            }
            weights = try configuration.type.native(source.weights(of: family.autoencoderComponent))
        }
        try check()
    }

    /// An autoencoder of given parts.
    init(
        _ path: String, _ configuration: AutoencoderConfiguration, json: JSONObject,
        _ weights: any TensorSource
    ) {
        (self.path, self.configuration, self.json, self.weights) = (path, configuration, json, weights)
    }

    /// The folder with the configuration of an autoencoder alone; `nil` where there is a whole model, or none.
    private static func folder(_ path: String) throws -> ModelFolder? {
        let places = [path, path + "/model"]
        guard !places.contains(where: { Files.exists($0 + "/model_index.json") }),
            let place = places.first(where: { Files.exists($0 + "/config.json") })
        else { return nil }
        return ModelFolder(place)
    }

    private static func explaining<Result>(_ place: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as NetworkError {
            throw PipelineError("\(place)/config.json: \(error)")
        }
    }

    /// Compares the weights with the configuration by name and shape.
    private func check() throws {
        func compare<Network: LatentAutoencoder>(_ type: Network.Type) throws {
            _ = try build(type, in: ParameterStore(.compared(weights)))
        }
        try compare(configuration.type)
    }

    /// The autoencoder, for nothing but its use.
    /// - Throws: `PipelineError` with a report of the tensors that do not fit.
    public func network(on device: Device = .cpu) throws -> any PictureAutoencoder {
        func built<Network: LatentAutoencoder>(_ type: Network.Type) throws -> any PictureAutoencoder {
            try build(type, in: ParameterStore(.loaded(weights), on: device))
        }
        return try built(configuration.type)
    }

    private func build<Network: LatentAutoencoder>(_ type: Network.Type, in store: ParameterStore) throws
        -> Network
    {
        do {
            return try store.build { try Network(type.configuration(json), $0) }
        } catch let error as LoadError {
            throw PipelineError("\(path), the autoencoder: \(error)")
        } catch let error as NetworkError {
            throw PipelineError("\(path), configuration of the autoencoder: \(error)")
        }
    }

    /// The sha256 of the weights by name and value.
    /// - Throws: an error about a file that cannot be read.
    public func digest() throws -> String { try weights.valueDigest() }

    /// Between its latents and those of a diffusion model.
    /// - Throws: what building it throws.
    public func scaling() throws -> LatentScaling {
        func scaling<Network: LatentAutoencoder>(_ type: Network.Type) throws -> LatentScaling {
            try build(type, in: ParameterStore(.shapesOnly)).latentScaling
        }
        return try scaling(configuration.type)
    }

    /// What it holds at the least while pictures pass: its weights, and what one of its layers reads and writes.
    /// - Parameters:
    ///   - batch: how many pass together.
    ///   - pictures: the shape of one, `[channels, height, width]`.
    package func memoryNeed(batch: Int, pictures: Shape) -> MemoryNeed {
        let values = configuration.traits.activationCount(height: pictures[1], width: pictures[2])
        return MemoryNeed(
            "encoding \(batch) pictures of \(pictures[2])×\(pictures[1]) by a \(configuration.type.className)",
            bytes: Double(weights.byteCount(as: .float32)) + 4 * values * Double(batch),
            remedy: "encode fewer at once, or smaller ones")
    }

    /// Checks that pictures of a shape can be encoded.
    /// - Parameters:
    ///   - picture: `[channels, height, width]`
    ///   - key: what says so, for the message.
    /// - Throws: `PipelineError`, one sentence.
    public func check(picture: Shape, _ key: String) throws {
        let (channels, factor) = (configuration.channels, configuration.pixelsPerLatent)
        guard picture.count == 3, picture[0] == channels else {
            throw PipelineError(
                "\(key): examples of shape \(picture) are not what the autoencoder \(path) encodes: it takes pictures of \(channels) channels"
            )
        }
        guard picture[1] % factor == 0, picture[2] % factor == 0 else {
            throw PipelineError(
                "\(key): the autoencoder \(path) makes one latent of \(factor)×\(factor) pixels, and pictures are \(picture[2])×\(picture[1]): give a size that is a multiple of \(factor)"
            )
        }
    }
}

extension TensorSource {
    /// The sha256 of all tensors by name, shape and value in float32, whatever files they lie in.
    /// - Throws: the source's error where a tensor cannot be read.
    public func valueDigest() throws -> String {
        let digest = SHA256()
        for name in names.sorted(by: byteOrder) {
            let tensor = try tensor(named: name)
            Array("\(name) \(tensor.shape)\n".utf8).withUnsafeBytes { digest.update($0) }
            try tensor.to(.float32).withBytes { digest.update($0) }
            tensor.forgetMappedPages()
        }
        return digest.hexadecimal()
    }
}
