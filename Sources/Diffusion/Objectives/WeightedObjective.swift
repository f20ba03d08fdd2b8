/// An objective whose errors count by a weighting over the levels of a process.
public protocol WeightedObjective: TimedObjective {
    /// What is trained, and how its network takes a sample.
    var process: Process { get }
    /// How much each level counts.
    var weighting: LossWeighting { get }
}

extension DenoisingObjective: WeightedObjective {}
extension HybridObjective: WeightedObjective {}
extension ScoreMatchingObjective: WeightedObjective {}

extension BoundObjective: WeightedObjective {
    /// The weighting under which errors count as much as in the bound, but for its first term and a learned variance.
    public var weighting: LossWeighting { process.schedule.boundWeighting }
}

extension WeightedObjective {
    /// The share of all weight, in the unit of the network's own output, that falls on the tenth of the drawn times that
    /// counts most: 0.1 where all count the same, and near 1 where a weighting that is stated for another prediction
    /// leaves next to nothing to the other times.
    public var weightOfLargestTenth: Double {
        let (schedule, parameterization) = (process.schedule, process.parameterization)
        let weights = RunningObjective.evenShares(1000).map { share in
            let level = schedule.level(at: times.time(atShare: share))
            let own = level.divided(by: parameterization.scaling.scale(of: level))
            return weighting.weight(on: parameterization.output, at: own)
        }
        let largest = weights.sorted(by: >).prefix(weights.count / 10)
        return largest.reduce(0, +) / weights.reduce(0, +)
    }
}
