import Foundation

/// How the share of guidance that acts grows over the steps: a row with its name and a curve from 0 at the first step to 1 at
/// the last one.
///
/// At a scale of 1, `linear` leads in a straight line from the unconditional estimate to the conditional one.
/// Source: Wang et al. 2024 (arXiv:2404.13040), section 4, whose scales grow in the same forms.
public struct GuidanceSchedule: Sendable {
    /// The name that users type (`--guidance-schedule`).
    public let name: String
    /// What it does, in a line.
    public let summary: String
    /// The share that acts at a place in the run, from 0 at the first step to 1 at the last one.
    package let share: @Sendable (_ place: Double) -> Double

    /// A curve.
    public init(_ name: String, _ summary: String, share: @escaping @Sendable (_ place: Double) -> Double) {
        (self.name, self.summary, self.share) = (name, summary, share)
    }

    /// All of it at every step, which is guidance without a schedule.
    public static let constant = GuidanceSchedule("constant", "all of it at every step") { _ in 1 }
    /// u
    public static let linear = GuidanceSchedule("linear", "even growth") { $0 }
    /// (1 − cos πu)/2
    public static let cosine = GuidanceSchedule("cosine", "slow at both ends") { (1 - cos(.pi * $0)) / 2 }
    /// u²
    public static let quadratic = GuidanceSchedule("quadratic", "late growth") { $0 * $0 }
    /// 1 − u, for comparison: from all of it to the unconditional estimate.
    public static let falling = GuidanceSchedule("falling", "even, from all of it to nothing") { 1 - $0 }

    /// Every curve.
    public static let allCases: [GuidanceSchedule] = [constant, linear, cosine, quadratic, falling]
}

extension GuidanceSchedule: RawRepresentable, CaseIterable, Codable, Hashable {
    /// The name.
    public var rawValue: String { name }

    /// The curve of a name, `nil` where there is none.
    public init?(rawValue name: String) {
        guard let found = GuidanceSchedule.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Curves are the same where their names are.
    public static func == (left: GuidanceSchedule, right: GuidanceSchedule) -> Bool {
        left.name == right.name
    }

    /// By the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension StepGrid {
    /// Where in the run a level lies: 0 where the first step begins, 1 where the last one does, and between two steps on a
    /// straight line in the angle of σ and α, which is finite at both ends of every process.
    package func place(of level: NoiseLevel) -> Double {
        guard steps.count > 1 else { return 1 }
        let angles = steps.map { atan2($0.from.sigma, $0.from.alpha) }
        let angle = atan2(level.sigma, level.alpha)
        // A climb from data to noise has rising levels.
        let isFalling = angles[0] >= angles[angles.count - 1]
        guard let next = angles.firstIndex(where: { isFalling ? $0 <= angle : $0 >= angle }) else { return 1 }
        guard next > 0 else { return 0 }
        let (low, high) = (angles[next - 1], angles[next])
        return (Double(next - 1) + (angle - low) / (high - low)) / Double(steps.count - 1)
    }
}
