import Tensors

/// Conditioning augmentation of a cascade: noise on the picture of lower resolution that a later stage enlarges, of which the
/// network reads how much there is. So it learns not to trust what an earlier stage gets wrong.
/// Source: Ho et al. 2021 (arXiv:2106.15282), section 4.
public struct ConditioningAugmentation: Sendable {
    /// The process whose levels the noise has.
    public let process: Process

    /// Augmentation by the noise of a process.
    public init(_ process: Process) { self.process = process }

    /// A time for each of some pictures, all those of the process up to a share of it as likely.
    /// - Parameter share: above 0, up to 1.
    /// - Throws: the error of a draw that failed.
    public func times(_ count: Int, upTo share: Double, _ generator: RandomGenerator) throws -> [Double] {
        let schedule = process.schedule
        if let whole = schedule.wholeTimeCount {
            let last = max(1, Int((Double(whole) * share).rounded()))
            return try generator.integers([count], in: 0..<last).array(of: Int.self).map(Double.init)
        }
        let shares = try generator.uniform([count], .float64).array(of: Double.self)
        return shares.map { schedule.time(atShare: $0 * share) }
    }

    /// The time of a noise level that is counted as diffusers counts it: one of the table's times, or thousandths of a
    /// process without a table.
    public func time(ofLevel level: Int) -> Double {
        process.schedule.wholeTimeCount == nil
            ? process.schedule.time(atShare: Double(level) / 1000) : Double(level)
    }

    /// The largest noise level.
    public var largestLevel: Int { process.schedule.wholeTimeCount.map { $0 - 1 } ?? 1000 }

    /// Pictures with the noise of their times, and the noise level for the network.
    /// - Parameters:
    ///   - pictures: `[batch, …]`, data of the process.
    ///   - times: one for each.
    ///   - noise: standard normal, shaped as the pictures; without it they are left as they are.
    /// - Returns: the pictures as a network of the process takes them, and its times `[batch]`.
    public func noised(_ pictures: Tensor, at times: [Double], _ noise: Tensor?) -> (Tensor, times: Tensor) {
        let batch = ProcessBatch(process, times: times, like: pictures)
        guard let noise else { return (pictures, batch.time) }
        return (batch.networkInput(batch.sample(pictures, noise)), batch.time)
    }

    /// Samples of the process at a time, as a network takes them, and their noise level for it.
    /// - Parameter samples: `[batch, …]`, at the level of the time.
    public func given(_ samples: Tensor, at time: Double) -> (Tensor, times: Tensor) {
        let batch = ProcessBatch(
            process, times: Array(repeating: time, count: samples.shape[0]), like: samples)
        return (batch.networkInput(batch.scaled(samples)), batch.time)
    }

    /// Pictures `[batch, channels, height, width]`, each blurred by a Gaussian of its own in a window of 3 × 3 pixels, mirrored
    /// at the edges.
    /// - Parameter deviations: in pixels, `[batch]`; 0 leaves a picture as it is.
    public static func blurred(_ pictures: Tensor, by deviations: Tensor) -> Tensor {
        // The weight of a neighbour beside that of the middle; a deviation of 0 gives exp(−∞) = 0.
        let neighbour = (-0.5 / deviations.squared()).exp().broadcast(toRank: 4)
        let (middle, side) = (1 / (1 + 2 * neighbour), neighbour / (1 + 2 * neighbour))
        return [2, 3].reduce(pictures) { x, dimension in
            let extent = x.shape[dimension]
            guard extent > 1 else { return x }
            let (before, after) = (
                concatenated(
                    [x.slice(1..<2, of: dimension), x.slice(0..<extent - 1, of: dimension)], along: dimension),
                concatenated(
                    [x.slice(1..<extent, of: dimension), x.slice(extent - 2..<extent - 1, of: dimension)],
                    along: dimension)
            )
            return middle * x + side * (before + after)
        }
    }
}
