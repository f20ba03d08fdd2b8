import Foundation
import Tensors

/// A blur: a square of weights with an odd side whose sum is 1.
public struct BlurKernel: Sendable, Equatable {
    /// Row by row.
    public let weights: [Double]
    /// The number of weights in a row.
    public let side: Int

    /// A kernel of weights at places (x, y) from the middle, brought to the sum 1.
    init(side: Int, weight: (_ x: Double, _ y: Double) -> Double) {
        precondition(side % 2 == 1, "a kernel with a side of \(side) has no middle")
        let places = (0..<side).map { Double($0 - side / 2) }
        let plain = places.flatMap { y in places.map { x in weight(x, y) } }
        let sum = plain.reduce(0, +)
        (self.side, weights) = (side, plain.map { $0 / sum })
    }

    /// How weights fall with the distance m = xᵀΣ⁻¹x from the middle.
    public struct Profile: Sendable {
        /// The weight at a distance m under a power β.
        let weight: @Sendable (_ distance: Double, _ power: Double) -> Double

        /// e^(−m/2)
        public static let gaussian = Profile { distance, _ in exp(-distance / 2) }
        /// e^(−m^β/2): flatter and with steeper sides above β = 1, with a longer tail below.
        public static let generalized = Profile { distance, power in exp(-pow(distance, power) / 2) }
        /// 1/(1 + m^β): a plateau around the middle.
        public static let plateau = Profile { distance, power in 1 / (1 + pow(distance, power)) }
    }

    /// A blur that is as wide as σ_x along an axis that is turned by θ, and σ_y across it; with σ_x = σ_y the same in all
    /// directions.
    /// - Parameters:
    ///   - side: the number of weights in a row, odd.
    ///   - deviations: σ_x and σ_y in pixels.
    ///   - angle: θ in radians.
    ///   - power: β of the profile, which a Gaussian does not read.
    /// Source: Wang et al. 2021 (arXiv:2107.10833), section 3.1, equation 2 and the kernels after it.
    public static func turned(
        _ profile: Profile, side: Int, deviations: (x: Double, y: Double), angle: Double = 0,
        power: Double = 1
    ) -> BlurKernel {
        BlurKernel(side: side) { x, y in
            let along = (x * cos(angle) + y * sin(angle)) / deviations.x
            let across = (y * cos(angle) - x * sin(angle)) / deviations.y
            return profile.weight(along * along + across * across, power)
        }
    }

    /// What lets frequencies below ω_c pass in all directions: ω_c·J₁(ω_c·r)/(2π·r), whose rings are those around edges that
    /// were sharpened too much.
    /// - Parameter cutoff: ω_c in radians a pixel.
    /// Source: Wang et al. 2021 (arXiv:2107.10833), section 3.3, equation 5.
    public static func lowPass(side: Int, cutoff: Double) -> BlurKernel {
        BlurKernel(side: side) { x, y in
            let radius = (x * x + y * y).squareRoot()
            // J₁(z) is z/2 where z is small.
            return radius == 0
                ? cutoff * cutoff / (4 * .pi) : cutoff * j1(cutoff * radius) / (2 * .pi * radius)
        }
    }

    /// Pictures `[batch, channels, height, width]`, mirrored at their borders, under the kernel.
    public func callAsFunction(_ pictures: Tensor) -> Tensor {
        let channels = pictures.shape[1]
        let kernel = Tensor(weights.map(Float.init), shape: [1, 1, side, side]).to(pictures.elementType)
        return pictures.mirrored(around: side / 2)
            .convolved(kernel.expanded(to: [channels, 1, side, side]), groups: channels)
    }
}
