import Tensors

/// What a command that makes pictures or numbers says at its end with `--json`.
struct RunSummary<Settings: Encodable>: Encodable {
    let files: [String]
    let seed: UInt64
    let settings: Settings
    /// Seconds of each phase.
    let seconds: [String: Double]
    let peakMemory = Machine.peakResidentBytes

    enum CodingKeys: String, CodingKey {
        case files, seed, settings, seconds
        case peakMemory = "peak_memory"
    }
}
