/// The name of something that can be set of a method; raw values are the names of recipes and files.
public enum SamplerOption: String, Sendable, CaseIterable {
    /// η
    case eta
    /// S_churn, the noise put back before steps.
    case churn
    /// S_tmin … S_tmax, where noise is put back.
    case churnRange = "churn_range"
    /// S_noise, what that noise is multiplied with.
    case churnNoise = "churn_noise"
    /// r of Langevin steps.
    case signalToNoise = "signal_to_noise"
    /// The number of Langevin steps.
    case langevinSteps = "langevin_steps"
    /// The size of annealed Langevin steps.
    case langevinStepSize = "langevin_step_size"
    /// The relative tolerance of an adaptive method.
    case relativeTolerance = "relative_tolerance"
    /// The absolute tolerance of an adaptive method.
    case absoluteTolerance = "absolute_tolerance"
}

extension Set<SamplerOption> {
    /// What a method with churn reads.
    public static let churn: Set = [.churn, .churnRange, .churnNoise]
}

/// What can be set of a method beside its name and number of steps.
public struct SamplerOptions: Sendable, Equatable {
    /// DDIM's η, and that of ancestral and consistency methods where it is given.
    public var eta: Double?
    /// S_churn, the noise put back before the steps of `euler`, `heun`, `dpm2` and `edm`, over all steps together.
    public var churn: Double?
    /// S_tmin … S_tmax, the σ (for data of α = 1) where noise is put back; everywhere where `nil`.
    public var churnRange: ClosedRange<Double>?
    /// S_noise, what that noise is multiplied with; 1 where `nil`.
    public var churnNoise: Double?
    /// μ of a shift that depends on the picture's size.
    public var shiftExponent: Double?
    /// r, the signal-to-noise ratio of Langevin steps.
    public var signalToNoise: Double?
    /// Langevin steps a level.
    public var langevinSteps: Int?
    /// ε/σ_L², the size of annealed Langevin steps.
    public var langevinStepSize: Double?
    /// The relative error that an adaptive method may make.
    public var relativeTolerance: Double?
    /// The absolute error that an adaptive method may make.
    public var absoluteTolerance: Double?
    /// How many of the first steps are left out, for a start in the middle.
    public var skippedSteps = 0

    /// Everything left to the method.
    public init() {}

    /// The noise put back before steps.
    public var addedNoise: Churn {
        Churn(
            amount: churn ?? 0, range: churnRange ?? 0...Double.infinity, noiseScale: churnNoise ?? 1)
    }
}

extension SamplerOptions {
    /// The options that are given, each with its value as text.
    public var given: [(option: SamplerOption, value: String)] {
        func shown(_ value: (some CustomStringConvertible)?) -> String? { value?.description }
        let values: [(SamplerOption, String?)] = [
            (.eta, shown(eta)), (.churn, shown(churn)), (.churnRange, churnRange.map(intervalWord)),
            (.churnNoise, shown(churnNoise)), (.signalToNoise, shown(signalToNoise)),
            (.langevinSteps, shown(langevinSteps)), (.langevinStepSize, shown(langevinStepSize)),
            (.relativeTolerance, shown(relativeTolerance)), (.absoluteTolerance, shown(absoluteTolerance)),
        ]
        return values.compactMap { option, value in value.map { (option, $0) } }
    }

    /// Throws where an option is given that a method does not read, or has a value that means nothing.
    /// - Throws: `DiffusionError` that names the option.
    package func check(readBy method: String, _ reads: Set<SamplerOption>) throws {
        if let (option, value) = given.first(where: { !reads.contains($0.option) }) {
            let readers = Method.allCases.filter { $0.reads.contains(option) }.map(\.name)
            throw DiffusionError(
                field: option.rawValue,
                "is \(value), and \(method) does not read it: leave it out, or use a method that does (\(readers.joined(separator: ", ")))"
            )
        }
        try checkValues()
    }

    private func checkValues() throws {
        try checkChurn()
        if let langevinSteps, !(0...10_000).contains(langevinSteps) {
            throw DiffusionError(
                field: SamplerOption.langevinSteps.rawValue,
                "is \(langevinSteps): give a number of steps from 0 to 10000")
        }
        let positive: [(SamplerOption, Double?)] = [
            (.signalToNoise, signalToNoise), (.langevinStepSize, langevinStepSize),
            (.relativeTolerance, relativeTolerance), (.absoluteTolerance, absoluteTolerance),
            (.churnNoise, churnNoise),
        ]
        for case (let option, let value?) in positive where !(value > 0 && Float(value).isFinite) {
            throw DiffusionError(field: option.rawValue, "is \(value): it must be above 0")
        }
    }

    private func checkChurn() throws {
        if let churn, !(churn >= 0 && Float(churn).isFinite) {
            throw DiffusionError(
                field: SamplerOption.churn.rawValue,
                "is \(churn): it must not be below 0; 0 puts no noise back")
        }
        if let churnRange, !(churnRange.lowerBound >= 0) {
            throw DiffusionError(
                field: SamplerOption.churnRange.rawValue,
                "is \(intervalWord(churnRange)): noise levels are not below 0")
        }
        let parts = given.filter { [.churnRange, .churnNoise].contains($0.option) }
        if let (option, value) = parts.first, !((churn ?? 0) > 0) {
            throw DiffusionError(
                field: option.rawValue, "is \(value), and there is no churn: give churn, or leave it out")
        }
    }
}

/// An interval as options and receipts have it, `0.05:50.0`.
func intervalWord(_ interval: ClosedRange<Double>) -> String {
    "\(interval.lowerBound):\(interval.upperBound)"
}
