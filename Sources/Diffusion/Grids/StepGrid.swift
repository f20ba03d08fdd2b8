import Foundation

/// Where a solver stops on its way from noise to data.
public struct StepGrid: Sendable, Equatable {
    /// The most steps of a run, which bounds the memory that a request takes before it is known to be right.
    public static let maximalCount = 100_000

    /// One step: from a level to the next.
    public struct Step: Sendable, Equatable {
        /// The level of the sample before the step, and the time for the network.
        public var from: NoiseLevel
        /// The level of the sample after the step.
        public var to: NoiseLevel
        /// Which step of its grid this is, from 0.
        public fileprivate(set) var index = 0
        /// The number of steps of its grid.
        public fileprivate(set) var count = 1

        /// A step; a grid numbers it.
        public init(from: NoiseLevel, to: NoiseLevel) {
            self.from = from
            self.to = to
        }

        /// Whether no step follows.
        public var isLast: Bool { index == count - 1 }
    }

    /// The steps, in the order in which they are taken.
    public let steps: [Step]
    /// What unit noise is multiplied with to start: a scheduler's `init_noise_sigma`.
    public let startScale: Double

    /// A grid of steps.
    public init(steps: [Step], startScale: Double = 1) {
        self.steps = steps.enumerated().map { index, step in
            var step = step
            (step.index, step.count) = (index, steps.count)
            return step
        }
        self.startScale = startScale
    }

    /// A grid through levels, each step ending where the next begins.
    public init(through levels: [NoiseLevel], startScale: Double = 1) {
        self.init(
            steps: zip(levels, levels.dropFirst()).map { Step(from: $0, to: $1) }, startScale: startScale)
    }

    /// The grid without its first steps. Those that are left keep their numbers, so that a method that starts
    /// in the middle knows how far the end is.
    public func dropping(first count: Int) -> StepGrid {
        StepGrid(numbered: Array(steps.dropFirst(count)), startScale: startScale)
    }

    /// The first steps of the grid, with their numbers.
    public func prefix(_ count: Int) -> StepGrid {
        StepGrid(numbered: Array(steps.prefix(count)), startScale: startScale)
    }

    /// The first steps of the grid, with their numbers, the last of which ends at another level.
    func prefix(_ count: Int, endingAt level: NoiseLevel) -> StepGrid {
        var kept = Array(steps.prefix(count))
        if !kept.isEmpty { kept[kept.count - 1].to = level }
        return StepGrid(numbered: kept, startScale: startScale)
    }

    /// The same steps from noise that is multiplied with a factor.
    package func scalingStart(by factor: Double) -> StepGrid {
        StepGrid(numbered: steps, startScale: startScale * factor)
    }

    private init(numbered steps: [Step], startScale: Double) {
        (self.steps, self.startScale) = (steps, startScale)
    }

    /// Throws where a level is not finite, or too large for single precision.
    ///
    /// The numbers of a process can each make sense and leave no level together: where every step adds much noise, ᾱ
    /// becomes 0 in double precision, and σ/α infinite.
    /// - Throws: `DiffusionError` that names the first such step.
    package func checkFinite() throws {
        let step = steps.first { !$0.from.isFinite || !$0.to.isFinite }
        guard step != nil || !Float(startScale).isFinite else { return }
        let place = step.map { "step \($0.index + 1) of \($0.count)" } ?? "the start"
        throw DiffusionError(
            "the noise levels of \(place) are not finite in single precision: the process (beta_start, beta_end, num_train_timesteps, sigma_min, sigma_max, rho) cannot be sampled on this grid, change one of them"
        )
    }

    /// The grid that climbs back from data to noise through the same levels, for inversion: each step
    /// holds the network at the time that it climbs to, as the forward step to that level did.
    /// Source: Song et al. 2021 (arXiv:2010.02502), section 4.3.
    public func inverted() -> StepGrid {
        StepGrid(
            steps: steps.reversed().map { step in
                let source = NoiseLevel(time: step.from.time, alpha: step.to.alpha, sigma: step.to.sigma)
                return Step(from: source, to: step.from)
            })
    }

    /// The grid that climbs back through the levels of the steps, each at its own time, from the last level that
    /// holds noise: what a method of the probability flow climbs along.
    func reversed() -> StepGrid {
        let last = steps.last.map(\.to).flatMap { $0.sigma > 0 ? $0 : nil }
        return StepGrid(through: ([last].compactMap { $0 }) + steps.reversed().map(\.from))
    }
}

/// How the times of a discrete process are chosen; raw values are diffusers' `timestep_spacing`.
/// Source: Lin et al. 2023 (arXiv:2305.08891), table 2.
public enum TimeSpacing: String, Codable, Sendable, CaseIterable {
    /// 0, r, 2r, …, with r = ⌊T / n⌋: never reaches the last time.
    case leading
    /// T−1, T−1−r, …, with r = T / n: starts at the last time.
    case trailing
    /// Evenly from 0 to T−1, both included.
    case linspace

    /// `steps` times of a process of `count` steps, most noise first.
    /// - Parameter offset: added to every time under `leading`.
    public func times(steps: Int, of count: Int, offset: Int = 0) -> [Int] {
        switch self {
        case .leading:
            let ratio = count / steps
            return (0..<steps).reversed().map { $0 * ratio + offset }
        case .trailing:
            // NumPy's arange to the last bit: where T/n is not a binary fraction it can give one time
            // more, −1, and diffusers goes there.
            let (total, ratio) = (Double(count), Double(count) / Double(steps))
            let stride = (total - ratio) - total
            return (0..<Int((total / ratio).rounded(.up))).map { index in
                Int((total + Double(index) * stride).rounded(.toNearestOrEven)) - 1
            }
        case .linspace:
            // NumPy's products to the last bit: they decide which way a half is rounded.
            let stride = steps > 1 ? Double(count - 1) / Double(steps - 1) : 0
            return (0..<steps).reversed().map { index in
                index > 0 && index == steps - 1
                    ? count - 1 : Int((Double(index) * stride).rounded(.toNearestOrEven))
            }
        }
    }
}
