import ArgumentParser
import Checkpoints
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

    @Option(help: "Where the arithmetic runs: cpu, cuda, cuda:N, mps.")
    var device = "cpu"

    @Option(name: .customLong("dtype"), help: "How precisely.")
    var precision = Precision(.float32)

    private var dtype: ElementType { precision.type }

    @Option(
        help:
            "A folder with config.json and weights in diffusers' layout, in place of the work's own network.",
        transform: pathArgument)
    var weights: String?

    @Option(
        help:
            "A safetensors file with what the network is given (x, time, context, labels), in place of draws.",
        transform: pathArgument)
    var inputs: String?

    @Option(
        help: "A safetensors file for what the work leaves, as the tensor 'output' in float32.",
        transform: pathArgument)
    var output: String?

    @Option(
        help: "A folder of pictures for the work loader, which refuses to run where none is given.",
        transform: pathArgument)
    var data: String?

    @Flag(help: "Keep the matrices of the network's linear layers in 8 bits.")
    var int8 = false

    @Flag(
        help:
            "Multiply the network's float32 matrices as sums of two bfloat16 numbers, on processors with AMX."
    )
    var bf16x3 = false

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
        guard !(int8 && bf16x3) else {
            throw PipelineError("--int8 and --bf16x3 exclude each other: give one of them")
        }
        let materials = try materials()
        for note in threadNotes(threads) { say("note: \(note)") }
        let threads = try setThreadCount(threads)
        let work = try work.prepared(materials)
        // What was started on a device is part of the work.
        let repetition: BenchWork.Repetition = {
            let left = try work()
            try materials.device.synchronize()
            return left
        }
        let left = try repetition()
        if let output, let left { try SafetensorsWriter([("output", left.to(.float32))]).write(to: output) }
        if serve {
            // Each line is with its reader at once, also through a pipe.
            try printResult("ready")
            while readLine() != nil { try printResult(String(try milliseconds(repetition))) }
            return
        }
        let pagesBefore = Machine.pageFaultCount
        let times = try (0..<rounds).map { _ in try milliseconds(repetition) }.sorted()
        let result = Result(
            work: self.work.rawValue, dtype: dtype.name, threads: threads, rounds: rounds,
            device: materials.device.description,
            median: times[times.count / 2], minimum: times[0], maximum: times[times.count - 1],
            peakMemory: Machine.peakResidentBytes,
            freshPages: (Machine.pageFaultCount - pagesBefore) / rounds)
        if json {
            try printJSON(result)
        } else {
            func rounded(_ value: Double) -> String { String((value * 100).rounded() / 100) }
            try printResult(
                "\(self.work.rawValue), \(dtype.name), \(materials.device.kind == .cpu ? "\(threads) threads" : materials.device.description): median \(rounded(result.median)) ms of \(rounds) (\(rounded(result.minimum)) to \(rounded(result.maximum)))"
            )
        }
    }

    /// The files of the options, opened and looked at.
    private func materials() throws -> BenchMaterials {
        let given: [(BenchWork.File, String?)] = [
            (.weights, weights), (.inputs, inputs), (.output, output), (.data, data),
        ]
        for (file, path) in given where path != nil && !work.files.contains(file) {
            throw PipelineError(
                "--\(file.rawValue): the work \(work.rawValue) has no use for it: leave it out")
        }
        if let output, try SampleOutput(output, count: 1).isTensor == false {
            throw PipelineError("--output \(output): give the name of a .safetensors file")
        }
        var materials = try BenchMaterials(dtype, on: openedDevice(device))
        materials.matrices = int8 ? .int8 : bf16x3 ? .bfloat16x3 : .full
        materials.weights = weights.map { ModelFolder($0) }
        (materials.data, materials.threads) = (data, threads)
        materials.inputs = try inputs.map { try SafetensorsFile(path: $0) }
        return materials
    }

    private func milliseconds(_ body: BenchWork.Repetition) throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        _ = try body()
        return (clock.now - start) / .milliseconds(1)
    }

    private struct Result: Encodable {
        let work: String
        let dtype: String
        let threads: Int
        let rounds: Int
        let device: String
        let median: Double
        let minimum: Double
        let maximum: Double
        let peakMemory: Int
        /// Pages of fresh memory a repetition took from the system.
        let freshPages: Int

        enum CodingKeys: String, CodingKey {
            case work, dtype, threads, rounds, device
            case median = "median_ms"
            case minimum = "minimum_ms"
            case maximum = "maximum_ms"
            case peakMemory = "peak_memory"
            case freshPages = "fresh_pages"
        }
    }
}

extension BenchWork: ExpressibleByArgument {}
