import Foundation
import Tensors

/// How near pictures are to others in luminance, contrast and structure, in windows around each pixel.
///
/// Windows are Gaussian with a deviation of 1.5 pixels and 11 pixels wide, or as wide as the pictures allow with an odd
/// number of pixels; only those that lie whole within the pictures count. Channels are compared by themselves.
/// Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", equations 13
/// to 17, with K₁ = 0.01 and K₂ = 0.03.
public enum StructuralSimilarity {
    /// The mean similarity of each picture, 1 where both are the same.
    /// - Parameters:
    ///   - pictures, others: `[batch, channels, height, width]`
    ///   - range: the distance from the darkest number to the brightest.
    /// - Returns: `[batch]`, `float64`
    public static func mean(_ pictures: Tensor, _ others: Tensor, range: Double = 2) -> Tensor {
        let (x, y) = (planes(pictures), planes(others))
        let window = self.window(min(pictures.shape[2], pictures.shape[3]))
        func local(_ values: Tensor) -> Tensor { values.convolved(window) }
        let (meanX, meanY) = (local(x), local(y))
        let varianceX = local(x.squared()) - meanX.squared()
        let varianceY = local(y.squared()) - meanY.squared()
        let covariance = local(x * y) - meanX * meanY
        let (c1, c2) = (pow(0.01 * range, 2), pow(0.03 * range, 2))
        let luminance = (2 * meanX * meanY + c1) / (meanX.squared() + meanY.squared() + c1)
        let structure = (2 * covariance + c2) / (varianceX + varianceY + c2)
        return (luminance * structure).reshaped([pictures.shape[0], -1]).mean([1])
    }

    /// Every channel as a picture of its own.
    private static func planes(_ pictures: Tensor) -> Tensor {
        pictures.to(.float64).reshaped([-1, 1, pictures.shape[2], pictures.shape[3]])
    }

    /// The weights of a window, which add up to 1, `[1, 1, width, width]`.
    private static func window(_ side: Int) -> Tensor {
        let width = min(11, side - (side + 1) % 2)
        let line = (0..<width).map { exp(-pow(Double($0 - width / 2), 2) / (2 * 1.5 * 1.5)) }
        let total = line.reduce(0, +)
        let weights = Tensor(line.map { $0 / total })
        return weights.outer(weights).reshaped([1, 1, width, width])
    }
}
