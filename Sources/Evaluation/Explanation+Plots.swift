import Foundation
import Pictures

extension Explanation {
    /// Plots of the schedule by the names of their files, without an ending: shares of data and noise, the log-SNR, and σ/α.
    public var plots: [(name: String, plot: Plot)] {
        guard let schedule else { return [] }
        let times = schedule.points.map(\.time)
        let title = "\(schedule.process)\(schedule.steps.map { ", \($0) steps" } ?? "")"
        let shares = Plot(
            [
                Plot.Series("α, the data", x: times, y: schedule.points.map(\.alpha)),
                Plot.Series("σ, the noise", x: times, y: schedule.points.map(\.sigma)),
            ], title: "Data and noise in a sample of \(title)", xLabel: "time", yLabel: "share")
        let logarithms = Plot(
            [Plot.Series(x: times, y: schedule.points.map { $0.logSNR ?? .nan })],
            title: "Signal-to-noise ratio of \(title)", xLabel: "time", yLabel: "ln(α²/σ²)")
        let ratios = Plot(
            [Plot.Series(x: times, y: schedule.points.map { $0.sigma / $0.alpha })],
            title: "Noise for one unit of data of \(title)", xLabel: "time", yLabel: "σ/α",
            yScale: .logarithmic)
        return [("alpha-sigma", shares), ("log-snr", logarithms), ("noise-ratio", ratios)]
    }
}
