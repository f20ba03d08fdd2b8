import Pictures
import Tensors

/// Where the embeddings are from that a decoder is given, and how they are changed.
struct EmbeddingSource: Sendable {
    /// Where they are from.
    enum Origin: Sendable {
        /// CLIP's embedding of a picture.
        case picture(Picture)
        /// The embeddings that the stage before gives; `nil` until then.
        case stage(Tensor?)
        /// CLIP's embedding of the text, in the place of a picture's.
        case text
        /// None: the text alone.
        case none
    }

    /// How an embedding of a picture becomes one for each picture that is made.
    enum Change: Sendable {
        /// Along the great circle to that of another picture, which the last one is.
        case towards(Picture)
        /// Turned from what one text says to what another does, the last one by this share of the way.
        case textDifference(from: String, to: String, share: Double)
    }

    var origin: Origin
    var change: Change?

    init(_ origin: Origin, _ change: Change? = nil) { (self.origin, self.change) = (origin, change) }

    /// Whether CLIP's encoder of pictures has a part in it.
    var readsPictures: Bool {
        if case .picture = origin { return true }
        return false
    }
}

extension EmbeddingSource.Change {
    /// The place of each picture on the way.
    func shares(_ count: Int) -> [Double] {
        let last: Double = if case .textDifference(_, _, let share) = self { share } else { 1 }
        return (0..<count).map { count == 1 ? last : last * Double($0) / Double(count - 1) }
    }
}
