import Datasets

/// A figure of a sample of examples, and how far another sample would have it elsewhere.
public struct BootstrapInterval: Codable, Sendable, Equatable {
    /// The figure.
    public var value: Double
    /// The lower end of the interval that holds it with 95 % chance: the value and 1.96 deviations of it over samples that
    /// are drawn from the sample again.
    /// Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 12.
    public var low: Double
    /// Its upper end.
    public var high: Double

    /// The figure of all examples, and of draws among them with replacement.
    /// - Parameters:
    ///   - count: the number of examples.
    ///   - resamples: how often they are drawn.
    ///   - figure: the figure of the examples of these numbers, some of them more than once.
    /// - Throws: what `figure` throws.
    package init(count: Int, resamples: Int = 200, seed: UInt64 = 0, _ figure: ([Int]) throws -> Double)
        rethrows
    {
        value = try figure(Array(0..<count))
        var generator = SplitMix64(seed: seed)
        let others = try (0..<resamples).map { _ in
            try figure((0..<count).map { _ in Int.random(in: 0..<count, using: &generator) })
        }
        let mean = others.reduce(0, +) / Double(resamples)
        let variance = others.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(resamples - 1, 1))
        (low, high) = (value - 1.96 * variance.squareRoot(), value + 1.96 * variance.squareRoot())
    }
}
