import Foundation
import Pipelines

extension Explanation {
    /// The explanation as lines for a person.
    /// - Parameters:
    ///   - part: the part whose layers are listed; the one that denoises, or the only network, where `nil`.
    ///   - depth: how deep its modules are listed.
    /// - Throws: `EvaluationError` where there is no such part.
    public func text(part: String? = nil, depth: Int = 3) throws -> String {
        var lines = ["\(family), \(Self.grouped(parameters)) parameters", "", "Parts"]
        lines += AlignedText.table(
            parts.map { part in
                [part.name, part.className, part.parameters.map(Self.grouped) ?? "", part.purpose]
            }, right: [2]
        ).map { "  \($0)" }
        lines += try layerLines(part, depth) + scheduleLines + checkLines
        return lines.joined(separator: "\n")
    }

    private func layerLines(_ part: String?, _ depth: Int) throws -> [String] {
        guard let name = part ?? denoiser ?? layers.keys.sorted().first else { return [] }
        guard let table = layers[name] else {
            guard part == nil else {
                throw EvaluationError(
                    "the model has no layers of a part '\(name)': there are \(layers.keys.sorted().joined(separator: ", "))"
                )
            }
            return []
        }
        let rows = table.rows.filter { $0.depth < depth }.map { row in
            [
                String(repeating: "  ", count: row.depth)
                    + (row.name.split(separator: ".").last.map(String.init) ?? row.name),
                row.kind ?? "", row.output.map { "[\($0.map(String.init).joined(separator: ", "))]" } ?? "",
                Self.grouped(row.parameters),
            ]
        }
        let total = [["all", "", "", Self.grouped(table.parameters)]]
        return ["", "Layers of \(name), to depth \(depth)"]
            + AlignedText.table([["layer", "kind", "output", "parameters"]] + rows + total, right: [3]).map {
                "  \($0)"
            }
    }

    private var scheduleLines: [String] {
        guard let schedule else { return [] }
        let steps = schedule.steps.map { "\(Self.grouped($0)) steps" } ?? "continuous time"
        let shown = stride(from: 0, through: 1, by: 0.125).map {
            schedule.points[Int((Double(schedule.points.count - 1) * $0).rounded())]
        }
        let rows = shown.map { point in
            [
                Self.number(point.time), Self.number(point.alpha), Self.number(point.sigma),
                point.logSNR.map { String(format: "%.3f", $0) } ?? (point.sigma == 0 ? "∞" : "-∞"),
            ]
        }
        return [
            "", "Noise schedule: \(schedule.process), \(steps), the network predicts \(schedule.prediction)",
        ]
            + AlignedText.table([["time", "alpha", "sigma", "log-SNR"]] + rows, right: [0, 1, 2, 3]).map {
                "  \($0)"
            }
    }

    private var checkLines: [String] {
        guard let checkedWith else { return [] }
        return ["", "The derivation in numbers, with \(checkedWith): the largest difference"]
            + checks.map { "  \($0.text)" }
    }

    private static func number(_ value: Double) -> String { String(format: "%.6g", value) }

    /// 2,996,315
    private static func grouped(_ number: Int) -> String {
        String(
            String(number).reversed().enumerated().flatMap { $0 > 0 && $0 % 3 == 0 ? [",", $1] : [$1] }
                .reversed())
    }
}
