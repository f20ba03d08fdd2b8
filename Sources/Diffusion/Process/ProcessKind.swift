import Foundation
import Storage

/// A kind of process under the word of recipes and files: a row with its keys, its schedule, what stands between
/// its samples and a network, and how it is sampled.
///
/// A new kind is a schedule in a file of its own, its test, and a row of `ProcessKind.all`.
public struct ProcessKind: Sendable {
    /// The word (`diffusion.process` of a recipe, `kind` of a file).
    public let word: String
    /// The keys with the values that they have where they are left out.
    public let keys: [(name: String, standard: ProcessValue)]
    /// The word of the prediction of networks that name none.
    public let prediction: String
    /// Time to noise level.
    let schedule: @Sendable (ProcessDescription) -> any NoiseSchedule
    /// The scaling of the schedule's own samples.
    let scaling: SampleScaling
    /// Whether networks take samples of unit variance, whatever they predict.
    let hasUnitInput: Bool
    /// What a network takes for the time of a level.
    let time: @Sendable (_ level: NoiseLevel, _ schedule: any NoiseSchedule) -> Double
    /// The method that is taken where none is named.
    let method: Method
    /// The name of the process's own grid.
    let grid: Grid
    /// The times at which a run of so many steps begins, ends, and passes between.
    let times: @Sendable (ProcessDescription, _ steps: Int) -> [Double]
    /// Throws what makes the values meaningless.
    let check: @Sendable (ProcessDescription) throws -> Void
    /// Whether its path may be that of an interpolant, in place of the schedule.
    public internal(set) var takesInterpolant = false
    /// The word for how training draws times where none is named.
    public internal(set) var usualTimes = "uniform"
    /// Whether samples are bits ±1: they have a method, a prediction and a loss of their own.
    public internal(set) var isOfBits = false

    /// The kind of a word, `nil` where there is none.
    public static func named(_ word: String) -> ProcessKind? { all.first { $0.word == word } }

    /// Every kind.
    public static let all = [betas, edm, vpSDE, subVPSDE, ve, flow, cosine, binomial]

    /// Those whose noise is Gaussian.
    public static let gaussian = all.filter { !$0.isOfBits }

    /// What networks can predict on every process of Gaussian noise.
    public static let predictions = ["noise", "data", "v", "flow", "score", "edm"]

    /// What networks can predict on this process.
    public var predictions: [String] { isOfBits ? [prediction] : Self.predictions }
}

// MARK: Rows

extension ProcessKind {
    /// A table of β; networks take the whole times of the table.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), section 4.
    public static let betas = ProcessKind(
        word: "betas",
        keys: [
            ("schedule", .word(BetaSchedule.linear.rawValue)), ("train_steps", .number(1000)),
            ("beta_start", .number(1e-4)), ("beta_end", .number(0.02)), ("zero_terminal_snr", .flag(false)),
        ],
        prediction: "noise",
        schedule: { values in
            let table = DiscreteSchedule(
                betas: (BetaSchedule(rawValue: values.word("schedule")) ?? .linear).betas(
                    count: Int(values.number("train_steps")), from: values.number("beta_start"),
                    to: values.number("beta_end")))
            return values.flag("zero_terminal_snr") ? table.rescaledToZeroTerminalSNR() : table
        },
        scaling: .variancePreserving, hasUnitInput: false, time: scaled(by: 1), method: .ddim,
        grid: .linspace,
        times: wholeTimes,
        check: { values in
            guard BetaSchedule(rawValue: values.word("schedule")) != nil else {
                let known = BetaSchedule.allCases.map(\.rawValue).joined(separator: ", ")
                throw DiffusionError("schedule is \(quoted(values.word("schedule"))): use one of \(known)")
            }
            try values.checkStepCount()
            let (first, last) = (values.number("beta_start"), values.number("beta_end"))
            guard first > 0, first <= last, last < 1 else {
                throw DiffusionError(
                    "beta_start and beta_end are \(first) and \(last): they must lie between 0 and 1, the first not above the second"
                )
            }
        })

    /// Time is σ, α = 1; networks take samples of unit variance and c_noise = ¼·ln σ.
    /// Source: Karras et al. 2022 (arXiv:2206.00364), table 1.
    static let edm = ProcessKind(
        word: "edm",
        keys: [
            ("sigma_min", .number(0.002)), ("sigma_max", .number(80)), ("rho", .number(7)),
            ("sigma_data", .number(0.5)),
        ],
        prediction: "edm",
        schedule: { values in
            EDMSchedule(
                sigmaMinimum: values.number("sigma_min"), sigmaMaximum: values.number("sigma_max"),
                rho: values.number("rho"))
        },
        scaling: .varianceExploding, hasUnitInput: true, time: quarterLogarithm, method: .edm, grid: .karras,
        times: { values, steps in
            karrasSigmas(
                count: steps, from: values.number("sigma_max"), to: values.number("sigma_min"),
                rho: values.number("rho")) + [0]
        },
        check: { values in
            try values.checkRange("sigma_min", "sigma_max")
            try values.checkPositive("rho")
            try values.checkPositive("sigma_data")
        }, usualTimes: "log-normal")

    /// The variance-preserving equation; networks take 999·t, as the paper's code has it (`get_score_fn`).
    /// Source: Song et al. 2021 (arXiv:2011.13456), equation 32.
    static let vpSDE = preserving(word: "vp-sde", scaling: .variancePreserving) { first, last in
        VariancePreservingSchedule(betaMinimum: first, betaMaximum: last)
    }

    /// The same drift with less noise; networks take 999·t.
    /// Source: same paper, equation 28.
    static let subVPSDE = preserving(word: "sub-vp-sde", scaling: .subVariancePreserving) { first, last in
        SubVariancePreservingSchedule(betaMinimum: first, betaMaximum: last)
    }

    private static func preserving(
        word: String, scaling: SampleScaling,
        _ schedule: @escaping @Sendable (Double, Double) -> any NoiseSchedule
    ) -> ProcessKind {
        ProcessKind(
            word: word, keys: [("beta_min", .number(0.1)), ("beta_max", .number(20))], prediction: "noise",
            schedule: { schedule($0.number("beta_min"), $0.number("beta_max")) },
            scaling: scaling, hasUnitInput: false, time: scaled(by: 999), method: .ddim, grid: .linspace,
            times: { _, steps in evenlySpaced(from: 1, to: 1e-3, count: steps) + [0] },
            check: { try $0.checkRange("beta_min", "beta_max") })
    }

    /// The variance-exploding equation; networks take samples of unit variance and ¼·ln σ.
    ///
    /// The paper's networks embed ln σ, too; their samples are not scaled. Its training draws times evenly, so that a quarter
    /// of them have next to no noise and a fifth next to no data; here more of them lie between.
    /// Source: same paper, equations 30 and 31.
    static let ve = ProcessKind(
        word: "ve",
        keys: [("sigma_min", .number(0.01)), ("sigma_max", .number(50)), ("sigma_data", .number(0.5))],
        prediction: "score",
        schedule: { values in
            VarianceExplodingSchedule(
                sigmaMinimum: values.number("sigma_min"), sigmaMaximum: values.number("sigma_max"))
        },
        scaling: .varianceExploding, hasUnitInput: true, time: quarterLogarithm, method: .ddim,
        grid: .exponential, times: { _, steps in evenlySpaced(from: 1, to: 0, count: steps) },
        check: { values in
            try values.checkRange("sigma_min", "sigma_max")
            try values.checkPositive("sigma_data")
        }, usualTimes: "mode")

    /// A path between data and noise, the straight one unless an interpolant is named; networks take 1000·t, as those of
    /// diffusers do.
    /// Source: Liu et al. 2022 (arXiv:2209.03003), equation 1; Esser et al. 2024 (arXiv:2403.03206), equation 23, for
    /// the shift.
    static let flow = ProcessKind(
        word: "flow", keys: [("shift", .number(1))], prediction: "flow",
        schedule: { _ in StraightSchedule() },
        scaling: .straight, hasUnitInput: false, time: scaled(by: 1000), method: .flowEuler, grid: .shifted,
        times: { values, steps in
            // The ends stay where they are to the last bit: there is no data in the start at all.
            evenlySpaced(from: 1, to: 0, count: steps + 1).map {
                $0 < 1 ? StraightSchedule.shifted($0, by: values.number("shift")) : 1
            }
        },
        check: { try $0.checkPositive("shift") }, takesInterpolant: true)

    /// The cosine path within a log-SNR of ±15; networks take 1000·t, the times of a table of a thousand steps.
    static let cosine = ProcessKind(
        word: "cosine", keys: [], prediction: "v", schedule: { _ in CosineSchedule() },
        scaling: .variancePreserving, hasUnitInput: false, time: scaled(by: 1000), method: .ddim,
        grid: .linspace, times: { _, steps in evenlySpaced(from: 1, to: 0, count: steps) }, check: { _ in })

    /// Bits that are forgotten one by one; networks take the whole times.
    /// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), section 2.4.1 and appendix B.
    static let binomial = ProcessKind(
        word: "binomial", keys: [("train_steps", .number(1000))], prediction: "logit",
        schedule: { BinomialSchedule(count: Int($0.number("train_steps"))) },
        scaling: .variancePreserving, hasUnitInput: false, time: scaled(by: 1), method: .binomial,
        grid: .linspace, times: wholeTimes, check: { try $0.checkStepCount() }, isOfBits: true)

    /// Whole times, evenly spaced from the last to 0.
    private static let wholeTimes: @Sendable (ProcessDescription, Int) -> [Double] = { values, steps in
        let last = Int(values.number("train_steps")) - 1
        return evenlySpaced(from: Double(last), to: 0, count: steps).map { $0.rounded() }
    }

    /// Times of the schedule, multiplied.
    private static func scaled(
        by factor: Double
    ) -> @Sendable (NoiseLevel, any NoiseSchedule) -> Double {
        { level, schedule in factor * (level.time ?? schedule.time(logSNR: level.logSNR)) }
    }

    /// ¼·ln σ for data of α = 1.
    private static let quarterLogarithm: @Sendable (NoiseLevel, any NoiseSchedule) -> Double = { level, _ in
        EDMPreconditioning().noise(at: level)
    }
}
