import Datasets
import Diffusion
import Foundation
import Pipelines
import Tensors

/// Measures how likely data are under a model: by the variational bound, term by term, and by its probability flow.
public struct LikelihoodMeasure {
    /// How it is measured.
    public struct Options: Sendable {
        /// The number of examples; 100, or all where there are fewer, where `nil`.
        public var count: Int?
        /// Which examples, and all noise: example i of a call draws from seed + i.
        public var seed: UInt64 = 0
        /// The most examples at once.
        public var batchSize = 64
        /// Whether the bound is measured.
        public var measuresBound = true
        /// Whether the flow is followed.
        public var measuresFlow = true
        /// Steps of the bound; all of a table where `nil`.
        public var boundSteps: Int?
        /// The variance of the model's steps; the model's own where `nil`.
        public var variance: ReverseVariance?
        /// Whether estimated data are cut off at ±1; those of pictures are where `nil`, as in the articles' code.
        public var clipsData: Bool?
        /// Whether L₀ takes Φ by the approximation of the articles' code.
        public var approximatesDecoder = false
        /// Steps of the flow; as many as a tolerance needs where `nil`.
        public var flowSteps: Int?
        /// The error that a step of the flow may make; 10⁻⁴, and 10⁻⁸ for exact models, where `nil`.
        public var tolerance: Double?
        /// Whether the divergence is exact; where `nil`, it is for up to 16 elements.
        public var exactDivergence: Bool?
        /// The number of times the flow is followed for each example, each with its own dequantisation and probe.
        public var probes = 1
        /// σ/α of the level whose samples stand for the data; the process's own where `nil`.
        public var leastNoise: Double?

        /// The usual way.
        public init() {}
    }

    /// The most elements of an example for which the divergence is found exactly where nothing is chosen.
    private static let exactDimension = 16

    let model: BareModel
    let options: Options
    /// The coding; `nil` where it is not wanted, or there is none.
    let coding: ProgressiveCoding?
    /// Why there is no coding that is wanted.
    let boundOmitted: String?

    /// Checks what is wanted of a model.
    /// - Throws: `DiffusionError` or `EvaluationError` where a number means nothing or the model cannot be measured so.
    public init(_ model: BareModel, _ options: Options = Options()) throws {
        (self.model, self.options) = (model, options)
        try Self.check(options)
        (coding, boundOmitted) = options.measuresBound ? try Self.coding(model, options) : (nil, nil)
        let start = model.process.schedule.level(at: model.process.schedule.start)
        let output = model.process.parameterization.output
        if options.measuresFlow, model.mixture == nil, !output.isDefined(at: start) {
            throw EvaluationError(
                "\(model.name) predicts \(output.word), which says nothing of the data where its process leaves no signal: its flow cannot be followed to its start"
            )
        }
    }

    private static func check(_ options: Options) throws {
        let wholes: [(String, Int?, ClosedRange<Int>)] = [
            ("count", options.count, 1...10_000_000), ("batch size", options.batchSize, 1...100_000),
            ("number of probes", options.probes, 1...100_000),
            ("number of steps of the flow", options.flowSteps, 1...100_000),
        ]
        for case (let name, let value?, let range) in wholes where !range.contains(value) {
            throw EvaluationError(
                "the \(name) is \(value): give \(range.lowerBound) to \(range.upperBound)")
        }
        for case (let name, let value?) in [
            ("tolerance", options.tolerance), ("least noise", options.leastNoise),
        ] where !(value > 0 && value < 1) {
            throw EvaluationError("the \(name) is \(value): give a number between 0 and 1")
        }
    }

    private static func coding(_ model: BareModel, _ options: Options) throws -> (ProgressiveCoding?, String?)
    {
        guard model.dataRange == -1...1 else {
            return (
                nil,
                "\(model.name) has its pictures in \(model.dataRange.lowerBound) to \(model.dataRange.upperBound), and the bound's decoder is one of pixels in -1 to 1"
            )
        }
        let isTable = model.process.schedule is DiscreteSchedule
        let chain = try CodingChain(
            model.process.schedule, count: options.boundSteps, first: isTable ? nil : options.leastNoise)
        let output = model.process.parameterization.output
        if model.mixture == nil, let last = chain.levels.last, !output.isDefined(at: last) {
            throw EvaluationError(
                "\(model.name) predicts \(output.word), which says nothing of the data where its process leaves no signal: it has no bound"
            )
        }
        let ancestral = try? model.process.sampling.sampler(
            .ddpm, steps: model.process.sampling.usualSteps(.ddpm), grid: nil, options: SamplerOptions())
        let own = isTable ? (ancestral?.solver as? DDPMSolver)?.variance ?? .fixedSmall : .fixedLarge
        let variance = options.variance ?? own
        guard !variance.isLearned || model.learnsVariance else {
            throw EvaluationError(
                "the variance is '\(variance.rawValue)', and \(model.name) gives no channels for one: use fixed_small or fixed_large"
            )
        }
        let isPicture = model.sampleShape.rank == 3
        let decoder: VariationalBound.Decoder =
            isPicture ? options.approximatesDecoder ? .approximatePixels : .pixels : .density
        let clips = options.clipsData ?? isPicture
        return (ProgressiveCoding(chain, variance: variance, clipsData: clips, decoder: decoder), nil)
    }

    /// Where the work is: what is done of how much, and of what.
    public typealias Progress = (_ work: String, _ done: Int, _ total: Int) -> Void

    /// Measures examples of a data set, drawn by the seed.
    /// - Throws: `EvaluationError` where data and model do not fit; what a data set throws.
    public func report(on data: some Dataset, onProgress: Progress = { _, _, _ in }) throws
        -> LikelihoodReport
    {
        let examples = try LikelihoodExamples(data, for: model, options)
        let isPicture = model.sampleShape.rank == 3
        var report = LikelihoodReport(
            model: model.name, count: examples.count, dimension: examples.dimension, arePictures: isPicture,
            condition: examples.conditionWords)
        report.boundOmitted = boundOmitted
        if let coding {
            let course = try inference { try self.course(coding, examples, onProgress) }
            report.bound = try bound(coding, course, examples.dimension)
            report.rateDistortion = try curve(coding, course)
        }
        if options.measuresFlow { report.flow = try flow(examples, onProgress) }
        if let mixture = model.mixture {
            let nats = try mixture.logDensity(model.own(examples.batch(0..<examples.count).data), at: .data)
            report.exact = .init(
                bits: try bits(nats, examples.dimension, spacing: 1), dimension: examples.dimension)
        }
        return report
    }

    // MARK: The bound

    private func course(
        _ coding: ProgressiveCoding, _ examples: LikelihoodExamples, _ onProgress: Progress
    ) throws -> [ProgressiveCoding.Course] {
        let (steps, total) = (coding.chain.levels.count, coding.chain.levels.count * examples.count)
        return try examples.ranges.map { range in
            let batch = try examples.batch(range)
            let denoiser = try model.denoiser(batch.condition, count: range.count)
            let noise = model.noise(seed: options.seed &+ UInt64(range.lowerBound), count: range.count)
            var done = range.lowerBound * steps
            return try coding.course(
                of: model.own(batch.data), denoiser: denoiser, noise: { _ in noise.draw(model.sampleShape) }
            ) {
                done += range.count
                onProgress("bound", done, total)
            }
        }
    }

    private func bound(
        _ coding: ProgressiveCoding, _ courses: [ProgressiveCoding.Course], _ dimension: Int
    ) throws -> LikelihoodReport.Bound {
        let steps = concatenated(courses.map(\.terms.steps)).to(.cpu).to(.float64)
        let count = coding.chain.levels.count
        func quantity(_ tensor: Tensor) throws -> LikelihoodReport.Quantity {
            .init(bits: try finite(tensor.to(.cpu).to(.float64).array()), dimension: dimension)
        }
        let decoders: [VariationalBound.Decoder: String] = [
            .pixels: "bins of 1/255 around each value", .density: "density",
            .approximatePixels: "bins of 1/255 around each value, the normal law approximated",
        ]
        return .init(
            total: try quantity(concatenated(courses.map(\.terms.total))),
            prior: try quantity(concatenated(courses.map(\.terms.prior))),
            middle: try quantity(steps.slice(1..<count, of: 1).sum([1])),
            decoder: try quantity(steps.select(0, of: 1)),
            times: coding.chain.levels.map { $0.time ?? 0 }, steps: try finite(steps.mean([0]).array()),
            variance: coding.bound.variance.rawValue, clipsData: coding.bound.clipsData,
            decoderKind: decoders[coding.bound.decoder] ?? "")
    }

    private func curve(
        _ coding: ProgressiveCoding, _ courses: [ProgressiveCoding.Course]
    ) throws -> [LikelihoodReport.RatePoint] {
        let scale = model.sampleShape.rank == 3 ? 127.5 : 1
        func means(_ tensors: [Tensor]) throws -> [Double] {
            try concatenated(tensors).to(.cpu).to(.float64).mean([0]).array()
        }
        let (rates, errors) = (try means(courses.map(\.rates)), try means(courses.map(\.errors)))
        let total = try concatenated(courses.map(\.terms.total)).to(.cpu).to(.float64).mean().item(
            Double.self)
        let points = coding.chain.levels.indices.reversed().map { step in
            LikelihoodReport.RatePoint(
                time: coding.chain.levels[step].time, rate: rates[step],
                distortion: scale * errors[step].squareRoot())
        }
        // Densities are not sent to the last bit.
        guard model.sampleShape.rank == 3 else { return points }
        return points + [.init(time: nil, rate: total, distortion: 0)]
    }

    // MARK: The flow

    private func flow(_ examples: LikelihoodExamples, _ onProgress: Progress) throws -> LikelihoodReport.Flow
    {
        let isExact = options.exactDivergence ?? (examples.dimension <= Self.exactDimension)
        let tolerance = options.tolerance ?? (model.mixture == nil ? 1e-4 : 1e-8)
        let schedule = model.process.schedule
        let least =
            options.leastNoise.map { schedule.level(at: schedule.time(logSNR: -2 * log($0))) }
            ?? (model.mixture == nil ? schedule.leastLevel : NoiseLevel(alpha: 1, sigma: 1e-4))
        let start = schedule.level(at: schedule.start)
        let likelihood = FlowLikelihood(
            CircleSchedule(to: start), from: CircleSchedule.angle(of: least),
            integration: options.flowSteps.map { .fixed(steps: $0) }
                ?? .adaptive(.init(relativeTolerance: tolerance, absoluteTolerance: tolerance)),
            divergence: isExact ? .exact : .hutchinson(.rademacher))
        let isPicture = model.sampleShape.rank == 3
        let spacing = (model.dataRange.upperBound - model.dataRange.lowerBound) / 255
        var values: [Double] = []
        for range in examples.ranges {
            onProgress("flow", range.lowerBound, examples.count)
            let nats = try self.nats(likelihood, examples.batch(range), range, isPicture ? spacing : 0)
            values += try bits(nats, examples.dimension, spacing: isPicture ? spacing : 1)
        }
        onProgress("flow", examples.count, examples.count)
        return .init(
            negativeLogLikelihood: .init(bits: values, dimension: examples.dimension),
            integration: options.flowSteps.map { "\($0) steps of fifth order" }
                ?? "Dormand and Prince's pair to \(tolerance)",
            divergence: isExact
                ? "exact"
                : "Hutchinson's estimate, \(options.probes) Rademacher probe\(options.probes == 1 ? "" : "s") each",
            dequantisation: isPicture ? "uniform in ±1/255" : nil, leastNoise: least.noiseRatio)
    }

    /// ln p of a batch, the mean over probes.
    private func nats(
        _ likelihood: FlowLikelihood, _ batch: LikelihoodExamples.Batch, _ range: Range<Int>,
        _ spacing: Double
    ) throws -> Tensor {
        let generator = RandomGenerator(seed: options.seed &+ UInt64(range.lowerBound))
        let denoiser = try model.denoiser(batch.condition, count: range.count)
        let data = model.own(batch.data)
        let found = try (0..<options.probes).map { _ in
            var own = data
            if spacing > 0 {
                let offset = generator.uniform(data.shape, data.elementType) - 0.5
                own = data + offset.to(data.device) * spacing
            }
            return try likelihood.logDensity(
                own, denoiser: denoiser, generator: generator, prior: prior(likelihood.schedule))
        }
        return found.dropFirst().reduce(found[0], +) / Double(found.count)
    }

    /// ln of the density of samples at the start: the mixture's own, or of what sampling starts from.
    private func prior(_ circle: any ContinuousSchedule) throws -> (Tensor) -> Tensor {
        let level = circle.level(at: circle.start)
        if let mixture = model.mixture {
            return { mixture.logDensity($0, at: level) }
        }
        let process = model.process
        let first = process.schedule.level(at: process.schedule.start)
        let sampler = try process.sampling.sampler(
            nil, steps: process.sampling.usualSteps(nil), grid: nil, options: SamplerOptions())
        let deviation = sampler.grid.startScale / hypot(first.alpha, first.sigma)
        return { x in
            let constant = Double(x.shape.dropFirst().reduce(1, *)) * log(2 * .pi * deviation * deviation)
            return (x.squared().sumPerExample() / (deviation * deviation) + constant) * -0.5
        }
    }

    private func bits(_ nats: Tensor, _ dimension: Int, spacing: Double) throws -> [Double] {
        let bits = FlowLikelihood.bitsPerDimension(nats, dimension: dimension, spacing: spacing)
        return try finite(bits.to(.cpu).to(.float64).array())
    }

    private func finite(_ values: [Double]) throws -> [Double] {
        guard values.allSatisfy(\.isFinite) else {
            throw EvaluationError(
                "\(model.name) gives numbers that are not finite for these data: try other weights, or float64"
            )
        }
        return values
    }
}
