import Foundation
import Pictures
import Storage

/// What a run writes down as it goes: metrics as JSON lines, and events for TensorBoard.
final class TrainingJournal {
    private let metrics: MetricsLog
    private let events: EventFile

    /// - Parameter step: the step that a continued run goes on after; `nil` for a fresh one.
    init(_ run: RunFolder, after step: Int?) throws {
        metrics = try MetricsLog(run.metricsPath, resumingAfter: step)
        events = try EventFile(folder: run.path, resumingAfter: step)
    }

    /// - Parameter dataWait: the part of the time that the data were waited for.
    func log(step: Int, _ values: [(name: String, value: Double)], dataWait: Double) throws {
        try metrics.append(step: step, values, dataWait: dataWait)
    }

    func event(step: Int, _ values: [(name: String, value: Double)]) throws {
        try events.write(values.map { (tag: "train/" + $0.name, value: $0.value) }, step: step)
    }

    func synchronize() throws { try metrics.synchronize() }

    /// A sheet of samples.
    func event(sheet: Picture, step: Int) throws {
        let png = try sheet.encoded(as: .png)
        try events.write(
            image: [UInt8](png), width: sheet.width, height: sheet.height, channels: sheet.channels,
            tag: "samples", step: step)
    }

    /// The loss over steps as a picture.
    func plotLoss(to path: String) throws {
        let lines = try MetricsLog.read(metrics.path)
        let points = lines.compactMap { line in line.values["loss"].map { (Double(line.step), $0) } }
        let loss = Plot.Series("loss", x: points.map(\.0), y: points.map(\.1))
        let plot = Plot([loss], title: "Training", xLabel: "step", yLabel: "loss", yScale: .logarithmic)
        try plot.picture().write(to: URL(file: path))
    }
}
