/// The extents of a tensor, outermost first: `[batch, channels, height, width]` for pictures.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, RandomAccessCollection,
    CustomStringConvertible
{
    /// The extent of each dimension.
    public var extents: [Int]

    /// A shape from its extents.
    public init(_ extents: [Int]) {
        self.extents = extents
    }

    /// `let shape: Shape = [8, 3, 32, 32]`
    public init(arrayLiteral elements: Int...) {
        extents = elements
    }

    /// Index of the outermost dimension.
    public var startIndex: Int { 0 }
    /// One past the index of the innermost dimension; the rank.
    public var endIndex: Int { extents.count }

    /// The extent of a dimension; `-1` is the innermost one.
    public subscript(dimension: Int) -> Int {
        extents[dimension < 0 ? extents.count + dimension : dimension]
    }

    /// The number of dimensions.
    public var rank: Int { extents.count }

    /// The number of elements: the product of the extents, 1 for a scalar.
    public var elementCount: Int { extents.reduce(1, *) }

    /// `[8, 3, 32, 32]`
    public var description: String {
        "[" + extents.map(String.init).joined(separator: ", ") + "]"
    }
}
