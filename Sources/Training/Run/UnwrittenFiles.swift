/// What a run could not write. Training goes on without it: a warning says so at once, and the run's end names it again.
struct UnwrittenFiles {
    /// What is written as a run goes on, in the order in which its loss matters.
    enum Kind: CaseIterable {
        case checkpoint, model, metrics, events, samples, plot

        /// What is missing, as a part of a sentence.
        var noun: String {
            switch self {
            case .checkpoint: "the last checkpoint"
            case .model: "the model"
            case .metrics: "lines of metrics.jsonl"
            case .events: "events for TensorBoard"
            case .samples: "sheets of samples"
            case .plot: "the plot of the loss"
            }
        }

        /// Whether a later one makes up for one that is missing.
        var isReplaced: Bool { [.checkpoint, .model].contains(self) }
    }

    private var reasons: [Kind: String] = [:]
    /// Kinds whose latest one was not written either, and of which a warning has been given.
    private var failing: Set<Kind> = []

    /// Whether nothing is missing.
    var isEmpty: Bool { reasons.isEmpty }

    /// Writes one of a kind; where that fails, warns at the first of several in a row.
    mutating func attempt(_ kind: Kind, warn: (String) -> Void, _ body: () throws -> Void) {
        do {
            try body()
            failing.remove(kind)
            if kind.isReplaced { reasons[kind] = nil }
        } catch {
            let text = "\(error)"
            let sentence = text.hasSuffix(".") ? text : text + "."
            if failing.insert(kind).inserted { warn("\(sentence) The run goes on without it.") }
            if reasons[kind] == nil || kind.isReplaced { reasons[kind] = sentence }
        }
    }

    /// Whether one of a kind is missing.
    func contains(_ kind: Kind) -> Bool { reasons[kind] != nil }

    /// Throws where something is missing.
    func check(_ kinds: [Kind] = Kind.allCases, of run: String, after step: Int) throws {
        let missing = kinds.filter(contains)
        guard let first = missing.first, let reason = reasons[first] else { return }
        let remedy =
            missing.contains { $0.isReplaced } ? " Make room and resume the run, which writes it." : ""
        throw IncompleteRunError(
            "The run in \(run) was trained to step \(step), but not all of it was written: \(missing.map(\.noun).joined(separator: ", ")). \(reason)\(remedy)"
        )
    }
}

/// A run whose steps are done and of which something could not be written.
public struct IncompleteRunError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is missing, why, and what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}
