import Foundation
import Hub

/// What progress is counted in, and how a person reads it.
package struct ProgressUnit: Sendable {
    /// How far it is: the amount done and the amount in all.
    package let amount: @Sendable (_ done: Int, _ total: Int) -> String
    /// An amount a second.
    package let rate: @Sendable (Double) -> String

    /// Steps of a solver or of training: `12.3 steps/s`, or the other way round where one takes longer than a second.
    package static let steps = ProgressUnit {
        "\($0)/\($1)"
    } rate: { rate in
        rate >= 1 || rate <= 0
            ? "\(ProgressBar.number(rate, digits: 1)) steps/s"
            : "\(ProgressBar.number(1 / rate, digits: 1)) s/step"
    }

    /// Bytes of a download.
    package static let bytes = ProgressUnit {
        "\(byteText($0)) of \(byteText($1))"
    } rate: { rate in
        "\(byteText(Int(min(max(0, rate), 1e15))))/s"
    }

    private init(
        _ amount: @escaping @Sendable (Int, Int) -> String, rate: @escaping @Sendable (Double) -> String
    ) {
        (self.amount, self.rate) = (amount, rate)
    }
}

/// How far a piece of work is.
package struct Progress {
    /// Steps done, those of an earlier process included.
    package var step: Int
    /// Steps in all.
    package var total: Int
    /// Steps a second, where it is known.
    package var rate: Double?
    /// The loss, where there is one.
    package var loss: Double?

    /// What steps are.
    package var unit: ProgressUnit

    package init(
        step: Int, total: Int, rate: Double? = nil, loss: Double? = nil, unit: ProgressUnit = .steps
    ) {
        (self.step, self.total, self.rate, self.loss, self.unit) = (step, total, rate, loss, unit)
    }

    /// Seconds until the last step, where the rate is known.
    package var remaining: Double? {
        guard let rate, rate > 0 else { return nil }
        return Double(max(0, total - step)) / rate
    }
}

/// Shows progress on standard error: on a terminal as one line that is drawn over and over, elsewhere as a
/// line every few seconds.
package struct ProgressBar {
    private let total: Int
    private let first: Int
    private let unit: ProgressUnit
    private let isTerminal: Bool
    private let colour: Bool
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var shown: ContinuousClock.Instant?

    /// - Parameters:
    ///   - total: steps in all.
    ///   - first: steps that were done before; they do not count for the rate.
    ///   - unit: what steps are.
    package init(total: Int, first: Int = 0, unit: ProgressUnit = .steps) {
        (self.total, self.first, self.unit) = (total, first, unit)
        isTerminal = isatty(STDERR_FILENO) == 1
        let environment = ProcessInfo.processInfo.environment
        // no-color.org: any value but the empty one turns colour off.
        colour = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        start = clock.now
    }

    /// Shows where the work is, unless that was done a moment ago.
    package mutating func show(step: Int, loss: Double? = nil) {
        let now = clock.now
        let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(5)
        if let shown, now - shown < interval, step < total { return }
        shown = now
        let seconds = (now - start) / .seconds(1)
        let rate = seconds > 0 && step > first ? Double(step - first) / seconds : nil
        let progress = Progress(step: step, total: total, rate: rate, loss: loss, unit: unit)
        if isTerminal {
            LangevinCommand.show(
                "\r" + Self.line(progress, width: Self.terminalWidth, colour: colour) + "\u{1B}[K")
        } else {
            LangevinCommand.show(Self.line(progress, width: nil, colour: false) + "\n")
        }
    }

    /// Ends the line, so that what is printed next starts a new one.
    package mutating func finish() {
        if isTerminal && shown != nil { LangevinCommand.show("\n") }
        shown = nil
    }

    private static var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// The line for a state, without line ends.
    ///
    /// - Parameters:
    ///   - width: columns of the terminal, of which the last stays free; nil for a line without a bar.
    ///   - colour: whether the bar is coloured.
    package static func line(_ progress: Progress, width: Int?, colour: Bool) -> String {
        let fraction = progress.total > 0 ? Double(progress.step) / Double(progress.total) : 1
        let share = min(1, max(0, fraction))
        var facts = [progress.unit.amount(progress.step, progress.total)]
        if let rate = progress.rate { facts.append(progress.unit.rate(rate)) }
        if let remaining = progress.remaining { facts.append("\(Self.time(remaining)) left") }
        if let loss = progress.loss { facts.append("loss \(Self.number(loss, digits: 4))") }
        let text = "\(Self.padded(Int(share * 100)))% \(facts.joined(separator: ", "))"
        guard let width else { return text }
        let cells = min(40, width - 1 - text.count - 1)
        guard cells >= 4 else { return String(text.prefix(max(0, width - 1))) }
        let full = Int(share * Double(cells))
        let done = String(repeating: "━", count: full)
        let open = String(repeating: colour ? "━" : "─", count: cells - full)
        return colour ? "\u{1B}[32m\(done)\u{1B}[90m\(open)\u{1B}[0m \(text)" : "\(done)\(open) \(text)"
    }

    private static func padded(_ percent: Int) -> String {
        String(repeating: " ", count: max(0, 3 - String(percent).count)) + String(percent)
    }

    /// `7 s`, `3:07`, `2:05:09`, `3 d 04 h`.
    private static func time(_ seconds: Double) -> String {
        guard abs(seconds) < 1e9 else { return "ages" }
        let whole = Int(seconds.rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return switch whole {
        case ..<60: "\(whole) s"
        case ..<3600: "\(whole / 60):\(two(whole % 60))"
        case ..<86_400: "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
        default: "\(whole / 86_400) d \(two(whole / 3600 % 24)) h"
        }
    }

    /// A number with a fixed count of decimals and a point, whatever the locale.
    fileprivate static func number(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return value.description }
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((abs(value) * Double(scale)).rounded())
        let decimals = String(scaled % scale)
        let zeros = String(repeating: "0", count: digits - decimals.count)
        return "\(value < 0 && scaled > 0 ? "-" : "")\(scaled / scale).\(zeros)\(decimals)"
    }
}
