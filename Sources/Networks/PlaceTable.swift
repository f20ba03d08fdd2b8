import Tensors

/// How a table with a vector for each patch of a square picture is brought to pictures of another size: bicubic between
/// the patches, as vision transformers are fine-tuned at a higher resolution. Places that are computed (`DiT`) need none.
/// Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), section 3.2.
public struct PlaceTable: Sendable {
    /// Rows at the beginning that are no places, such as that of the picture's own token; they stay.
    public var leadingRows: Int

    /// A table.
    public init(leadingRows: Int = 0) { self.leadingRows = leadingRows }

    /// Whether a table of one shape can become one of another.
    /// - Parameters:
    ///   - shape: `[1, rows, width]` or `[rows, width]`, a square of places behind the leading rows.
    ///   - other: the same with another number of rows.
    public func converts(_ shape: Shape, to other: Shape) -> Bool {
        shape.count == other.count && (2...3).contains(shape.count)
            && shape.extents.last == other.extents.last
            && shape.extents.dropLast(2) == other.extents.dropLast(2)
            && side(of: shape) != nil && side(of: other) != nil
    }

    /// A table for pictures of another size.
    /// - Precondition: ``converts(_:to:)``.
    public func resized(_ table: Tensor, to shape: Shape) -> Tensor {
        guard let (old, new) = side(of: table.shape).flatMap({ old in side(of: shape).map { (old, $0) } })
        else { preconditionFailure("a table of \(table.shape) does not become one of \(shape)") }
        let width = shape[shape.count - 1]
        let rows = table.reshaped([leadingRows + old * old, width])
        let places = rows.slice(leadingRows..<leadingRows + old * old, of: 0)
            .reshaped([1, old, old, width]).permuted(0, 3, 1, 2)
        let resized = places.to(.float32).resizedBicubic(height: new, width: new).to(table.elementType)
            .permuted(0, 2, 3, 1).reshaped([new * new, width])
        return concatenated([rows.slice(0..<leadingRows, of: 0), resized]).reshaped(shape)
    }

    /// Places along a side; `nil` where they are no square.
    private func side(of shape: Shape) -> Int? {
        let count = shape[shape.count - 2] - leadingRows
        let side = Int(Double(max(count, 0)).squareRoot().rounded())
        return side > 0 && side * side == count ? side : nil
    }
}
