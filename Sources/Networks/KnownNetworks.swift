import Checkpoints
import Layers
import Storage

/// The networks that a `config.json` can name.
public enum KnownNetworks {
    /// Those that denoise.
    public static var denoising: [any DenoisingNetwork.Type] {
        [
            UNet2D.self, ADMUNet.self, EDMUNet.self, AnnotatedUNet.self, UNet2DCondition.self, DiT.self,
            MMDiT.self,
            MLP.self,
            ResNet.self, EfficientUNet.self, GLIDEUNet.self,
        ]
    }

    /// Those between pictures and latents.
    public static var autoencoders: [any LatentAutoencoder.Type] {
        [AutoencoderKL.self, VQModel.self, FSQModel.self, AutoencoderTiny.self, ConsistencyDecoder.self]
    }

    /// Those that encode texts, pictures and classes.
    public static var encoders: [any ConfiguredNetwork.Type] {
        [
            CLIPText.self, CLIPTextWithProjection.self, CLIPVision.self, CLIPVisionWithProjection.self,
            CLIP.self, T5Encoder.self, LDMBert.self, ClassEmbedder.self,
        ]
    }

    /// Those that find depths.
    public static var depthEstimators: [any ConfiguredNetwork.Type] { [DepthEstimator.self] }

    /// Those between texts, embeddings of pictures and their decoder.
    public static var embeddings: [any ConfiguredNetwork.Type] {
        [
            PriorTransformer.self, AutoregressivePrior.self, UnCLIPTextProjection.self,
            EmbeddingNormalizer.self,
        ]
    }

    /// Those that compare texts with noisy pictures.
    public static var noisyEncoders: [any ConfiguredNetwork.Type] {
        [NoisyCLIPImage.self, NoisyCLIPText.self]
    }

    /// Those that classify noisy samples.
    public static var classifiers: [any ConfiguredNetwork.Type] { [UNetClassifier.self] }

    /// Those that make a larger picture of one.
    public static var enlarging: [any EnlargingNetwork.Type] { [RRDBNet.self, SwinIR.self] }

    /// Those that control what another network draws.
    public static var controls: [any ConfiguredNetwork.Type] {
        [ControlNet.self, SD3ControlNet.self, T2IAdapter.self]
    }

    /// Every one of them.
    public static var all: [any ConfiguredNetwork.Type] {
        denoising.map { $0 } + autoencoders.map { $0 } + encoders + depthEstimators + embeddings
            + noisyEncoders + classifiers + controls
            + enlarging.map { $0 }
    }

    /// The denoising network of a class name; `nil` where there is none.
    public static func denoising(named name: String) -> (any DenoisingNetwork.Type)? {
        denoising.first { $0.className == name || $0.olderClassNames.contains(name) }
    }

    /// The denoising network that a recipe calls by a word or by a class name; `nil` where there is none.
    public static func denoising(word: String) -> (any DenoisingNetwork.Type)? {
        denoising.first { $0.word == word } ?? denoising(named: word)
    }

    /// The network of a name, nil where it is not known.
    public static func network(named name: String) -> (any ConfiguredNetwork.Type)? {
        all.first { $0.className == name || $0.olderClassNames.contains(name) }
    }

    /// What a `config.json` calls its network: `_class_name`, or the first of `architectures`.
    /// - Throws: `CheckpointError` where it has neither.
    public static func name(in object: JSONObject) throws -> String {
        if let name: String = try object.optional("_class_name") { return name }
        if let name = try object.optional("architectures", as: [String].self)?.first { return name }
        throw CheckpointError(
            object.place, "names no network: it needs \"_class_name\", or \"architectures\" with a class")
    }

    /// The network that a `config.json` describes.
    /// - Throws: `CheckpointError` where it names none, or one that is not known.
    public static func network(of object: JSONObject) throws -> any ConfiguredNetwork.Type {
        let name = try name(in: object)
        guard let network = network(named: name) else {
            throw unknown("network class", name, in: object, known: all.map { $0.className })
        }
        return network
    }

    static func unknown(_ what: String, _ name: String, in object: JSONObject, known: [String])
        -> CheckpointError
    {
        CheckpointError(
            object.place,
            "the \(what) \(quoted(name)) is not known here: there are \(known.joined(separator: ", "))")
    }
}

extension ConfiguredNetwork {
    /// The network of a `config.json` in shapes alone: names and counts of its parameters, and no memory.
    /// - Throws: `CheckpointError` or `NetworkError` that names what will not do.
    public static func shapes(_ object: JSONObject) throws -> ParameterStore {
        let (configuration, store) = (try configuration(object), ParameterStore(.shapesOnly))
        _ = try store.build { try Self(configuration, $0) }
        return store
    }
}
