/// Sizes of about one area and many aspect ratios: a picture is brought to the one nearest to its own shape, so that little
/// of it is cut off, and a batch holds pictures of one size.
///
/// Sides are multiples of a step. For each width the height is the largest one with which the area is not above `size²`,
/// and each such size also stands the other way round; sizes whose sides are more than `ratio` apart are left out.
/// Source: Podell et al. 2023 (arXiv:2307.01952), section 2.3.
public struct AspectBuckets: Hashable, Sendable {
    /// Width and height in pixels.
    public struct Size: Hashable, Sendable, Comparable {
        /// Width in pixels.
        public let width: Int
        /// Height in pixels.
        public let height: Int

        /// By width, then height.
        public static func < (one: Size, other: Size) -> Bool {
            (one.width, one.height) < (other.width, other.height)
        }
    }

    /// The sizes, narrow ones first.
    public let sizes: [Size]

    /// The sizes of an area.
    ///
    /// - Parameters:
    ///   - size: The side of the square whose area is the largest.
    ///   - step: What sides are multiples of.
    ///   - ratio: How often the shorter side may go into the longer one, at least 1.
    /// - Throws: ``DatasetError`` where no size is possible.
    public init(size: Int, step: Int, ratio: Double) throws {
        guard step > 0, step <= size, ratio >= 1, size <= 16384 else {
            throw DatasetError(
                "buckets", "sides cannot be multiples of \(step) in an area of \(size)²",
                remedy: "choose a step of at most \(size) and a ratio of at least 1")
        }
        var found: Set<Size> = []
        for width in stride(from: step, through: size, by: step) {
            let height = size * size / width / step * step
            guard Double(height) <= ratio * Double(width) else { continue }
            found.formUnion([Size(width: width, height: height), Size(width: height, height: width)])
        }
        sizes = found.sorted()
    }

    /// The number of the size whose shape is nearest to that of a picture: whose aspect ratio has the nearest logarithm,
    /// the narrower one of two that are equally near.
    public func nearest(width: Int, height: Int) -> Int {
        /// How many times as wide one shape is as the other, at least 1.
        func distance(_ size: Size) -> Double {
            let (a, b) = (Double(width * size.height), Double(height * size.width))
            return max(a, b) / min(a, b)
        }
        return sizes.indices.min { distance(sizes[$0]) < distance(sizes[$1]) } ?? 0
    }
}
