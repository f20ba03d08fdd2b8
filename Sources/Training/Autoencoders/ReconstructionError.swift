import Tensors

/// How far pictures are from those that they should be, value by value: the words of `objective.reconstruction`.
package enum ReconstructionError: String, CaseIterable, Sendable {
    /// The mean of magnitudes.
    case l1
    /// The mean of squares.
    case l2

    /// The error of each picture, `[batch]`.
    package func callAsFunction(_ pictures: Tensor, of originals: Tensor) -> Tensor {
        let difference = pictures - originals
        switch self {
        case .l1: return difference.magnitude().meanPerExample()
        case .l2: return difference.squared().meanPerExample()
        }
    }
}
