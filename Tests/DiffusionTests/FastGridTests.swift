import Diffusers
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// The grid of GLIDE's upsampler, known data, and means that move.
@Suite struct FastGridTests {
    private var ddim: SchedulerConfiguration {
        var configuration = SchedulerConfiguration(.ddim)
        configuration.betaSchedule = .linear
        return configuration
    }

    /// Ten times of each of the two fifths with the least noise, three and twice two of the others; the last one is 997.
    @Test func fast27HasItsTimes() throws {
        let sampler = try ddim.sampler(nil, steps: 27, grid: .fast27)
        let times = sampler.grid.steps.compactMap(\.from.time).reversed().map(Int.init)
        #expect(
            times == [
                0, 22, 44, 66, 88, 111, 133, 155, 177, 199, 200, 222, 244, 266, 288, 311, 333, 355, 377, 399,
                400, 500, 599, 600, 799, 800, 997,
            ])
        #expect(sampler.grid.steps.last?.to.sigma == 0)
        for (step, next) in zip(sampler.grid.steps, sampler.grid.steps.dropFirst()) {
            #expect(step.to == next.from)
        }
    }

    @Test func itIsRefusedWhereItDoesNotFit() {
        func problem(
            _ kind: SchedulerClass, _ steps: Int, _ change: (inout SchedulerConfiguration) -> Void = { _ in }
        )
            -> String
        {
            var configuration = SchedulerConfiguration(kind)
            change(&configuration)
            do { _ = try configuration.sampler(nil, steps: steps, grid: .fast27) } catch { return "\(error)" }
            return ""
        }
        #expect(problem(.ddim, 27) == "" && problem(.ddpm, 27) == "")
        #expect(problem(.ddim, 30).contains("steps is 30, and the grid 'fast27' has 27"))
        #expect(problem(.euler, 27).contains("of whole times, and EulerDiscreteScheduler takes others"))
        #expect(problem(.ddim, 27) { $0.trainSteps = 40 }.contains("no grid 'fast27'"))
    }

    /// The noise of a temperature is what a run starts from; steps keep their numbers.
    @Test func aTemperatureScalesTheStart() throws {
        let sampler = try ddim.sampler(nil, steps: 4, grid: nil)
        let warm = sampler.grid.dropping(first: 1).scalingStart(by: 0.5)
        #expect(warm.startScale == 0.5 * sampler.grid.startScale && warm.steps[0].index == 1)
    }

    private let x = RandomGenerator(seed: 3).normal([2, 4], .float64)
    private let level = NoiseLevel(time: 5, alpha: 0.8, sigma: 0.6)

    @Test func knownDataTakeThePlaceOfTheirEstimate() throws {
        let (data, mask) = (Tensor([1.0, 2, 3, 4], shape: [1, 4]), Tensor([1.0, 0, 1, 0], shape: [1, 4]))
        let plain = Denoiser { x, _ in Estimate(data: x * 0.5, noise: x * 0.25, variance: x) }
        let found = plain.knowing(data, mask: mask)(x, level)
        let expected = x * 0.5 * mask + data * (1 - mask)
        expectClose(found.data, expected, absolute: 1e-15)
        expectClose(found.noise, (x - expected * 0.8) / 0.6, absolute: 1e-14)
        #expect(try #require(found.variance).isIdentical(to: x))
    }

    /// x_s = μ + Σ·g + √Σ·ε: the variance of the step, learned or not, times the gradient.
    @Test(arguments: [ReverseVariance.fixedSmall, .fixedLarge, .learnedRange])
    func ancestralStepsMoveTheirMean(_ variance: ReverseVariance) throws {
        let to = NoiseLevel(time: 2, alpha: 0.9, sigma: (1 - 0.81).squareRoot())
        let step = StepGrid(through: [level, to]).steps[0]
        let (gradient, learned) = (x * 0.1, x.sin())
        func stepped(_ shift: Tensor?) -> Tensor {
            let denoiser = Denoiser { x, _ in
                var estimate = Estimate(data: x * 0.5, noise: x * 0.25, variance: learned)
                estimate.meanShift = shift
                return estimate
            }
            var memory: Void = ()
            let noise = NoiseSource(seed: 4, count: 2, elementType: .float64, on: .cpu)
            return DDPMSolver(variance: variance).step(x, step, &memory, denoiser: denoiser, noise: noise)
                .sample
        }
        let beta = 1 - (0.8 / 0.9) * (0.8 / 0.9)
        let least = beta * (1 - 0.81) / (1 - 0.64)
        let share = (learned + 1) * 0.5
        let all: [ReverseVariance: Tensor] = [
            .fixedSmall: Tensor([least]), .fixedLarge: Tensor([beta]),
            .learnedRange: (share * log(beta) + (1 - share) * log(least)).exp(),
        ]
        expectClose(
            stepped(gradient) - stepped(nil), try #require(all[variance]) * gradient, absolute: 1e-8)
    }
}
