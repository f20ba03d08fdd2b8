import Foundation
import Storage

/// A process by the word of its kind and the values of its keys, as recipes and files have it.
///
/// In a file an object whose `kind` names the process, beside its keys: `{"kind": "edm", "sigma_min": 0.002}`. Where
/// a network was trained on it, `prediction` is what its output means; exact models have none.
public struct ProcessDescription: Sendable {
    /// The kind.
    public let kind: ProcessKind
    /// What a network's output means: `noise`, `data`, `v`, `flow`, `score` or `edm`; `nil` where there is no network.
    public let prediction: String?
    /// The path between data and noise, a word of `ObjectiveWords.interpolants`; `nil` where it is the kind's own.
    public let interpolant: WordChoice?
    /// The extra noise on that path, a word of `ObjectiveWords.latentNoises`; `nil` where there is none.
    public let latent: WordChoice?
    let values: [String: ProcessValue]
    /// The schedule of interpolant and latent noise; `nil` where it is the kind's own.
    private let path: (any ContinuousSchedule)?

    /// A process.
    /// - Parameters:
    ///   - word: the word of its kind.
    ///   - values: the keys that differ from what is usual.
    ///   - prediction: what a network's output means; by default there is no network.
    ///   - interpolant: the path between data and noise, where the kind takes one; `straight` counts as none.
    ///   - latent: the extra noise on that path; `none` counts as none.
    /// - Throws: `DiffusionError`, one sentence that names the key.
    public init(
        _ word: String, _ values: [String: ProcessValue] = [:], prediction: String? = nil,
        interpolant: WordChoice? = nil, latent: WordChoice? = nil
    ) throws {
        guard let kind = ProcessKind.named(word) else {
            let known = ProcessKind.all.map(\.word)
            throw DiffusionError(
                "the schedule \(quoted(word)) is not known: the nearest one is '\(nearest(to: word, among: known) ?? "")'"
            )
        }
        let known = kind.keys.map(\.name)
        for key in values.keys.sorted() where !known.contains(key) {
            let advice =
                nearest(to: key, among: known).map { "the nearest one is '\($0)'" }
                ?? "it has no keys, leave it out"
            throw DiffusionError("the key \(quoted(key)) of the schedule is not known: \(advice)")
        }
        for (name, standard) in kind.keys {
            guard let value = values[name], !value.hasForm(of: standard) else { continue }
            throw DiffusionError("the schedule's '\(name)' must be \(standard.form)")
        }
        self.kind = kind
        self.values = Dictionary(
            uniqueKeysWithValues: kind.keys.map { ($0.name, values[$0.name] ?? $0.standard) })
        self.prediction = prediction
        self.interpolant = interpolant?.word == "straight" ? nil : interpolant
        self.latent = latent?.word == "none" ? nil : latent
        path = try Self.path(kind, self.interpolant, self.latent)
        try kind.check(self)
        if let prediction { try check(prediction) }
    }

    /// The process of a network with a given prediction, or with the one that is usual where `nil`.
    /// - Throws: `DiffusionError` where the process has no such prediction.
    public func predicting(_ prediction: String?) throws -> ProcessDescription {
        try ProcessDescription(
            kind.word, values, prediction: prediction ?? kind.prediction, interpolant: interpolant,
            latent: latent)
    }

    /// The process on the path of an interpolant.
    /// - Throws: `DiffusionError` where the kind has a path of its own, or noise does not grow along the path.
    public func following(_ interpolant: WordChoice?, latent: WordChoice? = nil) throws -> ProcessDescription
    {
        try ProcessDescription(
            kind.word, values, prediction: prediction, interpolant: interpolant, latent: latent)
    }

    /// The schedule of an interpolant with latent noise, `nil` where neither is named.
    private static func path(
        _ kind: ProcessKind, _ interpolant: WordChoice?, _ latent: WordChoice?
    ) throws -> (any ContinuousSchedule)? {
        guard let named = interpolant ?? latent else { return nil }
        guard kind.takesInterpolant else {
            let takers = ProcessKind.all.filter(\.takesInterpolant).map { "'\($0.word)'" }
            throw DiffusionError(
                "the path '\(named.word)' is one of its own, and so is process '\(kind.word)': leave the path out, or use process \(takers.joined(separator: " or "))"
            )
        }
        let path = try ObjectiveWords.interpolants(interpolant ?? "straight")
        let noise = try ObjectiveWords.latentNoises(latent ?? "none")
        let schedule = Interpolant(path, latent: noise).schedule
        let ratios = (1..<1000).map { schedule.level(at: Double($0) / 1000).noiseRatio }
        guard zip(ratios, ratios.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw DiffusionError(
                "latent '\(latent?.word ?? "none")' is so large that noise does not grow all along the interpolant '\(interpolant?.word ?? "straight")': give it a smaller number"
            )
        }
        return schedule
    }

    /// The value of a key.
    /// - Precondition: the kind has the key.
    public subscript(_ key: String) -> ProcessValue {
        guard let value = values[key] else {
            preconditionFailure("the process '\(kind.word)' has no key '\(key)'")
        }
        return value
    }

    func number(_ key: String) -> Double { self[key].number ?? .nan }
    func word(_ key: String) -> String { self[key].word ?? "" }
    func flag(_ key: String) -> Bool { self[key].flag ?? false }

    /// Throws where a prediction is no word of a prediction, or nothing follows from it where the process starts.
    private func check(_ prediction: String) throws {
        guard kind.predictions.contains(prediction), let meaning = meaning(of: prediction) else {
            throw DiffusionError(
                "the prediction \(quoted(prediction)) is none of process '\(kind.word)': use \(kind.predictions.joined(separator: ", "))"
            )
        }
        let schedule = self.schedule
        let start = schedule.level(at: schedule.start)
        guard !meaning.isDefined(at: start) else { return }
        let others = kind.predictions.filter { self.meaning(of: $0)?.isDefined(at: start) ?? false }
        let cause = schedule is DiscreteSchedule ? "zero_terminal_snr" : "process '\(kind.word)'"
        throw DiffusionError(
            "prediction '\(prediction)' gives no data where \(cause) leaves no signal: use \(others.joined(separator: ", "))"
        )
    }

    /// The meaning of a word for a prediction on this process.
    private func meaning(of word: String) -> (any OutputMeaning)? {
        if word == "logit" { return BitLogits() }
        if word == "edm" { return EDMPreconditioning(sigmaData: sigmaData) }
        return word == "score" ? ScaledScore() : Prediction(word: word)
    }

    /// The standard deviation of the data that inputs are scaled by.
    private var sigmaData: Double { values["sigma_data"]?.number ?? 0.5 }
}

extension ProcessDescription {
    func checkRange(_ low: String, _ high: String) throws {
        let (first, last) = (number(low), number(high))
        guard first > 0, first < last, last.isFinite else {
            throw DiffusionError(
                "\(low) and \(high) are \(first) and \(last): the first must be above 0 and below the second")
        }
    }

    func checkStepCount() throws {
        let (count, most) = (number("train_steps"), DiscreteSchedule.maximalCount)
        guard Int(exactly: count) != nil, (2...Double(most)).contains(count) else {
            throw DiffusionError("train_steps is \(count): it must be a whole number from 2 to \(most)")
        }
    }

    func checkPositive(_ key: String) throws {
        let value = number(key)
        guard value > 0, value.isFinite else {
            throw DiffusionError("\(key) is \(value): it must be above 0")
        }
    }
}

// MARK: The process

extension ProcessDescription {
    /// The path.
    public var schedule: any NoiseSchedule { path ?? kind.schedule(self) }

    /// What stands between samples and a network of the process.
    public var parameterization: Parameterization {
        let meaning = meaning(of: prediction ?? kind.prediction) ?? Prediction.noise
        let (schedule, time) = (schedule, kind.time)
        let scalesInput = kind.hasUnitInput || meaning is EDMPreconditioning
        let edm = EDMPreconditioning(sigmaData: sigmaData)
        return Parameterization(
            meaning, scaling: kind.scaling, input: { scalesInput ? edm.input(at: $0) : 1 },
            time: { time($0, schedule) })
    }

    /// The process.
    public var process: Process {
        Process(schedule: schedule, parameterization: parameterization, sampling: self)
    }
}

extension ProcessDescription: SamplerSource {
    /// The word of the kind.
    public var name: String { kind.word }

    /// The sampler of a run of `steps` steps.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    public func sampler(
        _ method: Method? = nil, steps: Int, grid: Grid? = nil, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        let method = method ?? kind.method
        guard method.isOfBits == kind.isOfBits else {
            throw DiffusionError(
                field: "solver",
                "is \(method.name), and process '\(kind.word)' \(kind.isOfBits ? "flips bits" : "adds Gaussian noise"): use \(kind.method.name)"
            )
        }
        var sampler = try method.sampler(on: self.grid(steps: steps, grid), options)
        sampler.grid = sampler.grid.dropping(first: options.skippedSteps)
        return try sampler.checked()
    }

    /// The words for a run.
    public func words(for method: Method?, grid: Grid?) -> SamplingWords {
        SamplingWords(
            process: kind.word, method: (method ?? kind.method).name, grid: (grid ?? kind.grid).name)
    }

    /// 50, and no more than a table of β has.
    public func usualSteps(_ method: Method?) -> Int {
        min(50, schedule.wholeTimeCount ?? 50)
    }

    /// The grid of a run of `steps` steps.
    /// - Parameter grid: another grid than the process's own.
    /// - Throws: `DiffusionError` where the process has no such grid.
    public func grid(steps: Int, _ grid: Grid? = nil) throws -> StepGrid {
        guard (1...StepGrid.maximalCount).contains(steps) else {
            throw DiffusionError(field: "steps", "is \(steps): give 1 to \(StepGrid.maximalCount)")
        }
        if let count = schedule.wholeTimeCount, steps > count {
            throw DiffusionError(field: "steps", "is \(steps): this process allows 1 to \(count)")
        }
        let (levels, data) = (try levels(steps: steps, grid), NoiseLevel(time: 0, alpha: 1, sigma: 0))
        let first = levels[0]
        return StepGrid(
            through: levels.last?.sigma == 0 ? levels : levels + [data],
            // Unit noise is where the process starts, but for one whose noise explodes or has latent noise added to it.
            startScale: first.alpha == 1 || path != nil ? first.sigma : 1)
    }

    private func levels(steps: Int, _ grid: Grid?) throws -> [NoiseLevel] {
        let schedule = self.schedule
        guard let grid, grid != kind.grid else {
            let levels = kind.times(self, steps).map(schedule.level)
            // The last step of a path whose data keep some noise goes past it, to the data.
            let keepsNoise = levels.count > steps && levels[steps].sigma > 0
            return keepsNoise ? Array(levels.dropLast()) : levels
        }
        let own = kind.times(self, max(steps, 2)).map(schedule.noiseRatio)
        let sigmas = try grid.sigmas(
            count: steps, of: schedule, from: own[0], to: own.last { $0 > 0 } ?? 0)
        return sigmas.map { schedule.level(at: schedule.time(logSNR: -2 * log($0))) }
    }
}
