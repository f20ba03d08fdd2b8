import Foundation
import Tensors

/// Whether paths look like a martingale's: E[x(t′) − x(t) | x(t)] = 0.
///
/// An increment with mean 0 given the past is uncorrelated with every function of it. Its product with 1 and with
/// the standardised x(t) is averaged over the paths; each average over its standard error is a number that is
/// standard normal for a martingale with enough paths.
public struct MartingaleCheck: Sendable {
    /// The averages over their standard errors, `[times − 1, 2]`; of the second where all x(t) are equal, 0.
    public let scores: Tensor

    /// Checks paths `[times, paths]` between each time and the next.
    public init(paths: Tensor) {
        let count = paths.shape[0]
        let past = paths.slice(0..<count - 1, of: 0)
        let increments = paths.slice(1..<count, of: 0) - past
        let centred = past - past.mean([1], keepingDimensions: true)
        let spread = past.standardDeviation([1], keepingDimensions: true)
        let standard = centred / spread.filled(with: 1, where: spread .== 0)
        scores = stacked([increments, increments * standard].map(Self.score), along: 1)
    }

    /// The largest of the scores without their sign.
    public var largest: Tensor { scores.magnitude().max() }

    private static func score(_ products: Tensor) -> Tensor {
        let error = products.standardDeviation([1]) / Double(products.shape[1]).squareRoot()
        return products.mean([1]) / error.filled(with: 1, where: error .== 0)
    }
}
