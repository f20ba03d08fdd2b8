import Foundation

/// A tick of an axis: where it stands and what it says. Small ticks say nothing.
package struct Tick: Hashable {
    package let value: Double
    package let label: String
}

/// One axis of a plot: a range of values, and how they lie on it.
package struct PlotAxis {
    let scale: Plot.Scale
    package let low: Double
    package let high: Double

    /// An axis that holds all finite `values` (the positive ones, where it is logarithmic) with a little
    /// space around them.
    package init(_ scale: Plot.Scale, holding values: some Sequence<Double>) {
        self.scale = scale
        // Beyond 1e300 the length of the range itself would overflow.
        let usable = values.filter { abs($0) < 1e300 && (scale == .linear || $0 > 0) }.map(scale.position)
        guard var low = usable.min(), var high = usable.max() else {
            (self.low, self.high) = (0, 1)
            return
        }
        // A range that is empty but for rounding still needs a width.
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300) {
            let half = scale == .linear && low != 0 ? abs(low) / 10 : 0.5
            (low, high) = (low - half, high + half)
        }
        let space = (high - low) * 0.04
        (self.low, self.high) = (low - space, high + space)
    }

    /// An axis between two positions.
    package init(_ scale: Plot.Scale, low: Double, high: Double) {
        (self.scale, self.low, self.high) = (scale, low, high)
    }

    /// Where a value lies: 0 at the low end, 1 at the high end; nil where the axis has no place for it.
    package func fraction(of value: Double) -> Double? {
        guard value.isFinite, scale == .linear || value > 0 else { return nil }
        return (scale.position(value) - low) / (high - low)
    }

    /// Ticks at round values, about `count` of them.
    package func ticks(about count: Int) -> [Tick] {
        guard scale == .logarithmic else { return linearTicks(about: count) }
        let decades = Int(low.rounded(.up))...max(Int(low.rounded(.up)), Int(high.rounded(.down)))
        // With hardly any power of ten inside, values between them are needed as well.
        if high - low < 0.8 { return valuesBetweenDecades([1, 2, 3, 4, 5, 6, 7, 8, 9]) }
        if high - low < 2.2 { return valuesBetweenDecades([1, 2, 5]) }
        let skip = max(1, (decades.count + count - 1) / count)
        return decades.filter { $0 % skip == 0 }.map { Tick(value: pow(10, Double($0)), label: power($0)) }
    }

    private func linearTicks(about count: Int) -> [Tick] {
        let rough = (high - low) / Double(count)
        let magnitude = pow(10, floor(log10(rough)))
        let step = magnitude * ([1, 2, 2.5, 5, 10].first { $0 * magnitude >= rough * 0.999 } ?? 10)
        let first = (low / step).rounded(.up)
        let last = (high / step).rounded(.down)
        guard last - first < 1000 else { return [] }
        return stride(from: first, through: last, by: 1).map {
            Tick(value: $0 * step, label: PlotAxis.label($0 * step, step: step))
        }
    }

    private func valuesBetweenDecades(_ mantissas: [Int]) -> [Tick] {
        (Int(low.rounded(.down))...Int(high.rounded(.up))).flatMap { decade in
            mantissas.map { Double($0) * pow(10, Double(decade)) }
        }.filter { scale.position($0) >= low && scale.position($0) <= high }.map {
            Tick(value: $0, label: PlotAxis.label($0, step: $0))
        }
    }

    private func power(_ exponent: Int) -> String {
        (-4...5).contains(exponent)
            ? PlotAxis.label(pow(10, Double(exponent)), step: pow(10, Double(exponent))) : "1e\(exponent)"
    }

    /// A number with just the decimals that a step needs.
    static func label(_ value: Double, step: Double) -> String {
        if value == 0 { return "0" }
        if abs(value) >= 1e6 || abs(step) < 1e-4 {
            let exponent = Int(floor(log10(abs(value)) + 1e-9))
            return shortest(value / pow(10, Double(exponent)), decimals: 2) + "e\(exponent)"
        }
        let decimals = max(0, Int(ceil(-log10(abs(step)) - 1e-9)))
        // A step of 2.5 needs one more decimal than its magnitude says.
        let scaled = step * pow(10, Double(decimals))
        return String(format: "%.\(decimals + (abs(scaled - scaled.rounded()) > 1e-6 ? 1 : 0))f", value)
    }

    private static func shortest(_ value: Double, decimals: Int) -> String {
        let text = String(format: "%.\(decimals)f", value)
        let trimmed = text.reversed().drop { $0 == "0" }
        return String((trimmed.first == "." ? trimmed.dropFirst() : trimmed).reversed())
    }
}
