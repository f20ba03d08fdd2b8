import Checkpoints
import Foundation
import Layers
import Pictures
import Storage

/// What is in a model, a file of tensors or a picture.
public enum Inspection: Encodable, Sendable {
    /// A model or one of its networks.
    case model(Model)
    /// An exactly solvable model.
    case analytic(AnalyticModel.Facts)
    /// A safetensors or GGUF file.
    case tensors(Tensors)
    /// A picture with what was written into it.
    case picture(PictureFacts)

    /// How finely the parts of networks are listed, and how they are called.
    public struct Parts: Sendable {
        /// Whose names parts have.
        public enum Names: String, Sendable, CaseIterable {
            /// Those of the folders in the diffusers layout.
            case native
            /// Those of the latent-diffusion code, whole, for the networks that come from it:
            /// `model.diffusion_model.input_blocks`.
            case original
        }

        /// Whose names parts have.
        public var names: Names
        /// How many words of a module's dotted name make a part.
        public var depth: Int

        /// Parts of the first level; of the original names, the first level inside a network's halves.
        public init(names: Names = .native, depth: Int? = nil) {
            (self.names, self.depth) = (names, depth ?? (names == .native ? 1 : 3))
        }
    }

    /// What a safetensors or GGUF file holds.
    public struct Tensors: Encodable, Sendable {
        /// One tensor.
        public struct Entry: Encodable, Sendable {
            /// Its name.
            public let name: String
            /// Its type, as the file calls it.
            public let dtype: String
            /// Its extents.
            public let shape: [Int]
        }

        /// The number of values in all tensors.
        public let parameters: Int
        /// The tensors.
        public let tensors: [Entry]
        /// The free texts.
        public let metadata: [String: String]
        /// The number of values that are infinite or not a number; absent where they were not looked at.
        public let nonFinite: Int?

        enum CodingKeys: String, CodingKey {
            case parameters, tensors, metadata
            case nonFinite = "non_finite"
        }
    }

    /// What a picture's file says.
    public struct PictureFacts: Encodable, Sendable {
        /// Pixels.
        public let width: Int
        /// Pixels.
        public let height: Int
        /// `png`, `jpeg`, `webp`
        public let format: String
        /// The texts in it, by keyword.
        public let texts: [String: String]
        /// What it was made with, where the texts say so.
        public let settings: PictureSettings?

        enum CodingKeys: String, CodingKey {
            case width, height, format, texts, program, prompt, steps, sampler, seed, guidance, model
            case negativePrompt = "negative_prompt"
            case modelHash = "model_hash"
        }

        /// The facts and the settings in one object.
        public func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: CodingKeys.self)
            try object.encode(width, forKey: .width)
            try object.encode(height, forKey: .height)
            try object.encode(format, forKey: .format)
            try object.encode(texts, forKey: .texts)
            guard let settings else { return }
            try object.encode(settings.program, forKey: .program)
            try object.encodeIfPresent(settings.prompt, forKey: .prompt)
            try object.encodeIfPresent(settings.negativePrompt, forKey: .negativePrompt)
            try object.encodeIfPresent(settings.steps, forKey: .steps)
            try object.encodeIfPresent(settings.sampler, forKey: .sampler)
            try object.encodeIfPresent(settings.seed, forKey: .seed)
            try object.encodeIfPresent(settings.guidance, forKey: .guidance)
            try object.encodeIfPresent(settings.model, forKey: .model)
            try object.encodeIfPresent(settings.modelHash, forKey: .modelHash)
        }
    }

    /// Looks at a path.
    /// - Parameter readsValues: whether the values of a safetensors file are read, to count those that are infinite or
    ///   not a number; all else follows from its header.
    /// - Throws: an error of the room that the path belongs to, one sentence.
    public init(_ path: String, parts: Parts = Parts(), readsValues: Bool = false) throws {
        if let file = AnalyticModel.path(of: path) {
            self = .analytic(try AnalyticModel(contentsOf: file).facts())
            return
        }
        guard Files.exists(path) else {
            throw PipelineError("there is no '\(path)': give a model, a .safetensors file or a picture")
        }
        if Files.isFolder(path) {
            self = .model(try Model(folder: path, parts))
        } else if path.lowercased().hasSuffix(".safetensors") {
            let file = try SafetensorsFile(path: path)
            let nonFinite = readsValues ? file.nonFiniteCount() : nil
            if let packed = PackedModel(file) {
                self = .model(try Model(packed, parts, nonFinite: nonFinite))
                return
            }
            self =
                try Model(imageAdapter: file, parts, nonFinite: nonFinite).map(Inspection.model)
                ?? Model(file, path, parts, nonFinite: nonFinite).map(Inspection.model)
                ?? .tensors(Tensors(file, nonFinite: nonFinite))
        } else if let format = try? CheckpointFormat(of: path), format == .gguf {
            let file = try GGUFFile(path: path)
            self =
                try Model(file, path, parts, nonFinite: nil).map(Inspection.model) ?? .tensors(Tensors(file))
        } else if let format = try? CheckpointFormat(of: path), format.isPickled {
            throw PipelineError(
                "\(path) is a pickle, which can run any code where it is read: convert it first, on a machine where that does no harm ('langevin convert \(path) OUT.safetensors')"
            )
        } else {
            self = .picture(try Self.picture(path))
        }
    }

    /// How many values of the file are infinite or not a number; `nil` where none were read.
    public var nonFiniteCount: Int? {
        switch self {
        case .model(let model): model.file?.nonFinite ?? model.nonFinite
        case .tensors(let file): file.nonFinite
        case .analytic, .picture: nil
        }
    }

    /// The facts alone, without the word for what was looked at.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .model(let value): try value.encode(to: encoder)
        case .analytic(let value): try value.encode(to: encoder)
        case .tensors(let value): try value.encode(to: encoder)
        case .picture(let value): try value.encode(to: encoder)
        }
    }

    private static func picture(_ path: String) throws -> PictureFacts {
        let url = URL(file: path)
        let header = try Picture.header(of: url)
        let texts = Dictionary(
            try Picture.texts(of: url).map { ($0.keyword, $0.text) }, uniquingKeysWith: { first, _ in first })
        return PictureFacts(
            width: header.width, height: header.height, format: header.format.rawValue, texts: texts,
            settings: PictureSettings(texts: texts))
    }
}

extension Inspection.Tensors {
    init(_ file: SafetensorsFile, nonFinite: Int?) {
        let entries = file.header.entries.map { name, entry in
            Entry(name: name, dtype: entry.type.rawValue, shape: entry.dimensions)
        }
        self.init(entries, file.metadata, nonFinite: nonFinite)
    }

    init(_ file: GGUFFile) {
        let entries = file.names.map { name in
            Entry(
                name: name, dtype: file.storedType(of: name) ?? "",
                shape: file.shape(of: name).map(Array.init) ?? [])
        }
        self.init(entries, file.metadata, nonFinite: nil)
    }

    private init(_ entries: [Entry], _ metadata: NameTable<String>, nonFinite: Int?) {
        self.init(
            parameters: entries.reduce(0) { $0 + $1.shape.reduce(1, *) }, tensors: entries,
            metadata: Dictionary(metadata.map { ($0, $1) }, uniquingKeysWith: { first, _ in first }),
            nonFinite: nonFinite)
    }
}
