import Checkpoints
import Diffusers
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
        if case .scheduler = model.process { try sampler.check(model.prediction, isExact: true) }
        if let variance = sampler.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and an exact model gives no variance: use 'fixed_small' or another solver"
            )
        }
        try MemoryNeed(
            "keeping \(request.count) samples of \(model.mixture.dimension) numbers",
            bytes: elementType.byteCount(Double(request.count) * Double(model.mixture.dimension)),
            remedy: "ask for fewer, in several calls with seeds of their own"
        ).check(on: device)
        (self.model, self.request) = (model, request)
        (self.elementType, self.device) = (elementType, device)
        receipt = AnalyticReceipt(
            model: model.name, modelHash: model.digest, schedule: model.process.name,
            prediction: model.prediction.word, seed: request.seed, count: request.count,
            solver: model.process.words(for: request.solver, grid: request.grid).method, steps: steps,
            grid: request.grid?.name, eta: sampler.solver.noiseShare, initial: request.files["initial"],
            batchSize: request.batchSize, dtype: elementType.name, device: device.description,
            threads: Machine.threadCount)
    }

    private static func checkForeign(_ request: SamplingRequest) throws {
        let foreign: [(String, Bool)] = [
            ("--class", request.classes != nil), ("--guidance", request.guidance != nil),
            ("--width", request.width != nil), ("--height", request.height != nil),
            ("--reuse-deep", request.deepFeatureInterval != 1),
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
        let size = min(most, request.batchSize ?? most)
        let loop = SamplingLoop(
            sampler: sampler, count: request.count, seed: request.seed, batchSize: size,
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
    /// The sha256 of that file.
    public var modelHash: String
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
    /// The number of steps that was asked of the solver.
    public var steps: Int
    /// The grid, where another one than the schedule's own was asked for.
    public var grid: String?
    /// The solver's η; absent where it has none.
    public var eta: Double?
    /// What the samples began from in place of noise.
    public var initial: InputFile?
    /// The most samples at once, where that was asked for.
    public var batchSize: Int?
    /// The element type of the states.
    public var dtype: String
    /// Where they were.
    public var device: String
    /// Threads of one operation, on which the last bits depend.
    public var threads: Int

    enum CodingKeys: String, CodingKey {
        case program, model, schedule, prediction, seed, count, solver, steps, grid, eta, initial, dtype
        case device, threads
        case modelHash = "model_hash"
        case batchSize = "batch_size"
    }

    /// What one sample of several was made with.
    func sample(_ index: Int) -> AnalyticReceipt {
        var one = self
        (one.seed, one.count) = (seed &+ UInt64(index), 1)
        return one
    }

    func json() throws -> String {
        String(decoding: try sortedJSON(self), as: UTF8.self)
    }
}

/// Where the samples of an analytic model go, by the form of the name that a user gave.
public struct AnalyticOutput: Sendable {
    /// The names of the files.
    public let names: OutputNames

    /// Looks at a name before anything is computed.
    /// - Parameters:
    ///   - dimension: D, the number of elements of a sample.
    ///   - count: the number of samples.
    /// - Throws: `PipelineError` or `FileError` where nothing can be written there.
    public init(_ path: String, dimension: Int, count: Int) throws {
        names = try OutputNames(path, count: count)
        guard names.form != .folder else {
            throw PipelineError("\(path): samples of an analytic model go into a .safetensors file")
        }
        guard names.isTensor || dimension == 2 else {
            throw PipelineError(
                "\(path): samples of \(dimension) numbers are no picture (those of 2 are drawn as a cloud): use .safetensors"
            )
        }
        guard names.isTensor || names.form == .one else {
            throw PipelineError("\(path): the cloud of all samples is one picture: leave out the number")
        }
    }

    /// Writes samples `[count, D]`: the tensor `samples`, or a cloud of dots where D is 2.
    /// - Returns: the files.
    /// - Throws: an error that names the file.
    public func write(_ samples: Tensor, receipt: AnalyticReceipt) throws -> [String] {
        if names.isTensor {
            let values = samples.to(.cpu)
            guard names.form != .one else {
                try write(values, receipt, to: names.path)
                return [names.path]
            }
            for index in 0..<names.count {
                try write(
                    values.slice(index..<(index + 1), of: 0), receipt.sample(index), to: names.name(index))
            }
            return names.all
        }
        let wide = samples.to(.cpu).to(.float64)
        let cloud = try Plot.Series(
            x: wide.select(0, of: 1).array(), y: wide.select(1, of: 1).array(), style: .dots, opacity: 0.6)
        let plot = Plot([cloud], title: "\(receipt.count) samples of \(receipt.model)", hasEqualSteps: true)
        try plot.picture(width: 720, height: 720)
            .write(to: URL(file: names.path), texts: [PictureText("langevin", receipt.json())])
        return [names.path]
    }

    private func write(_ samples: Tensor, _ receipt: AnalyticReceipt, to path: String) throws {
        try SafetensorsWriter([("samples", samples)], metadata: ["langevin": receipt.json()]).write(to: path)
    }
}
