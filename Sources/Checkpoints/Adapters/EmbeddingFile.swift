import Storage
import Tensors

/// Vectors that were learned for a word of prompts (textual inversion), as a file holds them.
/// Source: Gal et al. 2022 (arXiv:2208.01618).
///
/// The forms: diffusers' `{word: vectors}`, A1111's `emb_params`, and `clip_l` beside `clip_g` for the two text encoders of
/// Stable Diffusion XL.
public struct EmbeddingFile: Sendable {
    /// A text encoder as files name it.
    public enum Encoder: String, Sendable, CaseIterable {
        /// The first one of Stable Diffusion XL, and that of 1.
        case clipL = "clip_l"
        /// The second one of Stable Diffusion XL.
        case clipG = "clip_g"
    }

    /// The path as it was given.
    public let path: String
    /// The word that the file itself has: the name of its tensor, else the file's own.
    public let word: String
    /// The vectors `[count, width]` for each encoder that is named; `nil` stands for the only one.
    public let vectors: [(encoder: Encoder?, vectors: Tensor)]

    /// Reads a file.
    /// - Throws: `CheckpointError` that names the tensor which no embedding has, or whose shape is not one of vectors.
    public init(_ path: String) throws {
        guard try !CheckpointFormat(of: path).isPickled else {
            throw CheckpointError(
                path,
                "it is a pickle, which can run any code where it is read: convert it first, on a machine where that does no harm ('langevin convert \(path) OUT.safetensors')"
            )
        }
        let file = try SafetensorsFile(path: path)
        let encoders = Encoder.allCases.filter { file.shape(of: $0.rawValue) != nil }
        if encoders.isEmpty {
            guard let name = file.names.first, file.names.count == 1 else {
                throw CheckpointError(
                    path,
                    "it holds \(file.names.count) tensors (\(listed(file.names))), and an embedding is one, or clip_l beside clip_g"
                )
            }
            word = name == "emb_params" ? Self.stem(of: path) : name
            vectors = [(nil, try Self.vectors(name, in: file))]
        } else {
            if let stray = file.names.first(where: { Encoder(rawValue: $0) == nil }) {
                throw CheckpointError(path, "\(quoted(stray)) beside clip_l and clip_g has no use: remove it")
            }
            word = Self.stem(of: path)
            vectors = try encoders.map { ($0, try Self.vectors($0.rawValue, in: file)) }
        }
        let counts = vectors.map { $0.vectors.shape[0] }
        guard Set(counts).count == 1 else {
            throw CheckpointError(
                path, "clip_l has \(counts[0]) vectors and clip_g \(counts[1]): a word has as many in both")
        }
        self.path = path
    }

    private static func stem(of path: String) -> String {
        let name = Files.name(of: path)
        return name.hasSuffix(".safetensors") ? String(name.dropLast(".safetensors".count)) : name
    }

    /// `[count, width]`, of one vector or several.
    private static func vectors(_ name: String, in file: SafetensorsFile) throws -> Tensor {
        let tensor = try file.tensor(named: name)
        guard tensor.elementType.isFloatingPoint, (1...2).contains(tensor.rank), tensor.elementCount > 0
        else {
            throw CheckpointError(
                file.path,
                "\(quoted(name)) is \(tensor.elementType.name) \(tensor.shape), and vectors of a word are floating-point numbers [count, width]"
            )
        }
        return tensor.rank == 1 ? tensor.unsqueezed(0) : tensor
    }
}
