/// The name of something that can be set of a method; raw values are the names of recipes and files.
public enum SamplerOption: String, Sendable, CaseIterable {
    /// η
    case eta
    /// The noise put back before steps.
    case churn
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

/// What can be set of a method beside its name and number of steps.
public struct SamplerOptions: Sendable, Equatable {
    /// DDIM's η, and that of ancestral and consistency methods where it is given.
    public var eta: Double?
    /// The noise put back before each step of `euler`, `heun`, `dpm2` and `edm`.
    public var churn = Churn()
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
}

extension SamplerOptions {
    /// The options that are given, each with its value as text.
    public var given: [(option: SamplerOption, value: String)] {
        func shown(_ value: (some CustomStringConvertible)?) -> String? { value?.description }
        let values: [(SamplerOption, String?)] = [
            (.eta, shown(eta)), (.churn, churn == Churn() ? nil : "\(churn.amount)"),
            (.signalToNoise, shown(signalToNoise)), (.langevinSteps, shown(langevinSteps)),
            (.langevinStepSize, shown(langevinStepSize)), (.relativeTolerance, shown(relativeTolerance)),
            (.absoluteTolerance, shown(absoluteTolerance)),
        ]
        return values.compactMap { option, value in value.map { (option, $0) } }
    }

    /// Throws where an option is given that a method does not read.
    /// - Throws: `DiffusionError` that names the option.
    package func check(readBy method: String, _ reads: Set<SamplerOption>) throws {
        guard let (option, value) = given.first(where: { !reads.contains($0.option) }) else { return }
        let readers = Method.allCases.filter { $0.reads.contains(option) }.map(\.name)
        throw DiffusionError(
            field: option.rawValue,
            "is \(value), and \(method) does not read it: leave it out, or use a method that does (\(readers.joined(separator: ", ")))"
        )
    }
}
