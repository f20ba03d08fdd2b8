/// The process of bits ±1 that forgets the same share 1/T of the data in each of T steps.
///
/// After t = 1 … T steps P(x_t = x₀) = ½·(1 + ā_t) with ā_t = 1 − t/T. The mean of x_t is ā_t·x₀ and its variance 1 − ā_t², so
/// that α = ā and σ = √(1 − ā²); its noise is the toss of a coin. Steps are the times 0 … T−1 here.
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), section 2.4.1 and table App.1 (binomial), with bits 0 and 1.
public struct BinomialSchedule: NoiseSchedule, Equatable {
    /// T
    public let count: Int
    /// A table of the same α and σ, whose noise is Gaussian: for the time of a log-SNR.
    private let table: DiscreteSchedule

    /// The process of T steps.
    /// - Precondition: there are at least two.
    public init(count: Int) {
        precondition(count > 1, "bits are forgotten in at least two steps")
        self.count = count
        let kept = (0..<count).map { Self.kept($0, of: count) }
        table = DiscreteSchedule(
            betas: zip(kept, [1] + kept.dropLast()).map { now, before in 1 - (now / before) * (now / before) }
        )
    }

    private static func kept(_ time: Int, of count: Int) -> Double {
        Double(count - 1 - time) / Double(count)
    }

    /// T − 1.
    public var start: Double { Double(count - 1) }
    /// T
    public var wholeTimeCount: Int? { count }
    /// ⌊share·T⌋, so that each time has the same share.
    public func time(atShare share: Double) -> Double { table.time(atShare: share) }
    /// That of Gaussian noise of the same α and σ.
    public var boundWeighting: LossWeighting { table.boundWeighting }

    /// The level at a whole time; times below 0 are the data itself.
    public func level(at time: Double) -> NoiseLevel {
        guard time >= 0 else { return NoiseLevel(time: time, alpha: 1, sigma: 0) }
        let alpha = Self.kept(min(Int(time), count - 1), of: count)
        return NoiseLevel(time: time, alpha: alpha, sigma: (1 - alpha * alpha).squareRoot())
    }

    /// The time, between whole numbers too.
    public func time(logSNR: Double) -> Double { table.time(logSNR: logSNR) }
}

extension Process {
    /// Whether its samples are bits ±1, and noise flips them.
    public var isOfBits: Bool { schedule is BinomialSchedule }
}
