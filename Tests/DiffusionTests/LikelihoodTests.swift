import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Likelihood by the probability flow, against the closed form of a mixture of Gaussians.
@Suite struct LikelihoodTests {
    private let mixture = GaussianMixture(
        weights: Tensor([0.3, 0.7]),
        means: Tensor([-0.8, 0.4, 0.9, -0.2]).reshaped([2, 2]),
        covariances: Tensor([0.3, 0.1, 0.1, 0.2, 0.25, -0.05, -0.05, 0.4]).reshaped([2, 2, 2]))
    private let data = RandomGenerator(seed: 3).normal([4, 2], .float64)
    private var exact: Tensor { mixture.logDensity(data, at: .data) }

    private func likelihood(
        _ schedule: some ContinuousSchedule, from end: Double, _ divergence: Divergence = .exact,
        seed: UInt64 = 1, data: Tensor? = nil
    ) throws -> Tensor {
        let start = schedule.level(at: schedule.start)
        return try FlowLikelihood(schedule, from: end, divergence: divergence).logDensity(
            data ?? self.data, denoiser: mixture.denoiser(), generator: RandomGenerator(seed: seed),
            prior: { mixture.logDensity($0, at: start) })
    }

    @Test func mixturesUnderEverySchedule() throws {
        let bound = 1e-4
        expectClose(try likelihood(VariancePreservingSchedule(), from: 1e-6), exact, absolute: bound)
        expectClose(try likelihood(SubVariancePreservingSchedule(), from: 1e-3), exact, absolute: bound)
        expectClose(
            try likelihood(VarianceExplodingSchedule(sigmaMinimum: 1e-3), from: 0), exact, absolute: bound)
        expectClose(try likelihood(EDMSchedule(), from: 0.002), exact, absolute: bound)
        expectClose(try likelihood(StraightSchedule(), from: 1e-3), exact, absolute: bound)
        expectClose(try likelihood(TrigonometricSchedule(), from: 1e-3), exact, absolute: bound)
    }

    /// The straight path starts at N(0, 1) itself, so no other prior has to be given.
    @Test func theStraightPathNeedsNoOtherPrior() throws {
        let found = try FlowLikelihood(StraightSchedule(), from: 1e-3)
            .logDensity(data, denoiser: mixture.denoiser(.velocity), generator: RandomGenerator(seed: 1))
        expectClose(found, exact, absolute: 1e-4)
    }

    @Test func fixedStepsConvergeToTheSame() throws {
        let errors = try [4, 8].map { steps in
            let found = try FlowLikelihood(
                TrigonometricSchedule(), from: 1e-2, integration: .fixed(steps: steps)
            ).logDensity(data, denoiser: mixture.denoiser(), generator: RandomGenerator(seed: 1))
            let fine = try FlowLikelihood(TrigonometricSchedule(), from: 1e-2)
                .logDensity(data, denoiser: mixture.denoiser(), generator: RandomGenerator(seed: 1))
            return try (found - fine).magnitude().max().item(Double.self)
        }
        // Fifth order: half the step, an error of about 1/32.
        #expect(errors[0] > 15 * errors[1] && errors[0] < 0.1, "\(errors)")
    }

    /// 2,000 estimates of one example: their mean is the exact value within 4 standard errors.
    @Test(arguments: Divergence.Probe.allCases)
    func hutchinsonIsUnbiased(probe: Divergence.Probe) throws {
        let one = data.slice(0..<1, of: 0)
        let many = try likelihood(
            StraightSchedule(), from: 1e-2, .hutchinson(probe), data: one.repeated([2000, 1]))
        let wanted = try likelihood(StraightSchedule(), from: 1e-2, data: one).item(Double.self)
        let (mean, deviation) = (
            try many.mean().item(Double.self), try many.standardDeviation().item(Double.self)
        )
        #expect(deviation > 1e-3, "estimates that do not vary are no estimates")
        #expect(abs(mean - wanted) < 4 * deviation / 2000.squareRoot() + 1e-6, "\(mean) \(wanted)")
    }

    /// A linear field: the divergence is the trace, whatever the point.
    @Test func theTraceOfALinearField() throws {
        let matrix = RandomGenerator(seed: 7).normal([3, 3], .float64)
        let field = { (x: Tensor) in x.matmul(matrix) }
        let x = RandomGenerator(seed: 8).normal([5, 3], .float64)
        let (value, divergence) = try Divergence.value(of: field, at: x, probe: nil)
        expectClose(value, x.matmul(matrix), absolute: 1e-14)
        expectClose(divergence, Tensor.ones([5], .float64) * matrix.trace(), absolute: 1e-12)
    }

    /// Uniform data of 256 values cost eight bits.
    @Test func bitsOfUniformData() throws {
        let density = Tensor([-log(2.0) * 12])
        expectClose(
            FlowLikelihood.bitsPerDimension(density, dimension: 12), Tensor([8.0]), absolute: 1e-12)
    }

    /// y′ = −y and a rotation, to the tolerance.
    @Test func theIntegratorMeetsItsTolerance() throws {
        let integrator = AdaptiveIntegrator(relativeTolerance: 1e-10, absoluteTolerance: 1e-10)
        let found = try integrator.integrate([Tensor([1.0]), Tensor([1.0, 0.0])], from: 0, to: 3) {
            _, state in
            let turned = state[1].flipped(0) * Tensor([-1.0, 1.0])
            return [-state[0], turned]
        }
        expectClose(found[0], Tensor([exp(-3.0)]), absolute: 1e-8)
        expectClose(found[1], Tensor([cos(3.0), sin(3.0)]), absolute: 1e-8)
        let tight = AdaptiveIntegrator(relativeTolerance: 1e-10, absoluteTolerance: 1e-10, maximalSteps: 3)
        #expect(throws: DiffusionError.self) {
            try tight.integrate([Tensor([1.0])], from: 0, to: 3) { _, state in [-state[0]] }
        }
        #expect(throws: DiffusionError.self) {
            try integrator.integrate([Tensor([1.0])], from: 0, to: 3) { _, state in [state[0].squared() * 1e6]
            }
        }
    }
}
