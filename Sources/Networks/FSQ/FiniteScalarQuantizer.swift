import Foundation
import Layers
import Tensors

/// Finite scalar quantization: each channel of a latent is bounded and rounded to one of a few evenly spaced levels in
/// −1 … 1. The codebook is the grid of all levels, so there is nothing to learn, and no vector of it can die.
/// Source: Mentzer et al. 2023 (arXiv:2309.15505), section 3.1 and appendix A.1.
public struct FiniteScalarQuantizer: Sendable {
    /// The number of levels of each channel, 2 at least.
    public let levels: [Int]

    /// The number of vectors on the grid.
    public var codeCount: Int { levels.reduce(1, *) }

    /// A quantizer of latents with as many channels as there are numbers of levels.
    public init(levels: [Int]) {
        precondition(levels.allSatisfy { $0 >= 2 }, "levels \(levels): each channel needs 2 at least")
        self.levels = levels
    }

    /// Any numbers bounded so that rounding gives each of the levels: f of the source with its listing's ε of a
    /// thousandth and the shift that brings 0 near the middle of an even number of levels.
    /// - Parameter features: `[batch, channels, height, width]`
    /// - Returns: latents of the same shape, about −1 … 1.
    public func bounded(_ features: Tensor) -> Tensor {
        let halves = levels.map { Double($0 - 1) * (1 - 1e-3) / 2 }
        let offsets = levels.map { $0 % 2 == 0 ? 0.5 : 0 }
        let shifts = zip(offsets, halves).map { Foundation.tan($0 / $1) }
        func channels(_ values: [Double]) -> Tensor { values.channels(of: features) }
        let steps = (features + channels(shifts)).tanh() * channels(halves) - channels(offsets)
        return steps / halfWidths(of: features)
    }

    /// Latents at the nearest level of each channel. Gradients pass as if nothing were rounded (straight through).
    /// - Parameter latents: `[batch, channels, height, width]` as `bounded` gives them.
    public func callAsFunction(_ latents: Tensor) -> Tensor {
        let rounded = withoutGradients { steps(of: latents) / halfWidths(of: latents) }
        return latents + (rounded - latents).detached()
    }

    /// The number of the vector nearest to each latent; the first channel counts fastest.
    /// - Parameter latents: `[batch, channels, height, width]` as `bounded` gives them.
    /// - Returns: `[batch, height, width]`, `int64`
    public func indices(of latents: Tensor) -> Tensor {
        withoutGradients {
            let digits = steps(of: latents) + halfWidths(of: latents)
            return (digits.to(.int64) * Tensor(bases).reshaped([1, levels.count, 1, 1]).to(latents.device))
                .sum([1])
        }
    }

    /// The vectors of numbers: `[batch, height, width]` of `int64` → `[batch, channels, height, width]` in `float32`.
    public func vectors(at indices: Tensor) -> Tensor {
        let channels = zip(levels, bases).map { levels, base in
            let digits = (indices.to(.float64) / Double(base)).floor().remainder(dividingBy: Double(levels))
            return ((digits - Double(levels / 2)) / Double(levels / 2)).to(.float32)
        }
        return stacked(channels, along: 1)
    }

    /// The whole number of steps from 0 to the nearest level.
    private func steps(of latents: Tensor) -> Tensor {
        let widths = levels.map { Double($0 / 2) }
        let highest = zip(levels, widths).map { Double($0 - 1) - $1 }
        return (latents * halfWidths(of: latents)).rounded().clamped(
            between: widths.map { -$0 }.channels(of: latents), and: highest.channels(of: latents))
    }

    /// ⌊levels / 2⌋ of each channel, by which steps become numbers in −1 … 1.
    private func halfWidths(of latents: Tensor) -> Tensor {
        levels.map { Double($0 / 2) }.channels(of: latents)
    }

    /// What a step of each channel adds to the number of a vector.
    private var bases: [Int] {
        levels.dropLast().reduce(into: [1]) { bases, count in bases.append(bases.last! * count) }
    }
}
