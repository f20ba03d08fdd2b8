/// A process of a run that a launcher such as torchrun started, by the variables that it sets.
public struct LaunchedProcess: Sendable, Equatable {
    /// The number of this process, from 0.
    public let rank: Int
    /// How many there are.
    public let count: Int

    /// Reads `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR` and `MASTER_PORT`.
    /// - Throws: `RunError` that names the variable whose value cannot be, or where there is more than one process:
    ///   training by several is not there yet, and each would train a run of its own.
    public init(_ environment: [String: String]) throws {
        func number(_ name: String, in range: ClosedRange<Int>, _ meaning: String) throws -> Int? {
            guard let text = environment[name] else { return nil }
            guard let value = Int(text), range.contains(value) else {
                throw RunError("\(name) is '\(text)': it must be \(meaning).")
            }
            return value
        }
        count = try number("WORLD_SIZE", in: 1...1_000_000, "the number of processes, 1 or more") ?? 1
        let ranks = "a rank from 0 to \(count - 1), one less than WORLD_SIZE"
        rank = try number("RANK", in: 0...count - 1, ranks) ?? 0
        _ = try number("LOCAL_RANK", in: 0...count - 1, ranks)
        guard count > 1 else { return }
        for name in ["RANK", "MASTER_ADDR", "MASTER_PORT"] where (environment[name] ?? "").isEmpty {
            throw RunError(
                "\(name) is missing beside WORLD_SIZE \(count): start all processes with a launcher.")
        }
        _ = try number("MASTER_PORT", in: 1...65_535, "a port from 1 to 65535")
        throw RunError(
            "WORLD_SIZE is \(count), and training by several processes is not there yet: start one, without a launcher."
        )
    }
}
