import Tensors

/// How near pictures are to others, pixel by pixel: the peak signal-to-noise ratio.
public enum PeakSignalToNoise {
    /// 10·log₁₀(range² / mean squared difference) of each picture, in decibels; infinite where both are the same.
    /// - Parameters:
    ///   - pictures, others: `[batch, channels, height, width]`
    ///   - range: the distance from the darkest number to the brightest.
    /// - Returns: `[batch]`, `float64`
    public static func decibels(_ pictures: Tensor, _ others: Tensor, range: Double = 2) -> Tensor {
        let errors = (pictures.to(.float64) - others.to(.float64)).squared().meanPerExample()
        return (errors / (range * range)).log() * (-10 / 2.302_585_092_994_046)
    }
}
