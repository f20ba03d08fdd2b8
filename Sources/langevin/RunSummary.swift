import Tensors

/// What a command that makes pictures or numbers says at its end with `--json`.
struct RunSummary<Settings: Encodable>: Encodable {
    var files: [String]
    let seed: UInt64
    let settings: Settings
    /// Seconds of each phase.
    let seconds: [String: Double]
    let peakMemory = Machine.peakResidentBytes
    /// Of a picture that was made again: the largest difference of a value, in 1/255.
    var difference: Int?

    /// - Parameters:
    ///   - phases: the names of the phases.
    ///   - moments: when the first phase began, and when each of them ended.
    init(
        files: [String], seed: UInt64, settings: Settings, phases: [String],
        moments: [ContinuousClock.Instant]
    ) {
        (self.files, self.seed, self.settings) = (files, seed, settings)
        let durations = zip(moments.dropFirst(), moments).map { ($0 - $1) / .seconds(1) }
        seconds = Dictionary(uniqueKeysWithValues: zip(phases, durations))
    }

    enum CodingKeys: String, CodingKey {
        case files, seed, settings, seconds, difference
        case peakMemory = "peak_memory"
    }
}
