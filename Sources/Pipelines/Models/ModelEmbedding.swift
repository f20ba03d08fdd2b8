import Checkpoints
import Networks
import Storage
import Tensors

/// Vectors that were learned for a word of prompts (textual inversion): their file, and the word where it is not the file's.
public struct ModelEmbedding: Sendable, Equatable {
    /// The file, `.safetensors`.
    public let path: String
    /// The word that stands for them in prompts; that of the file where `nil`.
    public let word: String?

    /// A file of vectors.
    public init(_ path: String, word: String? = nil) { (self.path, self.word) = (path, word) }

    func read() throws -> EmbeddingFile {
        guard Files.exists(path) else {
            throw PipelineError("there is no embedding '\(path)': give a .safetensors file")
        }
        return try EmbeddingFile(path)
    }

    /// What a receipt has of it.
    func record(_ word: String) throws -> Receipt.Embedding {
        let file = try InputFile(path)
        return Receipt.Embedding(name: file.name, word: word, sha256: file.sha256)
    }

    /// The text encoders of a model that read the vectors of a file. Where the file names none, it is the first one whose
    /// tokens are as wide.
    /// - Throws: `PipelineError` that names what was made for another model.
    func encoders(of source: ModelSource, _ file: EmbeddingFile) throws -> [(ModelComponent, Tensor)] {
        let present = try [ModelComponent.textEncoder, .textEncoder2].filter(source.has)
        let widths = try present.map { try CLIPText.configuration(source.configuration(of: $0)).hiddenSize }
        return try file.vectors.map { encoder, vectors in
            let width = vectors.shape[1]
            let index =
                encoder.map { present.firstIndex(of: $0 == .clipL ? .textEncoder : .textEncoder2) }
                ?? widths.firstIndex(of: width)
            guard let index else {
                let found = encoder.map { "vectors for \($0.rawValue)" } ?? "vectors of \(width) numbers"
                let needed =
                    encoder == nil
                    ? "reads \(widths.map(String.init).joined(separator: " or ")) a token"
                    : "has no such text encoder"
                throw PipelineError(
                    "\(path) holds \(found), and \(source.name) \(needed): the embedding was made for another model"
                )
            }
            guard widths[index] == width else {
                throw PipelineError(
                    "\(path) holds vectors of \(width) numbers for \(encoder?.rawValue ?? ""), and \(source.name) reads \(widths[index]) a token there: the embedding was made for another model"
                )
            }
            return (present[index], vectors)
        }
    }
}

/// A word and the vectors that it stands for.
struct EmbeddedWord: Sendable {
    var word: String
    /// `[count, width]`
    var vectors: Tensor
}
