import ArgumentParser
import Foundation
import Pipelines
import Tensors

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast this machine is at a piece of work.",
        discussion: """
            Weights are random and nowhere zero; the work is done once to warm up, and nothing else is timed. \
            Known works: \(BenchWork.allCases.map(\.rawValue).joined(separator: ", ")).
            """)

    @Argument(help: "The work.")
    var work: BenchWork

    @Option(help: "How precisely: float32, bfloat16.")
    var dtype = ElementType.float32

    @Option(help: "How often the work is done and timed.")
    var rounds = 5

    @Option(help: "Processor threads of one operation.")
    var threads = 2

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(
        help:
            "Do the work once for each line on standard input and print its milliseconds, so that another program can alternate with this one."
    )
    var serve = false

    func run() throws {
        guard (1...10_000).contains(rounds) else {
            throw PipelineError("--rounds is \(rounds): give a number from 1 to 10000")
        }
        guard (1...1024).contains(threads) else {
            throw PipelineError("--threads is \(threads): give a number from 1 to 1024")
        }
        try Machine.setThreadCount(threads)
        let repetition = try work.prepared(dtype)
        try repetition()
        if serve {
            write("ready")
            while readLine() != nil { write(String(try milliseconds(repetition))) }
            return
        }
        let times = try (0..<rounds).map { _ in try milliseconds(repetition) }.sorted()
        let result = Result(
            work: work.rawValue, dtype: dtype.name, threads: threads, rounds: rounds,
            median: times[times.count / 2], minimum: times[0], maximum: times[times.count - 1],
            peakMemory: Machine.peakResidentBytes)
        if json {
            try printJSON(result)
        } else {
            func rounded(_ value: Double) -> String { String((value * 100).rounded() / 100) }
            print(
                "\(work.rawValue), \(dtype.name), \(threads) threads: median \(rounded(result.median)) ms of \(rounds) (\(rounded(result.minimum)) to \(rounded(result.maximum)))"
            )
        }
    }

    /// A line that the reader gets at once, also through a pipe.
    private func write(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    private func milliseconds(_ body: () throws -> Void) throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try body()
        return (clock.now - start) / .milliseconds(1)
    }

    private struct Result: Encodable {
        let work: String
        let dtype: String
        let threads: Int
        let rounds: Int
        let median: Double
        let minimum: Double
        let maximum: Double
        let peakMemory: Int

        enum CodingKeys: String, CodingKey {
            case work, dtype, threads, rounds
            case median = "median_ms"
            case minimum = "minimum_ms"
            case maximum = "maximum_ms"
            case peakMemory = "peak_memory"
        }
    }
}

extension BenchWork: ExpressibleByArgument {}
