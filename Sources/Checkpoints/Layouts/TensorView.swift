import Tensors

/// How a tensor of ours is seen in one of another layout.
public enum TensorView: Hashable, Sendable {
    /// As it is.
    case whole
    /// One of several equal parts along the outermost dimension, such as queries among queries, keys and
    /// values.
    case part(Int, of: Int)
    /// One of several equal parts of each head along the outermost dimension, for heads of a width; a kernel of extent 1
    /// becomes a matrix. So OpenAI's older U-Nets keep queries, keys and values, and keys and values of a text.
    case headPart(Int, of: Int = 3, width: Int)
    /// The same for a number of heads.
    case headShare(Int, of: Int = 3, heads: Int)
    /// One of several equal parts along the outermost dimension, in which all heads follow each other; a kernel of extent 1
    /// becomes a matrix. So OpenAI's newer U-Nets keep them.
    case matrixPart(Int, of: Int = 3)
    /// Rows and columns exchanged.
    case transposed
    /// A kernel of extent 1 as a matrix; a vector or matrix as it is.
    case matrix
    /// The two halves of the outermost dimension exchanged: shift and scale in the other order.
    case halvesExchanged
    /// The identity matrix with as many rows as the tensor has elements: where the other layout applies none.
    case identity

    /// The shape seen in a tensor of a shape, nil where it cannot be seen so.
    public func shape(in whole: Shape) -> Shape? {
        switch self {
        case .whole: return whole
        case .part(_, let count):
            guard whole.rank > 0, whole[0].isMultiple(of: count) else { return nil }
            return Shape([whole[0] / count] + whole.extents.dropFirst())
        case .headPart(_, let count, let width):
            guard whole.rank > 0, width > 0, whole[0].isMultiple(of: count * width) else { return nil }
            return TensorView.matrix.shape(in: Shape([whole[0] / count] + whole.extents.dropFirst()))
        case .headShare(let index, let count, let heads):
            guard whole.rank > 0, heads > 0, whole[0].isMultiple(of: count * heads) else { return nil }
            let width = whole[0] / (count * heads)
            return TensorView.headPart(index, of: count, width: width).shape(in: whole)
        case .matrixPart(let index, let count):
            return TensorView.part(index, of: count).shape(in: whole).flatMap {
                TensorView.matrix.shape(in: $0)
            }
        case .transposed: return whole.rank == 2 ? [whole[1], whole[0]] : nil
        case .matrix:
            let (kept, dropped) = (whole.extents.prefix(2), whole.extents.dropFirst(2))
            return dropped.allSatisfy { $0 == 1 } ? Shape(Array(kept)) : nil
        case .halvesExchanged: return whole.rank > 0 && whole[0].isMultiple(of: 2) ? whole : nil
        case .identity: return whole.rank == 1 ? [whole[0], whole[0]] : nil
        }
    }

    /// What is seen in a tensor; it shares the tensor's memory where it can.
    /// - Precondition: `shape(in:)` gives one.
    public func callAsFunction(_ whole: Tensor) -> Tensor {
        switch self {
        case .whole: return whole
        case .part(let index, let count):
            let size = whole.shape[0] / count
            return whole.slice(index * size..<(index + 1) * size, of: 0)
        case .headPart(let index, let count, let width):
            let (rows, rest) = (whole.shape[0] / count, Array(whole.shape.extents.dropFirst()))
            let heads = whole.reshaped(Shape([rows / width, count, width] + rest)).select(index, of: 1)
            return TensorView.matrix(heads.reshaped(Shape([rows] + rest)))
        case .headShare(let index, let count, let heads):
            let width = whole.shape[0] / (count * heads)
            return TensorView.headPart(index, of: count, width: width)(whole)
        case .matrixPart(let index, let count):
            return TensorView.matrix(TensorView.part(index, of: count)(whole))
        case .transposed: return whole.transposed(0, 1).contiguous()
        case .matrix: return whole.reshaped(Shape(Array(whole.shape.extents.prefix(2))))
        case .halvesExchanged:
            let halves = whole.chunked(2, of: 0)
            return concatenated([halves[1], halves[0]])
        case .identity: return .identity(whole.shape[0], whole.elementType)
        }
    }
}
