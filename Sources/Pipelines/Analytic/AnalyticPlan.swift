import Checkpoints
import Diffusion
import Foundation
import Pictures
import Storage
import Tensors

/// A request to an analytic model that has been checked and resolved: nothing is left to default.
public struct AnalyticPlan {
    let model: AnalyticModel
    let request: SamplingRequest
    /// The steps, and the method that takes them.
    public let sampler: Sampler
    /// Everything that the samples are made with.
    public let receipt: AnalyticReceipt
    private let elementType: ElementType
    private let device: Device

    /// Checks a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    public init(
        _ model: AnalyticModel, _ request: SamplingRequest, elementType: ElementType = .float32,
        on device: Device = .cpu
    ) throws {
        guard (1...10_000_000).contains(request.count) else {
            throw PipelineError("\(request.count) samples were asked for: --count is 1 to 10000000")
        }
        guard elementType == .float32 || elementType == .float64 else {
            throw PipelineError(
                "--dtype is \(elementType.name): analytic models compute in float32 or float64")
        }
        try Self.checkForeign(request)
        try SamplingPlan.check(eta: request.eta)
        let steps = request.steps ?? 50
        try SamplingPlan.check(steps: steps)
        if let initial = request.initial {
            try SamplingPlan.check(initial: initial)
            let wanted: Shape = [request.count, model.mixture.dimension]
            guard initial.shape == wanted else {
                throw PipelineError("--initial holds latents of shape \(initial.shape): \(wanted) is needed")
            }
        }
        var options = SamplerOptions()
        options.eta = request.eta
        sampler = try model.process.sampler(
            request.solver, steps: steps, grid: request.grid, options: options)
        // Classes of diffusers have data from what is predicted; other processes ask the exact model for both.
        if case .discrete = model.process { try sampler.check(model.prediction, isExact: true) }
        try MemoryNeed(
            "keeping \(request.count) samples of \(model.mixture.dimension) numbers",
            bytes: elementType.byteCount(Double(request.count) * Double(model.mixture.dimension)),
            remedy: "ask for fewer, in several calls with seeds of their own"
        ).check(on: device)
        (self.model, self.request) = (model, request)
        (self.elementType, self.device) = (elementType, device)
        receipt = AnalyticReceipt(
            model: model.name, schedule: model.process.name, prediction: model.prediction.word,
            seed: request.seed, count: request.count,
            solver: (request.solver ?? model.process.solverName)?.rawValue,
            steps: sampler.grid.steps.count, grid: request.grid?.rawValue, eta: request.eta,
            dtype: elementType.name, device: device.description)
    }

    private static func checkForeign(_ request: SamplingRequest) throws {
        let foreign: [(String, Bool)] = [
            ("--class", request.classes != nil), ("--guidance", request.guidance != nil),
            ("--width", request.width != nil), ("--height", request.height != nil),
        ]
        if let (name, _) = foreign.first(where: \.1) {
            throw PipelineError("\(name) means nothing to an analytic model: leave it out")
        }
    }

    /// Draws the samples.
    /// - Parameter onStep: told of every step of every batch; what it throws ends the run.
    /// - Returns: `[count, D]`
    /// - Throws: `PipelineError` where a sample is not finite; `TensorError` where arithmetic failed.
    public func run(
        onStep: (_ samplesDone: Int, SamplingProgress) throws -> Void = { _, _ in }
    ) throws -> Tensor {
        // As many as the denoiser's [batch, K, D] stays small for; samples do not depend on it.
        let most = max(1, min(4096, (1 << 24) / (model.partCount * model.mixture.dimension)))
        let loop = SamplingLoop(
            sampler: sampler, count: request.count, seed: request.seed, batchSize: most,
            elementType: elementType, device: device, noun: "samples",
            remedy: "this solver does not fit this schedule, choose another")
        return try loop.run(
            begin: { samples, noise in
                let unit =
                    request.initial.map { loop.own($0.slice(samples, of: 0)) }
                    ?? noise.draw([model.mixture.dimension])
                return .init(sample: sampler.scaled(unit), denoiser: model.denoiser())
            }, onStep: onStep)
    }
}

/// Everything that samples of an analytic model were made with.
public struct AnalyticReceipt: Codable, Sendable, Equatable {
    /// The program that made them.
    public var program = "langevin \(Receipt.version)"
    /// The model's file.
    public var model: String
    /// The class of diffusers or the kind of its process.
    public var schedule: String
    /// What its denoiser predicts.
    public var prediction: String
    /// The seed of the first sample.
    public var seed: UInt64
    /// The number of samples.
    public var count: Int
    /// The solver; absent where it is the one that the schedule's class is.
    public var solver: String?
    /// The number of solver steps.
    public var steps: Int
    /// The grid, where another one than the schedule's own was asked for.
    public var grid: String?
    /// η, where it was given.
    public var eta: Double?
    /// The element type of the states.
    public var dtype: String
    /// Where they were.
    public var device: String
}

/// Where the samples of an analytic model go, by the form of the name that a user gave.
public struct AnalyticOutput: Sendable {
    private let path: String
    private let isPlot: Bool

    /// Looks at a name before anything is computed.
    /// - Parameter dimension: D, the number of elements of a sample.
    /// - Throws: `PipelineError` where nothing can be written there.
    public init(_ path: String, dimension: Int) throws {
        let url = URL(fileURLWithPath: path)
        self.path = path
        isPlot = PictureFormat(fileExtension: url.pathExtension) != nil
        guard isPlot || url.pathExtension.lowercased() == "safetensors" else {
            throw PipelineError("-o \(path): samples of an analytic model go into a .safetensors file")
        }
        guard !isPlot || dimension == 2 else {
            throw PipelineError(
                "-o \(path): samples of \(dimension) numbers are no picture (those of 2 are drawn as a cloud): use .safetensors"
            )
        }
        guard !FileManager.default.isFolder(path) else {
            throw PipelineError("-o \(path): there is a folder of that name")
        }
        try SampleOutput.checkWritable(parent: url)
    }

    /// Writes samples `[count, D]`: the tensor `samples`, or a cloud of dots where D is 2.
    /// - Throws: an error that names the file.
    public func write(_ samples: Tensor, receipt: AnalyticReceipt) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(receipt), as: UTF8.self)
        guard isPlot else {
            let values = samples.to(.cpu)
            try SafetensorsWriter([("samples", values)], metadata: ["langevin": text]).write(to: path)
            return
        }
        let wide = samples.to(.cpu).to(.float64)
        let cloud = try Plot.Series(
            x: wide.select(0, of: 1).array(), y: wide.select(1, of: 1).array(), style: .dots, opacity: 0.6)
        let plot = Plot([cloud], title: "\(receipt.count) samples of \(receipt.model)", hasEqualSteps: true)
        try plot.picture(width: 720, height: 720)
            .write(to: URL(fileURLWithPath: path), texts: [PictureText("langevin", text)])
    }
}
