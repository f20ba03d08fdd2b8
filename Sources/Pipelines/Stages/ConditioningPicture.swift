import Pictures
import Tensors

/// A picture that a network is conditioned on as a whole, by CLIP's embedding of it.
enum ConditioningPicture: Sendable {
    /// The picture.
    case picture(Picture)
    /// Embeddings, `[1 or count, features]`.
    case embeddings(Tensor)
    /// The embeddings that the stage before gives.
    case awaited
}
