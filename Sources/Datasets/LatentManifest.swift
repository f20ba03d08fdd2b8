import Storage

/// The description of a folder of encoded latents, `latents.json`: what encoded them, of what shape they are, and
/// which files hold them.
public struct LatentManifest: Codable, Sendable, Equatable {
    /// The autoencoder that made the latents.
    public struct Autoencoder: Codable, Sendable, Equatable {
        /// The name of its class.
        public var className: String
        /// The sha256 of its weights by name and value, whatever files they lie in.
        public var digest: String
        /// What latents are multiplied by for a diffusion model. It is not applied to those in the files.
        public var scalingFactor: Double
        /// What is first taken off them.
        public var shift: Double

        /// An autoencoder.
        public init(className: String, digest: String, scalingFactor: Double, shift: Double) {
            (self.className, self.digest) = (className, digest)
            (self.scalingFactor, self.shift) = (scalingFactor, shift)
        }

        enum CodingKeys: String, CodingKey {
            case digest, shift
            case className = "class"
            case scalingFactor = "scaling_factor"
        }
    }

    /// The text encoder that made the embeddings of captions.
    public struct TextEncoder: Codable, Sendable, Equatable {
        /// The sha256 of its weights by name and value.
        public var digest: String
        /// Features of a token.
        public var width: Int
        /// Tokens of a text.
        public var tokens: Int

        /// A text encoder.
        public init(digest: String, width: Int, tokens: Int) {
            (self.digest, self.width, self.tokens) = (digest, width, tokens)
        }
    }

    /// A file of latents.
    public struct File: Codable, Sendable, Equatable {
        /// Its name in the folder.
        public var name: String
        /// How many examples it holds.
        public var count: Int
        /// Its size in bytes.
        public var byteCount: Int
        /// The sha256 of its bytes.
        public var sha256: String

        /// A file.
        public init(name: String, count: Int, byteCount: Int, sha256: String) {
            (self.name, self.count, self.byteCount, self.sha256) = (name, count, byteCount, sha256)
        }

        enum CodingKeys: String, CodingKey {
            case name, count, sha256
            case byteCount = "bytes"
        }
    }

    /// A part of the data, such as `train`.
    public struct Part: Codable, Sendable, Equatable {
        /// What it is called.
        public var name: String
        /// Its files in the order of the examples.
        public var files: [File]

        /// A part.
        public init(name: String, files: [File]) { (self.name, self.files) = (name, files) }

        /// How many examples it has.
        public var count: Int { files.reduce(0) { $0 + $1.count } }
    }

    /// The version of the files' layout.
    public var version = 1
    /// What encoded the pictures.
    public var autoencoder: Autoencoder
    /// What encoded their captions; nil where there are none, or their texts alone are kept.
    public var textEncoder: TextEncoder?
    /// The shape of the latents of one picture, `[channels, height, width]`.
    public var latentShape: [Int]
    /// The shape of the picture, `[channels, height, width]`.
    public var pictureShape: [Int]
    /// Whether latents are drawn from a distribution, whose standard deviations stand beside the means.
    public var hasDeviations: Bool
    /// Whether the latents of each picture's mirror image are there, too.
    public var hasMirrored: Bool
    /// Whether examples have captions.
    public var hasCaptions: Bool
    /// The names of the classes in the order of their numbers; nil where examples have no classes.
    public var classNames: [String]?
    /// The parts of the data.
    public var parts: [Part] = []

    /// What is encoded, no file yet.
    public init(
        autoencoder: Autoencoder, latentShape: [Int], pictureShape: [Int], hasDeviations: Bool,
        hasMirrored: Bool, hasCaptions: Bool, classNames: [String]?
    ) {
        (self.autoencoder, self.latentShape, self.pictureShape) = (autoencoder, latentShape, pictureShape)
        (self.hasDeviations, self.hasMirrored) = (hasDeviations, hasMirrored)
        (self.hasCaptions, self.classNames) = (hasCaptions, classNames)
    }

    enum CodingKeys: String, CodingKey {
        case version, autoencoder, parts
        case textEncoder = "text_encoder"
        case latentShape = "latent_shape"
        case pictureShape = "picture_shape"
        case hasDeviations = "deviations"
        case hasMirrored = "mirrored"
        case hasCaptions = "captions"
        case classNames = "classes"
    }

    /// The name of the file.
    public static let fileName = "latents.json"
}

extension LatentManifest {
    /// Reads the manifest of a folder.
    /// - Throws: ``DatasetError`` where there is none, or it is damaged.
    public init(folder: String) throws {
        let path = "\(folder)/\(Self.fileName)"
        guard Files.exists(path) else {
            throw DatasetError(
                folder, "it holds no \(Self.fileName)", remedy: "give a folder that 'langevin encode' wrote")
        }
        do {
            guard let object = JSONObject(json: try JSONValue(file: path)) else {
                throw ContentError(path, "it is no JSON object")
            }
            self = try object.decoded()
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "encode the data again")
        }
        try check(path)
    }

    /// Throws where numbers make no sense or a name could lead out of the folder.
    private func check(_ path: String) throws {
        func refuse(_ problem: String) throws -> Never {
            throw DatasetError(path, problem, remedy: "encode the data again")
        }
        guard version == 1 else { try refuse("its version is \(version), and 1 is read here") }
        for shape in [latentShape, pictureShape] {
            let isShape = shape.count == 3 && shape.allSatisfy { (1...65_536).contains($0) }
            guard isShape, shape.reduce(1, *) <= 1 << 34 else { try refuse("\(shape) is no shape") }
        }
        if let textEncoder {
            let (width, tokens) = (textEncoder.width, textEncoder.tokens)
            guard (1...1_048_576).contains(width), (1...65_536).contains(tokens), hasCaptions else {
                try refuse("texts of \(tokens) tokens of \(width) features cannot be")
            }
        }
        for file in parts.flatMap(\.files) {
            guard !file.name.contains("/"), !file.name.hasPrefix("."), file.name.hasSuffix(".safetensors")
            else { try refuse("\(quoted(file.name)) is no file of latents") }
            guard (1...1 << 40).contains(file.count), file.byteCount > 0 else {
                try refuse("\(file.name) has \(file.count) examples in \(file.byteCount) bytes")
            }
        }
    }

    /// Channels of one example: means, and deviations where there are any.
    public var channels: Int { latentShape[0] * (hasDeviations ? 2 : 1) }
}
