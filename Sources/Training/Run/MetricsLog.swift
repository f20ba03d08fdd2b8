import Foundation
import Storage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One line of a run's metrics.
public struct Metrics: Hashable, Sendable {
    /// The step.
    public var step: Int
    /// Seconds since 1970.
    public var time: Double
    /// Numbers by name; NaN where a number was not finite.
    public var values: [String: Double]
    /// The part of the time since the line before that the data were waited for. Like the time it is a clock's, and another
    /// one each time that a run is made again.
    public var dataWait: Double?

    private static let clocks: Set = ["step", "time", "data_wait"]

    /// The numbers of `step`.
    public init(step: Int, time: Double, values: [String: Double]) {
        self.step = step
        self.time = time
        self.values = values
    }

    /// A line of JSON: `{"step":1,"time":2.5,"loss":0.25}`. JSON has no NaN and no infinity: they are `null`.
    init?(line: some Collection<UInt8>) {
        guard let numbers = try? JSONDecoder().decode([String: Double?].self, from: Data(line)),
            case .some(.some(let step)) = numbers["step"], let step = Int(exactly: step),
            case .some(.some(let time)) = numbers["time"]
        else { return nil }
        let values = numbers.filter { !Self.clocks.contains($0.key) }
        self.init(step: step, time: time, values: values.mapValues { $0 ?? .nan })
        dataWait = numbers["data_wait"] ?? nil
    }
}

/// The file `metrics.jsonl` of a run, to which a line of JSON is added for each logged step.
///
/// A line is with the system before the call returns: it is lost with the machine, not with the process.
public final class MetricsLog {
    /// The file.
    public let path: String

    private let file: Int32

    /// Opens the log of a run.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - step: the step that a continued run goes on after. Lines of later steps are dropped, and so is one
    ///     that was cut short; the rest stays byte for byte. A fresh run (nil) drops every line.
    /// - Throws: `RunError` where the file cannot be read or written.
    public init(_ path: String, resumingAfter step: Int? = nil) throws {
        self.path = path
        do {
            var kept: [UInt8] = []
            if let step, Files.exists(path) {
                for line in try Files.read(path).split(separator: newline) {
                    guard let metrics = Metrics(line: line), metrics.step <= step else { continue }
                    kept += line + [newline]
                }
            }
            try Files.replace(path, with: kept)
            file = try Files.open(path, O_WRONLY | O_APPEND, "writing")
        } catch {
            throw RunError("The metrics cannot be kept", error)
        }
    }

    deinit {
        close(file)
    }

    /// Adds a line. Throws `RunError` where it cannot be written; nothing of it is in the file then.
    ///
    /// - Parameters:
    ///   - step: the step.
    ///   - values: numbers by name, in the order in which they are to stand.
    ///   - time: seconds since 1970.
    ///   - dataWait: the part of the time that the data were waited for; nil where it was not measured.
    public func append(
        step: Int, _ values: [(name: String, value: Double)], time: Double = Date().timeIntervalSince1970,
        dataWait: Double? = nil
    ) throws {
        var line = "{\"step\":\(step),\"time\":\(Self.text(of: time))"
        for (name, value) in values { line += ",\(Self.quoted(name)):\(Self.text(of: value))" }
        if let dataWait { line += ",\"data_wait\":\(Self.text(of: dataWait))" }
        line += "}\n"
        do {
            try Files.append(line.utf8, to: file, path)
        } catch {
            throw RunError("The metrics of step \(step) were not written", error)
        }
    }

    /// Brings what was written to the disk. A checkpoint is preceded by it, so that the lines before the
    /// checkpoint's step outlive the machine, too. Throws `RunError` where that fails.
    public func synchronize() throws {
        do {
            try Files.synchronize(file, path)
        } catch {
            throw RunError("The metrics were not brought to the disk", error)
        }
    }

    /// Every whole line of a log, in the order of the file. Throws `RunError` where it cannot be read.
    public static func read(_ path: String) throws -> [Metrics] {
        do {
            return try Files.read(path).split(separator: newline).compactMap { Metrics(line: $0) }
        } catch {
            throw RunError("The metrics cannot be read", error)
        }
    }

    /// Swift writes the shortest decimal that reads back as the same number, in every locale.
    private static func text(of value: Double) -> String {
        value.isFinite ? value.description : "null"
    }

    private static func quoted(_ name: String) -> String {
        let escaped = name.unicodeScalars.map { scalar in
            switch scalar {
            case "\"", "\\": "\\\(scalar)"
            case "\0"..<" ": "\\u" + String(0x10000 + scalar.value, radix: 16).dropFirst()
            default: String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }
}

private let newline = UInt8(ascii: "\n")
