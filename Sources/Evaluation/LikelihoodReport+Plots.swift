import Pictures

extension LikelihoodReport {
    /// The terms of the bound over their steps, and the rate–distortion curve; empty without a bound.
    public var plots: [Plot] {
        guard let bound, let rateDistortion else { return [] }
        // Marks of many points hide the line.
        func style(_ count: Int) -> Plot.Series.Style { count > 100 ? .line : .markedLine }
        let terms = Plot(
            [
                Plot.Series(
                    x: bound.steps.indices.map(Double.init), y: bound.steps, style: style(bound.steps.count))
            ],
            title:
                "Terms of the variational bound, \(Self.rounded(bound.total.bitsPerDimension.mean)) bits per dimension in all",
            xLabel: "step t", yLabel: "bits per dimension", yScale: .logarithmic)
        let scale = arePictures ? "RMSE of the estimate, 0 to 255" : "RMSE of the estimate"
        let curve = Plot(
            [
                Plot.Series(
                    x: rateDistortion.map(\.rate), y: rateDistortion.map(\.distortion),
                    style: style(rateDistortion.count))
            ], title: "Progressive coding", xLabel: "rate, bits per dimension", yLabel: scale)
        let known = rateDistortion.filter { $0.time != nil }
        let course = Plot(
            [
                Plot.Series(
                    x: known.indices.map { Double(known.count - 1 - $0) }, y: known.map(\.distortion))
            ], title: "What is known of the data at each step", xLabel: "step t", yLabel: scale)
        return [terms, curve, course]
    }

    private static func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
