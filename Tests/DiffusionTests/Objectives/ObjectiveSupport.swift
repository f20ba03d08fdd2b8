import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Normal numbers `[count, width]` whose mean is 0 and whose covariance is 1 to the last bits, so that what
/// least squares finds on them is what it finds on the density itself.
func whitened(_ count: Int, _ width: Int, seed: UInt64) -> Tensor {
    let draws = RandomGenerator(seed: seed).normal([count, width], .float64)
    let centred = draws - draws.mean([0])
    let factor = (centred.transposed().matmul(centred) / Double(count)).choleskyFactor()
    return factor.solve(centred.transposed()).transposed()
}

/// N(m, C) in two dimensions: draws with exactly its moments, and what is known of it.
struct GaussianPlane {
    let mean = Tensor([0.6, -0.3])
    /// L with C = L·Lᵀ.
    let factor = Tensor([0.9, 0, 0.5, 0.4], shape: [2, 2])

    var covariance: Tensor { factor.matmul(factor.transposed()) }
    var mixture: GaussianMixture {
        GaussianMixture(
            weights: Tensor([1.0]), means: mean.unsqueezed(0), covariances: covariance.unsqueezed(0))
    }

    /// Data and unit noise, `[count, 2]` each, with exact joint moments.
    func batch(_ count: Int, seed: UInt64) -> (data: Tensor, noise: Tensor) {
        let parts = whitened(count, 4, seed: seed).chunked(2, of: 1)
        return (parts[0].matmul(factor.transposed()) + mean, parts[1])
    }
}

/// A process for losses alone: the network takes samples in a scaling, and the schedule's own times.
func process(
    _ schedule: any NoiseSchedule, _ output: any OutputMeaning,
    scaling: SampleScaling = .variancePreserving
) -> Diffusion.Process {
    Diffusion.Process(
        schedule: schedule, parameterization: Parameterization(output, scaling: scaling) { $0.time! },
        sampling: NoSampling())
}

private struct NoSampling: SamplerSource {
    var name: String { "none" }
    func sampler(
        _ method: Method?, steps: Int, grid: Grid?, options: SamplerOptions
    ) throws -> Sampler { throw DiffusionError("this process is for losses alone") }
    func words(for method: Method?, grid: Grid?) -> SamplingWords {
        SamplingWords(process: name, method: nil, grid: "none")
    }
    func usualSteps(_ method: Method?) -> Int { 1 }
}

/// Schedules with a level at every time, and the scaling of their samples.
let continuousSchedules: [(schedule: any ContinuousSchedule, scaling: SampleScaling)] = [
    (VariancePreservingSchedule(), .variancePreserving),
    (SubVariancePreservingSchedule(), .subVariancePreserving),
    (VarianceExplodingSchedule(), .varianceExploding), (EDMSchedule(), .varianceExploding),
    (StraightSchedule(), .straight), (TrigonometricSchedule(), .variancePreserving),
    (ConditionalTransportSchedule(), .straight),
]

extension Objective {
    /// The losses of a step from a seed.
    func losses(_ example: Example, seed: UInt64, network: @escaping Roles.Network) throws -> Losses {
        var memory = initialMemory
        return try losses(example, Roles(student: network), &memory, RandomGenerator(seed: seed))
    }
}

extension TimedObjective {
    /// The losses of data with their noise at given times.
    func losses(
        _ data: Tensor, noise: Tensor, times: [Double], network: @escaping Roles.Network
    ) throws -> Tensor {
        try losses(
            Example(data: data, noise: noise), Roles(student: network), at: times, RandomGenerator(seed: 0)
        ).total
    }
}

/// Expects a loss, quadratic in a linear network, to be least at the exact network: with x·W + b added to
/// its output, the gradient at W = 0, b = 0 is nothing, and the loss grows in every direction.
func expectMinimiser(
    width: Int = 2, tolerance: Double = 1e-11, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation,
    loss: (_ added: @escaping (_ x: Tensor) -> Tensor) throws -> Tensor
) throws {
    let (slope, offset) = (Tensor.zeros([width, width], .float64), Tensor.zeros([width], .float64))
    let (w, b) = (slope.requiringGradient(), offset.requiringGradient())
    let slopes = try gradients(of: [loss { $0.matmul(w) + b }.mean()], withRespectTo: [w, b])
    for slope in slopes {
        expectClose(
            try #require(slope), slope! * 0, absolute: tolerance, comment, sourceLocation: sourceLocation)
    }
    let least = try loss { $0 * 0 }.mean().item()
    let generator = RandomGenerator(seed: 91)
    for _ in 0..<3 {
        let (w, b) = (generator.normal([width, width], .float64), generator.normal([width], .float64))
        let other = try loss { $0.matmul(w * 0.1) + b * 0.1 }.mean().item()
        #expect(other > least, "\(comment)", sourceLocation: sourceLocation)
    }
}

/// Expects autograd's gradient of a scalar function to be that of central differences.
func expectGradient(
    at point: Tensor, step: Double = 1e-5, tolerance: Double = 1e-7, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation, of function: (Tensor) throws -> Tensor
) throws {
    let variable = point.requiringGradient()
    let found = try #require(try gradients(of: [function(variable)], withRespectTo: [variable])[0])
    let values = try point.array(of: Double.self)
    var differences: [Double] = []
    for index in values.indices {
        func moved(_ change: Double) throws -> Double {
            var values = values
            values[index] += change
            return try function(Tensor(values, shape: point.shape)).item()
        }
        differences.append(try (moved(step) - moved(-step)) / (2 * step))
    }
    expectClose(
        found, Tensor(differences, shape: point.shape), absolute: tolerance, ofLargest: tolerance, comment,
        sourceLocation: sourceLocation)
}

/// A small smooth network of two weights, for gradients: tanh(x·W)·u + a·cos(time).
func smoothNetwork(_ parameters: Tensor) -> (_ x: Tensor, _ times: Tensor) -> Tensor {
    { x, times in
        let time = times.to(.float64).broadcast(toRank: x.rank)
        return (x * parameters[0] + parameters[1]).tanh() * parameters[2] + (time * 0.1).cos() * parameters[3]
    }
}
let smoothParameters = Tensor([0.7, -0.2, 1.1, 0.4])
