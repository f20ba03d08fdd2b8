import Tensors

/// An objective that begins with a draw of a time for each example: all those of this library.
///
/// **The order of draws**, from one generator on the processor:
/// 1. the times (by `TimeSampling`),
/// 2. the noise, standard normal, shaped as the data and of their type; nothing where the example has its own,
/// 3. the rest: the latent noise of an interpolant, or the directions of sliced score matching, both standard normal and
///    shaped as the data.
public protocol TimedObjective: Objective where Memory == LossHistory {
    /// How times are drawn.
    var times: any TimeSampling { get }

    /// The losses of examples at given times, one time for each.
    /// - Throws: `DiffusionError` where the example does not fit the objective; the error that a tensor carries.
    func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses
}

extension TimedObjective {
    /// No losses yet.
    public var initialMemory: LossHistory { LossHistory() }

    /// The losses at drawn times, each multiplied by the importance of its draw; those without it are
    /// remembered, where the times are drawn by them.
    public func losses(
        _ example: Example, _ roles: Roles, _ memory: inout LossHistory, _ generator: RandomGenerator
    ) throws -> Losses {
        let draw = try times.draw(example.count, memory, generator)
        let losses = try losses(example, roles, at: draw.times, generator)
        try times.remember(losses.total, of: draw, in: &memory)
        return draw.importance.map { losses.multiplied(by: Tensor($0)) } ?? losses
    }

    /// The losses where all examples have the time at a share of the distribution.
    public func losses(
        _ example: Example, _ roles: Roles, atShare share: Double, _ generator: RandomGenerator
    ) throws -> Losses {
        let time = times.time(atShare: share)
        return try losses(example, roles, at: Array(repeating: time, count: example.count), generator)
    }
}
