import Tensors

/// The times of a batch, and what makes their draw count as an even one.
public struct TimeDraw: Sendable {
    /// The time of each example, in the unit of the schedule.
    public let times: [Double]
    /// What the loss of each example is multiplied with, `nil` where all count the same.
    public let importance: [Double]?
    /// The part of the range that each time was drawn from, where losses are remembered by parts.
    public let strata: [Int]?

    /// A draw.
    public init(times: [Double], importance: [Double]? = nil, strata: [Int]? = nil) {
        self.times = times
        self.importance = importance
        self.strata = strata
    }
}

/// How an objective draws times. A conforming value is bound to a schedule, so that its times are that schedule's.
public protocol TimeSampling: Sendable {
    /// The times of `count` examples.
    /// - Throws: the error of a draw that failed.
    func draw(_ count: Int, _ history: LossHistory, _ generator: RandomGenerator) throws -> TimeDraw

    /// The time below which a share of the draws lies, before any history.
    func time(atShare share: Double) -> Double

    /// Takes the losses of a draw, `[batch]`, not multiplied by their importance, into the history.
    /// - Throws: the error that the losses carry.
    func remember(_ losses: Tensor, of draw: TimeDraw, in history: inout LossHistory) throws
}

extension TimeSampling {
    /// Nothing is remembered.
    public func remember(_ losses: Tensor, of draw: TimeDraw, in history: inout LossHistory) {}
}

/// The latest losses of each part of the range of times: what the next draw depends on.
public struct LossHistory: Codable, Sendable, Equatable {
    /// The losses of each part, oldest first; empty where nothing is remembered.
    public var losses: [[Double]]

    /// A history.
    public init(_ losses: [[Double]] = []) {
        self.losses = losses
    }
}
