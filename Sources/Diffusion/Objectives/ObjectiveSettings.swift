/// What a recipe's section `objective` holds: words, their numbers, and `nil` for what is left out.
public struct ObjectiveSettings: Sendable, Equatable {
    /// Which objective: a word of `ObjectiveWords.kinds`.
    public var kind: String
    /// How scores are matched.
    public var form: String?
    /// How data meet noise.
    public var coupling: String?
    /// How much each level counts.
    public var weighting: WordChoice?
    /// How times are drawn.
    public var times: WordChoice?
    /// λ of the hybrid loss.
    public var boundWeight: Double?
    /// Whether data are pixels of 8 bits in −1 … 1, whose bins the bound's decoder is of; otherwise it is of densities.
    public var decodesPixels = true

    /// Settings.
    public init(
        kind: String = "denoising", form: String? = nil, coupling: String? = nil,
        weighting: WordChoice? = nil, times: WordChoice? = nil, boundWeight: Double? = nil
    ) {
        (self.kind, self.form, self.coupling) = (kind, form, coupling)
        (self.weighting, self.times, self.boundWeight) = (weighting, times, boundWeight)
    }

    /// The keys that are given, as recipes spell them, and their words.
    var given: [(key: String, word: String)] {
        let all: [(String, String?)] = [
            ("form", form), ("coupling", coupling), ("weighting", weighting?.word), ("times", times?.word),
            ("bound_weight", boundWeight.map { "\($0)" }),
        ]
        return all.compactMap { key, word in word.map { (key, $0) } }
    }

    /// The objective of a process.
    /// - Throws: `DiffusionError`, one sentence, where a word is not known or the combination has no meaning.
    public func objective(on context: ObjectiveContext) throws -> any Objective {
        let kind = try ObjectiveWords.kinds(WordChoice(kind))
        try ObjectiveRules.check(self, kind, context)
        return try kind.make(self, context.process)
    }
}

extension ObjectiveSettings {
    /// The draw of a schedule's times.
    func times(on schedule: any NoiseSchedule) throws -> any TimeSampling {
        try ObjectiveWords.times(times ?? "uniform")(schedule)
    }

    /// The weighting for a schedule.
    func weighting(on schedule: any NoiseSchedule) throws -> LossWeighting {
        try ObjectiveWords.weightings(weighting ?? "simple")(schedule)
    }

    var decoder: VariationalBound.Decoder { decodesPixels ? .pixels : .density }
}

/// What an objective is to be combined with.
public struct ObjectiveContext: Sendable {
    /// The process.
    public var process: Process
    /// The recipe's word for it, for messages.
    public var processWord: String
    /// Whether the data come with their noise.
    public var hasPairedNoise: Bool

    /// A context.
    public init(_ process: Process, word: String, hasPairedNoise: Bool = false) {
        self.process = process
        processWord = word
        self.hasPairedNoise = hasPairedNoise
    }
}

/// An objective as recipes know it.
public struct ObjectiveKind: Sendable {
    /// Its word.
    public let word: String
    /// The keys that it reads beside `times`, which all read.
    public let reads: Set<String>
    /// Whether it needs a process of whole steps, one with a level at every time, or takes either (`nil`).
    public let needsWholeTimes: Bool?
    /// Whether the network gives a variance with a further half of its channels.
    public let learnsVariance: Bool
    /// The word for how times are drawn where none is named; `nil` where the process has the say.
    public let usualTimes: String?
    let make: @Sendable (ObjectiveSettings, Process) throws -> any Objective

    /// A kind.
    public init(
        _ word: String, reads: Set<String>, needsWholeTimes: Bool? = nil, learnsVariance: Bool = false,
        usualTimes: String? = nil,
        make: @escaping @Sendable (ObjectiveSettings, Process) throws -> any Objective
    ) {
        self.word = word
        self.reads = reads
        self.needsWholeTimes = needsWholeTimes
        self.learnsVariance = learnsVariance
        self.usualTimes = usualTimes
        self.make = make
    }
}
