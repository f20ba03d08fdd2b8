import ArgumentParser
import Diffusion
import Evaluation
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

struct Order: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the convergence order of solvers on an exactly solvable model.",
        discussion: """
            Samples of a mixture of Gaussians go between two noise levels in 11, 23, 47, 95 and 191 steps; the \
            error is their distance from the exact probability flow, and the order its slope.
            """)

    @Option(parsing: .upToNextOption, help: "The solvers; all of them where none is given.")
    var solver: [Method] = []

    @Option(parsing: .upToNextOption, help: "The schedules: vp, edm, flow; all of them where none is given.")
    var schedule: [ConvergenceOrder.Schedule] = []

    @Option(
        parsing: .upToNextOption,
        help: "The predictions: noise, data, v, flow, score; the first four where none is given.")
    var prediction: [Prediction] = []

    @Option(
        name: [.short, .long], help: "Also draw the errors: a picture, one plot for each schedule.",
        transform: pathArgument)
    var output: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        if let output { try SampleOutput.checkPicture(output) }
        // So small are the samples that threads would only wait for each other.
        try Machine.setThreadCount(1)
        let schedules = schedule.isEmpty ? ConvergenceOrder.Schedule.allCases : schedule
        let predictions = prediction.isEmpty ? [.noise, .data, .velocity, .flow] : prediction
        let result = try ConvergenceOrder(
            of: solver.isEmpty ? Method.allCases : solver, on: schedules, predictions: predictions)
        if let output {
            let plots = schedules.map { plot(result, on: $0, predictions[0]) }
            try Sheet(columns: 1, padding: 0).picture(of: plots.map { $0.picture(width: 1100) })
                .write(to: URL(file: output))
        }
        if json {
            try printJSON(result)
        } else {
            try printResult(result.text)
        }
    }

    /// A line for each solver: what it gets wrong, over the number of steps.
    private func plot(
        _ result: ConvergenceOrder, on schedule: ConvergenceOrder.Schedule, _ prediction: Prediction
    ) -> Plot {
        let rows = result.rows.filter { $0.schedule == schedule && $0.prediction == prediction.word }
        // Methods that are one and the same here share a line.
        var series: [Plot.Series] = []
        for row in rows {
            let same = series.firstIndex { $0.y.elementsEqual(row.errors) { abs($0 - $1) <= 1e-6 * $1 } }
            if let same {
                series[same].name += ", " + row.solver.rawValue
            } else {
                series.append(
                    Plot.Series(
                        row.solver.rawValue, x: row.steps.map(Double.init), y: row.errors, style: .markedLine)
                )
            }
        }
        return Plot(
            series,
            title: "Error on \(schedule.rawValue)", xLabel: "steps", yLabel: "error",
            xScale: .logarithmic, yScale: .logarithmic)
    }
}

extension ConvergenceOrder.Schedule: ExpressibleByArgument {}

extension Prediction: ExpressibleByArgument {
    /// A prediction by the word that analytic models use.
    public init?(argument: String) { self.init(word: argument) }
    /// What can be given.
    public static var allValueStrings: [String] { allCases.map(\.word) }
}
