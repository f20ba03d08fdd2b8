import Foundation

extension LikelihoodReport {
    /// The figures as lines for a person.
    public var text: String {
        let noun = arePictures ? "pictures" : "points"
        var lines = ["\(count) \(noun) of \(dimension) elements, conditioned on \(condition)"]
        var rows: [(String, Quantity)] = []
        if let bound {
            rows.append(("variational bound", bound.total))
            rows.append(("  L_T, left in the noise", bound.prior))
            rows.append(("  L_1 to L_\(bound.steps.count - 1)", bound.middle))
            rows.append(("  L_0, the decoder", bound.decoder))
        }
        if let flow { rows.append(("-log p by the flow", flow.negativeLogLikelihood)) }
        if let exact { rows.append(("-log p in closed form", exact)) }
        lines += AlignedText.table(
            [["", "bits/dim", "95 % interval", arePictures ? "nats/picture" : "nats/point"]]
                + rows.map { name, quantity in
                    let bits = quantity.bitsPerDimension
                    let interval =
                        if let low = bits.low, let high = bits.high {
                            "\(Self.fixed(low, 4)) to \(Self.fixed(high, 4))"
                        } else { "–" }
                    return [name, Self.fixed(bits.mean, 4), interval, Self.fixed(quantity.nats.mean, 3)]
                }, right: [1, 2, 3])
        lines += remarks
        if let rateDistortion {
            lines.append("")
            lines += AlignedText.table(
                [["rate, bits/dim", "RMSE of the estimate"]] + Self.rows(of: rateDistortion), right: [0, 1])
        }
        return lines.joined(separator: "\n")
    }

    private var remarks: [String] {
        var remarks: [String] = []
        if let bound {
            remarks.append(
                "bound: \(bound.steps.count) steps, variance \(bound.variance), \(bound.clipsData ? "data cut off at ±1, " : "")decoder: \(bound.decoderKind)"
            )
        }
        if let boundOmitted { remarks.append("no bound: \(boundOmitted)") }
        if let flow {
            let dequantisation = flow.dequantisation.map { ", dequantisation \($0)" } ?? ""
            remarks.append(
                "flow: \(flow.integration), divergence: \(flow.divergence)\(dequantisation), data taken at σ/α = \(Self.short(flow.leastNoise))"
            )
        }
        remarks.append("intervals: normal, of the mean over \(arePictures ? "pictures" : "points")")
        return remarks
    }

    /// About ten points of the curve, even in what has been sent.
    private static func rows(of curve: [RatePoint]) -> [[String]] {
        guard let first = curve.first, let last = curve.last else { return [] }
        let wanted = (0...9).map { first.rate + (last.rate - first.rate) * Double($0) / 9 }
        var shown: [Int] = []
        for rate in wanted {
            let nearest = curve.indices.min { abs(curve[$0].rate - rate) < abs(curve[$1].rate - rate) } ?? 0
            if shown.last != nearest { shown.append(nearest) }
        }
        return shown.map { [fixed(curve[$0].rate, 4), fixed(curve[$0].distortion, 4)] }
    }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }

    private static func short(_ value: Double) -> String { String(format: "%.3g", value) }
}
