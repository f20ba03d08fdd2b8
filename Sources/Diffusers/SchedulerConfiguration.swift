import Diffusion
import Storage

/// A process and how to sample it, as diffusers writes it in `scheduler_config.json`.
///
/// A value: it makes a schedule, a grid and a solver and keeps no state of its own. The same file read as
/// another class is `NewClass.from_config(configuration)`: what the file says stays, what it leaves out
/// takes the new class's default (`converted(to:)`).
public struct SchedulerConfiguration: Sendable {
    /// The class.
    public private(set) var kind: SchedulerClass
    /// The keys that a file gave; all others have the class's default.
    private var given: Set<String> = []

    // The process.

    /// T, the number of steps of the process.
    public var trainSteps = 1000
    /// β of the first step.
    public var betaStart = 0.0001
    /// β of the last step.
    public var betaEnd = 0.02
    /// The table of β.
    public var betaSchedule = BetaSchedule.linear
    /// β of every step, instead of a named table.
    public var trainedBetas: [Double]?
    /// Whether the last time is to carry no signal.
    public var zeroTerminalSNR = false
    /// The least σ (processes whose time is σ), or of a grid; `nil` where the process decides.
    public var sigmaMinimum: Double?
    /// The largest σ, likewise.
    public var sigmaMaximum: Double?
    /// The standard deviation of the data.
    public var sigmaData = 0.5
    /// Whether the process is the straight path (`use_flow_sigmas`).
    public var isFlow = false
    /// The shift of the straight path where `isFlow`.
    public var flowShift = 1.0
    /// The shift of the straight path of classes that know no other.
    public var shift = 1.0

    // What the network gives, and how it is kept in range.

    /// What the network's output means.
    public var prediction = Prediction.noise
    /// The variance of a step; also whether a network's further channels give it.
    public var variance: ReverseVariance?
    /// Whether estimated data are cut off at ±`clipRange`.
    public var clipsData = false
    /// Whether a consistency model's data are cut off at ±1.
    public var clipsDenoised = true
    /// Where estimated data are cut off.
    public var clipRange = 1.0
    /// Whether estimated data are cut off dynamically; goes before `clipsData`.
    public var thresholds = false
    /// The quantile of dynamic thresholding.
    public var thresholdQuantile = 0.995
    /// The largest limit of dynamic thresholding.
    public var thresholdMaximum = 1.0

    // The grid.

    /// How the times of a grid are chosen.
    public var spacing = TimeSpacing.linspace
    /// Added to the times of `leading` spacing.
    public var stepsOffset = 0
    /// Whether the last step of a discrete process ends at the data itself rather than at time 0.
    public var endsAtData = true
    /// Karras's σ.
    public var usesKarrasSigmas = false
    /// σ even in ln σ.
    public var usesExponentialSigmas = false
    /// σ at the quantiles of a Beta distribution.
    public var usesBetaSigmas = false
    /// λ as Lu et al. chose them.
    public var usesLuLambdas = false
    /// ρ of Karras's σ.
    public var rho = 7.0
    /// How σ are chosen where time is σ.
    public var sigmaSpacing = SchedulerWords.SigmaSpacing.karras
    /// Where the last step ends.
    public var finalSigma = SchedulerWords.FinalSigma.zero
    /// How σ between whole times are found.
    public var interpolation = SchedulerWords.Interpolation.linear
    /// Whether the network is told times or ¼·ln σ.
    public var timeType = SchedulerWords.TimeType.discrete
    /// The least λ of a grid, for processes whose last times carry no signal.
    public var lambdaMinimum = -Double.infinity
    /// Whether the shift depends on the picture's size.
    public var usesDynamicShift = false
    /// How a shift that depends on the size is applied.
    public var timeShift = SchedulerWords.TimeShift.exponential
    /// μ of pictures with `baseSequenceLength` tokens.
    public var baseShift = 0.5
    /// μ of pictures with `maximalSequenceLength` tokens.
    public var maximalShift = 1.15
    /// A number of tokens.
    public var baseSequenceLength = 256
    /// A number of tokens.
    public var maximalSequenceLength = 4096
    /// Whether σ run from 0 to 1.
    public var invertsSigmas = false
    /// The σ at which a shifted grid is stretched to end.
    public var terminalShift: Double?
    /// How much larger than at the start a sample is in each further step; refused where there are any.
    public var scaleFactors: [Double]?
    /// How samples would be made larger; read only with `scaleFactors`.
    public var enlargement = "bicubic"
    /// The number of steps that a consistency model was distilled from.
    public var originalSteps = 50
    /// What the times of a latent consistency model are multiplied with.
    public var timeScaling = 10.0

    // The method.

    /// The order of a multistep method.
    public var solverOrder = 2
    /// The family of the method.
    public var algorithm = SchedulerWords.Algorithm.dpmSolverPlusPlus
    /// The variant of the method.
    public var solverVariant = SchedulerWords.SolverVariant.midpoint
    /// Whether the last steps have a lower order.
    public var lowersOrderAtEnd = true
    /// Whether the last step is Euler's.
    public var endsWithEuler = false
    /// Whether UniPC works on data rather than noise.
    public var predictsData = true
    /// The steps after which UniPC's corrector rests.
    public var stepsWithoutCorrector: [Int] = []
    /// Whether PNDM leaves out its Runge–Kutta start.
    public var skipsRungeKutta = false
    /// The order of a stochastic Adams predictor.
    public var predictorOrder = 2
    /// The order of a stochastic Adams corrector.
    public var correctorOrder = 2
    /// Whether every step of a flow draws fresh noise.
    public var isStochastic = false
    /// What fresh noise is multiplied with.
    public var noiseScale = 1.0
    /// The seed of a noise tree; not read, noise comes from the picture's own stream.
    public var noiseSeed: Int?
    /// The signal-to-noise ratio of Langevin correction steps.
    public var correctorSNR = 0.15
    /// The number of Langevin correction steps.
    public var correctorSteps = 1
    /// The time at which a continuous process ends.
    public var samplingEpsilon = 1e-5
    /// η of methods that keep it in their configuration.
    public var eta = 0.0

    /// Whether tables are those of diffusers, which computes them in single precision. Not in the file: formulas
    /// mean the exact ones, and networks in single precision are sampled by these.
    public var hasSingleTables = false

    /// A configuration with diffusers' defaults for a class.
    public init(_ kind: SchedulerClass) {
        self.kind = kind
        kind.setDefaults(&self)
    }

    /// What the same file means to another class.
    public func converted(to kind: SchedulerClass) -> SchedulerConfiguration {
        guard kind != self.kind else { return self }
        let own = SchedulerConfiguration(self.kind)
        var converted = SchedulerConfiguration(kind)
        converted.hasSingleTables = hasSingleTables
        for flag in SchedulerFlag.all where given.contains(flag.key) || !flag.agrees(self, own) {
            flag.copy(&converted, self)
            converted.given.insert(flag.key)
        }
        return converted
    }
}

extension SchedulerConfiguration {
    /// What the pipelines of Stable Diffusion 1 and 2 in diffusers make of their folder's scheduler: the first
    /// published files had wrong flags.
    ///
    /// - Parameters:
    ///   - inpaints: whether it is the pipeline for inpainting, which corrects other flags.
    ///   - converted: whether another class will be made of it, which sees only what the file itself said.
    public func correctedForStableDiffusion(inpaints: Bool, converted: Bool) -> SchedulerConfiguration {
        var corrected = self
        func corrects(_ key: String) -> Bool { !converted || given.contains(key) }
        if corrects("steps_offset") { corrected.stepsOffset = 1 }
        if !inpaints, corrects("clip_sample") { corrected.clipsData = false }
        if inpaints, kind == .pndm, corrects("skip_prk_steps") { corrected.skipsRungeKutta = true }
        return corrected
    }
}

extension SchedulerConfiguration: Equatable {
    /// The same class with the same flags; whether a file gave them does not count.
    public static func == (left: Self, right: Self) -> Bool {
        left.kind == right.kind && SchedulerFlag.all.allSatisfy { $0.agrees(left, right) }
    }
}

extension SchedulerConfiguration: Codable {
    /// Reads the file form; what it leaves out takes the class's default.
    ///
    /// Keys of other classes are kept for `converted(to:)`; a key that no class knows is an error.
    /// - Throws: `DiffusionError` where a key is not known or a value will not do.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: SchedulerFlag.Key.self)
        let name = try values.decode(String.self, forKey: "_class_name")
        guard let kind = SchedulerClass(rawValue: name) else {
            let known = SchedulerClass.allCases.map(\.rawValue).joined(separator: ", ")
            throw DiffusionError("the scheduler \(quoted(name)) is not known here: use one of \(known)")
        }
        self.init(kind)
        for key in values.allKeys where !key.stringValue.hasPrefix("_") {
            if SchedulerFlag.objects.contains(key.stringValue) {
                guard try values.decodeNil(forKey: key) else {
                    throw DiffusionError(
                        "the scheduler's flag '\(key.stringValue)' must be null: no file can hold what it is")
                }
                continue
            }
            guard let flag = SchedulerFlag.named[key.stringValue] else {
                let nearest = SchedulerFlag.nearest(to: key.stringValue)
                throw DiffusionError(
                    "the scheduler's flag \(quoted(key.stringValue)) is not known: the nearest one is '\(nearest)'"
                )
            }
            try flag.read(&self, values)
            given.insert(key.stringValue)
        }
        try validate()
    }

    /// The keys among some that no class knows and none is a slip of. Models of others hold such keys, and diffusers
    /// passes over them; here they are errors, so whoever reads a model takes them out first.
    public static func foreignKeys(among keys: [String]) -> [String] { SchedulerFlag.foreign(among: keys) }

    /// Writes the class, and every flag that is not the class's default or that a file gave.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: SchedulerFlag.Key.self)
        try values.encode(kind.rawValue, forKey: "_class_name")
        let defaults = SchedulerConfiguration(kind)
        for flag in SchedulerFlag.all where given.contains(flag.key) || !flag.agrees(self, defaults) {
            try flag.write(self, &values)
        }
    }
}
