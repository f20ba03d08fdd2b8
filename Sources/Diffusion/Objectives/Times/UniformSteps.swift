import Tensors

/// Every time of a discrete process as likely as the others. One draw of whole numbers.
/// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1.
public struct UniformSteps: TimeSampling {
    /// T, the number of times.
    public let count: Int

    /// Times 0 … T−1.
    public init(count: Int) {
        self.count = count
    }

    /// Whole numbers.
    public func draw(_ count: Int, _ history: LossHistory, _ generator: RandomGenerator) throws -> TimeDraw {
        TimeDraw(
            times: try generator.integers([count], in: 0..<self.count).array(of: Int.self).map(Double.init))
    }

    /// ⌊share·T⌋
    public func time(atShare share: Double) -> Double {
        min(max((share * Double(count)).rounded(.down), 0), Double(count - 1))
    }
}

extension NoiseSchedule {
    /// All times as likely: whole ones where the schedule has whole times alone.
    public var uniformTimes: any TimeSampling {
        if let count = wholeTimeCount { return UniformSteps(count: count) }
        return DensityTimes(.uniform, on: self)
    }
}
