import Foundation
import Tensors

/// How well the right ones of some candidates are found by their scores: recall among the first few, and the median rank.
///
/// The rank of a query is 1 and the number of wrong candidates that score as high as its best right one or higher, so that
/// equal scores count against the model.
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 3.1 and table 13, for recall at 1, 5 and 10.
public struct Retrieval: Codable, Sendable, Equatable {
    /// The share of queries with a right candidate among the first.
    public var recallAt1: Double
    /// The same among the first five.
    public var recallAt5: Double
    /// The same among the first ten.
    public var recallAt10: Double
    /// The median rank of the best right candidate; between two, their mean.
    public var medianRank: Double

    enum CodingKeys: String, CodingKey {
        case recallAt1 = "recall_at_1"
        case recallAt5 = "recall_at_5"
        case recallAt10 = "recall_at_10"
        case medianRank = "median_rank"
    }

    /// Measures scores.
    /// - Parameters:
    ///   - scores: `[queries, candidates]`
    ///   - isRight: likewise, booleans; every query has a right candidate.
    /// - Throws: the error that a tensor carries.
    public init(scores: Tensor, isRight: Tensor) throws {
        precondition(scores.shape == isRight.shape, "\(scores.shape) scores of \(isRight.shape) candidates")
        let best = scores.filled(with: -.infinity, where: (.!isRight)).max([1], keepingDimensions: true)
        let before = ((scores .>= best) .& (.!isRight)).to(.int64).sum([1])
        self.init(ranks: try before.array(of: Int.self).map { $0 + 1 })
    }

    /// Measures the ranks of queries, the first being 1.
    public init(ranks: [Int]) {
        precondition(!ranks.isEmpty, "no query")
        func recall(_ count: Int) -> Double {
            Double(ranks.filter { $0 <= count }.count) / Double(ranks.count)
        }
        (recallAt1, recallAt5, recallAt10) = (recall(1), recall(5), recall(10))
        let sorted = ranks.sorted()
        medianRank = Double(sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
