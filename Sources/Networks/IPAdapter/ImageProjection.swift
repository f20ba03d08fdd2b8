import Checkpoints
import Layers
import Storage
import Tensors

/// What an IP-Adapter reads of CLIP.
public enum ImageFeatures: Sendable {
    /// One vector for a picture, `[pictures, projectionDim]`. Zeros stand for no picture.
    case embedding
    /// The states before the last layer, `[pictures, 1 + patches, hiddenSize]`. Those of zeros, a grey of the encoder's means, stand
    /// for no picture.
    case states
}

/// How an IP-Adapter makes tokens of a picture.
public protocol ImageProjection: Sendable {
    /// The name in diffusers.
    static var className: String { get }
    /// Whether a file's projection is of this kind.
    static func recognizes(_ file: any TensorSource) -> Bool
    /// What it reads.
    static var features: ImageFeatures { get }
    /// Numbers of each vector that it reads.
    var imageWidth: Int { get }
    /// Features of a token.
    var tokenWidth: Int { get }

    /// The network of the shapes of a file, its parameters from a scope.
    /// - Throws: `CheckpointError` without a place that names a tensor.
    init(_ shapes: TensorShapes, _ weights: Weights) throws
    /// `[pictures, …, imageWidth]` → `[pictures, tokens, tokenWidth]`
    func callAsFunction(_ image: Tensor) -> Tensor
}

/// The shapes of a file's tensors, as sizes of a network are taken from them.
public struct TensorShapes {
    private let file: any TensorSource

    init(_ file: any TensorSource) { self.file = file }

    /// A shape of a rank.
    func shape(_ name: String, rank: Int) throws -> Shape {
        guard let shape = file.shape(of: name) else {
            throw CheckpointError("", "the tensor \(quoted(name)) is missing in it")
        }
        guard shape.rank == rank, shape.elementCount > 0 else {
            throw CheckpointError(
                "", "\(quoted(name)) has the shape \(shape), and one of rank \(rank) is needed")
        }
        return shape
    }

    /// Outputs and inputs of a layer.
    func matrix(_ name: String) throws -> Shape { try shape(name, rank: 2) }
    /// The width of a norm.
    func vector(_ name: String) throws -> Int { try shape(name, rank: 1)[0] }
    /// How many numbered parts there are, from 0 on: as many as have a tensor of a name.
    func count(_ name: (Int) -> String) -> Int {
        var count = 0
        while file.shape(of: name(count)) != nil { count += 1 }
        return count
    }
}
