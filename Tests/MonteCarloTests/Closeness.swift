import Foundation
import Tensors
import Testing

/// Expects the mean of independent values `[count, …]` to be what it should, within five standard errors.
func expectMean(
    of values: Tensor, _ expected: Tensor, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let error = values.standardDeviation([0]) / Double(values.shape[0]).squareRoot()
    let score = ((values.mean([0]) - expected) / error).magnitude().max()
    #expect(try score.item() < 5.0, "\(comment)", sourceLocation: sourceLocation)
}

/// Expects independent points `[count, D]` to have a mean and a covariance, within five standard errors.
func expectMoments(
    of points: Tensor, mean: Tensor, covariance: Tensor, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    try expectMean(of: points, mean, "mean", sourceLocation: sourceLocation)
    let centred = points - mean
    try expectMean(
        of: centred.unsqueezed(2) * centred.unsqueezed(1), covariance, "covariance",
        sourceLocation: sourceLocation)
}
