import Foundation

extension ConvergenceOrder {
    /// The measurements as an aligned table, and a line for each solver that was left out.
    public var text: String {
        let head = ["solver", "schedule", "prediction", "order", "theory", "error at 47"]
        let table = [head] + rows.map(Self.cells)
        let lines = AlignedText.table(table, right: [3, 4, 5])
        let leftOut = omitted.map { omission in
            let place = omission.schedule.map { " on \($0.rawValue)" } ?? ""
            return
                "left out\(place): \(omission.solvers.map(\.rawValue).joined(separator: ", ")): \(omission.reason)"
        }
        return (lines + leftOut).joined(separator: "\n")
    }

    private static func cells(_ row: Row) -> [String] {
        let order = row.order.map { fixed($0, digits: 2) } ?? "–"
        return [
            row.solver.rawValue, row.schedule.rawValue, row.prediction, order, "\(row.theory)",
            row.error(steps: 47).map(scientific) ?? "–",
        ]
    }

    private static func fixed(_ value: Double, digits: Int) -> String {
        guard abs(value) < 1e9 else { return "\(value)" }
        let scale = pow(10, Double(digits))
        let whole = Int((abs(value) * scale).rounded())
        let decimals = String(whole % Int(scale))
        let zeros = String(repeating: "0", count: digits - decimals.count)
        return "\(value < 0 && whole > 0 ? "-" : "")\(whole / Int(scale)).\(zeros)\(decimals)"
    }

    /// 1.23e-04
    private static func scientific(_ value: Double) -> String {
        guard value > 0, value.isFinite else { return "\(value)" }
        var exponent = Int(log10(value).rounded(.down))
        if value / pow(10, Double(exponent)) >= 9.995 { exponent += 1 }
        let mantissa = fixed(value / pow(10, Double(exponent)), digits: 2)
        let digits = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
        return "\(mantissa)e\(exponent < 0 ? "-" : "+")\(digits)"
    }
}
