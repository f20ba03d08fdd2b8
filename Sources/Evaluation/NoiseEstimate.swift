import Tensors

/// The deviation of white Gaussian noise in a picture, estimated from its finest diagonal details.
///
/// A smooth picture leaves hardly anything in the diagonal details of a wavelet transform, so those are noise but for a
/// few, which a median does not see: σ̂ = median|d| / Φ⁻¹(¾).
/// Source: Donoho and Johnstone 1994 (Biometrika 81), section 4.3, with Daubechies' wavelet of two vanishing moments.
public enum NoiseEstimate {
    /// The high-pass filter, the highest tap first as a convolution takes them.
    private static let filter = [
        -0.48296291314469025, 0.836516303737469, -0.22414386804185735, -0.12940952255092145,
    ]
    /// Φ⁻¹(¾), the median of |N(0, 1)|.
    private static let normalMedian = 0.6744897501960817

    /// The fewest pixels of a side.
    public static let leastSide = 2

    /// The deviation in the unit of the values, the mean over channels.
    /// - Parameter picture: `[channels, height, width]`, sides of two pixels at least.
    /// - Throws: the error that the tensor carries.
    public static func deviation(of picture: Tensor) throws -> Double {
        let (channels, height, width) = (picture.shape[0], picture.shape[1], picture.shape[2])
        let values = try picture.to(.cpu).to(.float64).array(of: Double.self)
        let deviations = (0..<channels).map { channel in
            let plane = Array(values[(channel * height * width)..<((channel + 1) * height * width)])
            let rows = (0..<height).map { details(Array(plane[($0 * width)..<(($0 + 1) * width)])) }
            let columns = rows[0].indices.map { column in details(rows.map { $0[column] }) }
            // Details that are exactly 0 are those of flat areas, where pixels were cut off or made.
            return median(columns.joined().filter { $0 != 0 }.map(abs)) / normalMedian
        }
        return deviations.reduce(0, +) / Double(channels)
    }

    /// Every second value of the convolution with the filter, the row mirrored at its ends, ends included.
    private static func details(_ row: [Double]) -> [Double] {
        let count = row.count
        func mirrored(_ place: Int) -> Double {
            let turn = ((place % (2 * count)) + 2 * count) % (2 * count)
            return row[turn < count ? turn : 2 * count - 1 - turn]
        }
        return (0..<(count + filter.count - 1) / 2).map { index in
            filter.indices.reduce(0) { $0 + filter[$1] * mirrored(2 * index + 1 - $1) }
        }
    }

    private static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
