import Foundation
import Tensors

/// Numbers that change smoothly with time: y(t) = Σ_j y_j·g_j(t), with bumps
/// g_j(t) = exp(−(t − τ_j)²/2w²) scaled to sum 1 at every time.
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), appendix D.2.1.
public struct BumpFunctions: Sendable {
    /// g_j(t), `[T, J]`
    public let weights: Tensor

    /// Bumps whose centres τ lie evenly over the times, as wide as they are apart.
    /// - Parameters:
    ///   - count: J, the number of bumps.
    ///   - steps: T, the number of times.
    public init(count: Int, steps: Int, elementType: ElementType = .float32, on device: Device = .cpu) {
        let width = 1 / Double(max(count - 1, 1))
        let centres = evenlySpaced(from: 0, to: 1, count: count)
        let rows = evenlySpaced(from: 0, to: 1, count: steps).flatMap { time in
            let bumps = centres.map { exp(-pow((time - $0) / width, 2) / 2) }
            let sum = bumps.reduce(0, +)
            return bumps.map { $0 / sum }
        }
        weights = Tensor(rows, shape: [steps, count]).to(elementType).to(device)
    }

    /// y(t) of every time, `[T]`, from y_j `[J]`.
    public func callAsFunction(_ values: Tensor) -> Tensor { weights.matmul(values) }

    /// y(t) of each example, `[batch, …]`, from y_j of each `[batch, J, …]` and its time `[batch]`.
    public func callAsFunction(_ values: Tensor, at times: Tensor) -> Tensor {
        (values * weights.gathered(times).broadcast(toRank: values.rank)).sum([1])
    }
}
