import Diffusers
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Guidance that grows over the steps, on models whose every estimate is known.
@Suite struct GuidanceScheduleTests {
    /// A Gaussian of two numbers with the covariance v·1.
    private static func gaussian(_ mean: [Double], _ variance: Double) -> GaussianMixture {
        GaussianMixture(
            weights: Tensor([1.0]), means: Tensor(mean, shape: [1, 2]),
            covariances: Tensor.identity(2, .float64).unsqueezed(0) * variance)
    }

    private let conditional = gaussian([1.5, -1], 0.3)
    private let unconditional = gaussian([-0.5, 0.2], 0.3)
    private let start = RandomGenerator(seed: 11).normal([6, 2], .float64)

    private func parts(_ grid: StepGrid) -> GuidanceParts {
        var parts = GuidanceParts { branches in
            Denoiser { x, level in
                let estimates = zip(branches, x.chunked(branches.count, of: 0)).map { branch, x in
                    (branch == .conditional ? conditional : unconditional).estimate(x, at: level)
                }
                return Estimate(
                    data: concatenated(estimates.map(\.data)), noise: concatenated(estimates.map(\.noise)))
            }
        }
        parts.grid = grid
        return parts
    }

    private func grid(_ steps: Int) throws -> StepGrid {
        var configuration = SchedulerConfiguration(.ddim)
        configuration.clipsData = false
        return try configuration.grid(steps: steps)
    }

    private func settings(_ schedule: GuidanceSchedule, _ scale: Double) -> GuidanceSettings {
        var settings = GuidanceSettings(scale: scale)
        settings.schedule = schedule
        return settings
    }

    @Test func curvesHaveTheirValues() {
        let values: [(GuidanceSchedule, [Double])] = [
            (.constant, [1, 1, 1, 1]), (.linear, [0, 0.25, 0.5, 1]),
            (.cosine, [0, (1 - 0.5.squareRoot()) / 2, 0.5, 1]), (.quadratic, [0, 0.0625, 0.25, 1]),
            (.falling, [1, 0.75, 0.5, 0]),
        ]
        #expect(values.map(\.0) == GuidanceSchedule.allCases)
        for (schedule, expected) in values {
            for (place, value) in zip([0, 0.25, 0.5, 1], expected) {
                #expect(abs(schedule.share(place) - value) < 1e-15, "\(schedule.name)")
            }
            #expect(GuidanceSchedule(rawValue: schedule.name) == schedule)
        }
        #expect(GuidanceSchedule(rawValue: "linaer") == nil)
    }

    /// The share of a step depends on its number alone, on every process, up and down; between two steps it lies between.
    @Test func placesAreThoseOfTheSteps() throws {
        let flow = StraightSchedule().evenGrid(9, from: 1, to: 0)
        for grid in [try grid(9), karrasGrid(9), flow, try self.grid(9).inverted()] {
            for (index, step) in grid.steps.enumerated() {
                #expect(abs(grid.place(of: step.from) - Double(index) / 8) < 1e-12)
            }
        }
        let two = try grid(9).steps[3...4].map(\.from)
        let between = NoiseLevel(
            alpha: (two[0].alpha + two[1].alpha) / 2, sigma: (two[0].sigma + two[1].sigma) / 2)
        let place = try grid(9).place(of: between)
        #expect(place > 3.0 / 8 && place < 4.0 / 8)
        #expect(flow.place(of: NoiseLevel(alpha: 1, sigma: 0)) == 1)
        #expect(StepGrid(steps: Array(flow.steps.prefix(1))).place(of: flow.steps[0].from) == 1)
        // A run that begins in the middle has its own first step.
        #expect(try grid(9).dropping(first: 4).place(of: grid(9).steps[4].from) == 0)
    }

    /// Guidance of the scale f·s at each step.
    @Test(arguments: GuidanceSchedule.allCases, [0.5, 1, 4])
    func aStepIsGuidedByItsShareOfTheScale(schedule: GuidanceSchedule, scale: Double) throws {
        let grid = try grid(7)
        let guided = settings(schedule, scale).denoiser(parts(grid))
        for (index, step) in grid.steps.enumerated() {
            // Without a schedule, scales up to 1 are the conditional branch.
            let share = schedule == .constant && scale < 1 ? 2 : schedule.share(Double(index) / 6)
            let plain = ClassifierFreeGuidance(scale: share * scale).denoiser(
                conditional: conditional.denoiser(), unconditional: unconditional.denoiser())
            let (found, expected) = (guided(start, step.from), plain(start, step.from))
            expectClose(found.data, expected.data, absolute: 1e-10)
            expectClose(found.noise, expected.noise, absolute: 1e-10)
        }
    }

    /// Two Gaussians of one covariance v: guided by s·f, the estimate is that of the mean m∅ + s·f·(m_c − m∅), so that DDIM's
    /// way is a recursion in numbers.
    @Test(arguments: [GuidanceSchedule.linear, .cosine, .falling])
    func theWayOfGaussiansIsARecursion(schedule: GuidanceSchedule) throws {
        let (grid, scale, variance) = (try grid(12), 2.5, 0.3)
        let guided = settings(schedule, scale).denoiser(parts(grid))
        let noise = NoiseSource(seed: 0, count: 6, elementType: .float64)
        var found = start
        for progress in DDIMSolver().sampling(start, through: grid, denoiser: guided, noise: noise) {
            found = progress.sample
        }
        var expected = try start.array(of: Double.self)
        let means = [(-0.5, 1.5), (0.2, -1)]
        for (index, step) in grid.steps.enumerated() {
            let (from, to) = (step.from, step.to)
            let share = scale * schedule.share(Double(index) / 11)
            let gain =
                from.alpha * variance / (from.alpha * from.alpha * variance + from.sigma * from.sigma)
            for place in expected.indices {
                let (without, with) = means[place % 2]
                let mean = without + share * (with - without)
                let data = mean + gain * (expected[place] - from.alpha * mean)
                expected[place] =
                    to.alpha * data + to.sigma * (expected[place] - from.alpha * data) / from.sigma
            }
        }
        expectClose(found, Tensor(expected, shape: [6, 2]), absolute: 1e-9)
    }

    /// At a scale of 1 there is guidance, and without a schedule there is none.
    @Test func aScheduleIsGuidanceAtEveryScale() {
        #expect(!GuidanceSettings(scale: 1).isGuided && !settings(.constant, 1).isGuided)
        #expect(settings(.linear, 1).isGuided && settings(.linear, 1).branches.count == 2)
        #expect(settings(.linear, 1).given.map(\.value) == ["linear"])
    }

    /// s multiplies the difference of the branches, the paper's w what is added to the conditional one: s = w + 1.
    @Test(arguments: [-1.0, 0, 0.5, 3])
    func scaleAndWeightAreOneGuidance(weight: Double) throws {
        let guidance = ClassifierFreeGuidance(weight: weight)
        #expect(guidance.scale == weight + 1 && guidance.weight == weight)
        let level = NoiseLevel(alpha: 0.6, sigma: 0.8)
        let (c, u) = (conditional.estimate(start, at: level), unconditional.estimate(start, at: level))
        let found = guidance(Branches(conditional: c, unconditional: u), sample: start, at: level)
        expectClose(found.noise, c.noise * (1 + weight) - u.noise * weight, absolute: 1e-12)
        expectClose(found.data, c.data * (1 + weight) - u.data * weight, absolute: 1e-12)
    }
}
