import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// Steps and trajectories of diffusers' own schedulers, and of the notes' literal code, in float64.
@Suite struct ReferenceTests {
    @Test(arguments: ["ddpm", "ddim", "inverse"])
    func tablesAgree(kind: String) throws {
        for fixture in try Fixture.all(in: "ddpm", prefix: kind) {
            let schedule = try configuration(fixture).schedule
            expectClose(
                schedule.betas, try fixture.tensor("tables64.betas").array(), relative: 1e-12,
                absolute: 1e-15,
                fixture.name)
            expectClose(
                schedule.alphaBars, try fixture.tensor("tables64.alphas_cumprod").array(), relative: 1e-11,
                absolute: 1e-15, fixture.name)
        }
    }

    @Test(arguments: ["ddpm", "ddim"])
    func gridsAgree(kind: String) throws {
        for fixture in try Fixture.all(in: "ddpm", prefix: kind) {
            let grid = try configuration(fixture).grid(steps: fixture.case.required("steps"))
            #expect(
                try grid.steps.map { Int($0.from.time ?? -1) }
                    == fixture.tensor("timesteps").array(of: Int.self),
                "\(fixture.name)")
        }
    }

    @Test(arguments: ["ddpm", "ddim"])
    func singleStepsAgree(kind: String) throws {
        for fixture in try Fixture.all(in: "ddpm", prefix: kind) {
            let configuration = try configuration(fixture)
            let grid = try configuration.grid(steps: fixture.case.required("steps"))
            let singles: [JSONObject] = try fixture.case.required("single_steps")
            for (index, single) in singles.enumerated() {
                let output = try fixture.tensor("step.\(index).output")
                let denoiser = Denoiser { x, level in
                    configuration.prediction.estimate(output, sample: x, at: level)
                }
                let sample = try fixture.tensor("step.\(index).sample")
                let result = try step(
                    sample, grid.steps[single.required("position")], fixture, configuration, denoiser,
                    fresh: fixture.tensor("step.\(index).noise"))
                let place = "\(fixture.name), step \(index)"
                expectClose(
                    result.sample, try fixture.tensor("step.\(index).previous"), absolute: 1e-10,
                    ofLargest: 1e-10, place)
                expectClose(
                    result.data, try fixture.tensor("step.\(index).data"), absolute: 1e-10, ofLargest: 1e-10,
                    place)
            }
        }
    }

    @Test(arguments: ["ddpm", "ddim"])
    func trajectoriesAgree(kind: String) throws {
        for fixture in try Fixture.all(in: "ddpm", prefix: kind) {
            let configuration = try configuration(fixture)
            let grid = try configuration.grid(steps: fixture.case.required("steps"))
            let start = try fixture.tensor("trajectory.initial")
            let seed: Int = try fixture.case.required("noise_seed")
            let noise = NoiseSource(seed: UInt64(seed), count: start.shape[0], elementType: .float64)
            // The seeds of INTERFACE.md: the same start bit for bit, and then the same noise.
            #expect(try noise.draw(Shape(start.shape.dropFirst().map { $0 })).isIdentical(to: start))
            let denoiser = thresholded(
                gaussian(try fixture.tensor("trajectory.mean"), try fixture.tensor("trajectory.deviation")),
                configuration, try fixture.case.optional("use_clipped_model_output") ?? false)
            let steps =
                kind == "ddpm"
                ? DDPMSolver(variance: configuration.variance ?? .fixedSmall)
                    .sampling(start, through: grid, denoiser: denoiser, noise: noise)
                : DDIMSolver(eta: try fixture.case.required("eta"))
                    .sampling(start, through: grid, denoiser: denoiser, noise: noise)
            let states = stacked(steps.map(\.sample))
            expectClose(
                states, try fixture.tensor("trajectory.states"), absolute: 1e-10, ofLargest: 1e-10,
                fixture.name)
        }
    }

    @Test func inversionAgrees() throws {
        for fixture in try Fixture.all(in: "ddpm", prefix: "inverse") {
            let configuration = try configuration(fixture)
            let grid = try inversionGrid(configuration, fixture)
            try expectInverted(configuration, fixture, grid)
            let denoiser = thresholded(
                told(
                    try fixture.tensor("trajectory.mean"), try fixture.tensor("trajectory.deviation"),
                    configuration),
                configuration, false)
            let start = try fixture.tensor("trajectory.initial")
            let steps = DDIMSolver().sampling(
                start, through: grid, denoiser: denoiser, noise: NoiseSource(seed: 0, count: 1))
            expectClose(
                stacked(steps.map(\.sample)), try fixture.tensor("trajectory.states"), absolute: 1e-10,
                ofLargest: 1e-10, fixture.name)
        }
    }

    @Test func theNotesLiteralCodeAgrees() throws {
        for fixture in try Fixture.all(in: "s0", prefix: "s0-0-eta") {
            let bars = try fixture.tensor("alphas_cumprod").array(of: Double.self)
            let times = try fixture.tensor("timesteps").array(of: Int.self)
            let levels = times.map {
                NoiseLevel(time: Double($0), alpha: bars[$0].squareRoot(), sigma: (1 - bars[$0]).squareRoot())
            }
            let start = try fixture.tensor("initial")
            let solver = DDIMSolver(eta: try fixture.case.required("eta"))
            let denoiser = gaussian(try fixture.tensor("mean"), try fixture.tensor("deviation"))
            var x = start
            for (index, step) in StepGrid(through: levels + [.data]).steps.enumerated() {
                let fresh = try fixture.tensor("noise")[index]
                x = replayed(x, step, solver, denoiser, fresh)
                expectClose(
                    x, try fixture.tensor("states")[index], absolute: 1e-10, "\(fixture.name) \(index)")
            }
        }
    }

    @Test func greatCirclesAgree() throws {
        let fixture = try Fixture("s0/s0-0-slerp")
        let (a, b) = (try fixture.tensor("first").unsqueezed(0), try fixture.tensor("second").unsqueezed(0))
        for (index, weight) in try fixture.tensor("weights").array(of: Double.self).enumerated() {
            expectClose(
                sphericallyInterpolated(a, b, weight: weight)[0], try fixture.tensor("mixed")[index],
                absolute: 1e-12)
        }
    }

    @Test func forwardProcessAgrees() throws {
        for fixture in try Fixture.all(in: "forward") {
            let settings: JSONObject = try fixture.case.required("configuration")
            let configuration = try scheduler(settings, "DDPMScheduler")
            let objective = DenoisingObjective(process(configuration.schedule, Prediction.velocity))
            let noisy = try fixture.tensor("noisy")
            _ = try objective.losses(
                fixture.tensor("data"), noise: fixture.tensor("noise"),
                times: fixture.tensor("timesteps").array(of: Int.self).map(Double.init)
            ) { x, _ in
                expectClose(x, noisy, absolute: 1e-12, fixture.name)
                return x
            }
        }
    }

    // MARK: Helpers

    private func configuration(_ fixture: Fixture) throws -> SchedulerConfiguration {
        let name: String = try fixture.case.required("class")
        return try scheduler(
            fixture.case.required("configuration"), name == "DDIMInverseScheduler" ? "DDIMScheduler" : name)
    }

    private func scheduler(_ settings: JSONObject, _ name: String) throws -> SchedulerConfiguration {
        var settings = settings
        settings["_class_name"] = .string(name)
        return try JSONDecoder().decode(
            SchedulerConfiguration.self, from: Data(JSONValue.object(settings).text.utf8))
    }

    /// The exact denoiser of data that is Gaussian in every element, at the solver's own level.
    private func gaussian(_ mean: Tensor, _ deviation: Tensor) -> Denoiser {
        Denoiser { x, level in
            let (alpha, sigma) = (level.alpha, level.sigma)
            let variance = deviation.squared()
            let centred = x - mean * alpha
            let total = variance * (alpha * alpha) + sigma * sigma
            return Estimate(
                data: mean + variance * alpha * centred / total, noise: centred * sigma / total)
        }
    }

    /// The same asked at the level of the *time* that it is told, as an inverted step holds it.
    private func told(_ mean: Tensor, _ deviation: Tensor, _ configuration: SchedulerConfiguration)
        -> Denoiser
    {
        let (exact, schedule) = (gaussian(mean, deviation), configuration.schedule)
        return Denoiser { x, level in
            let asked = schedule.level(at: level.time ?? 0)
            let estimate = exact(x, asked)
            let output = configuration.prediction.target(
                data: estimate.data, noise: estimate.noise, alpha: Tensor(asked.alpha),
                sigma: Tensor(asked.sigma))
            return configuration.prediction.estimate(output, sample: x, at: level)
        }
    }

    private func inversionGrid(_ configuration: SchedulerConfiguration, _ fixture: Fixture) throws -> StepGrid
    {
        let steps: Int = try fixture.case.required("steps")
        let times = try fixture.tensor("timesteps").array(of: Int.self)
        let schedule = configuration.schedule
        let levels = times.map { time in
            let before = min(time - configuration.trainSteps / steps, configuration.trainSteps - 1)
            let clean = configuration.endsAtData ? NoiseLevel.data : schedule.level(at: 0)
            return (
                before >= 0 ? schedule.level(at: Double(before)) : clean, schedule.level(at: Double(time))
            )
        }
        return StepGrid(steps: levels.reversed().map { StepGrid.Step(from: $0.1, to: $0.0) }).inverted()
    }

    /// The sampler turned round passes through the same levels, but for a first one at which the network's output gives
    /// no noise.
    private func expectInverted(
        _ configuration: SchedulerConfiguration, _ fixture: Fixture, _ grid: StepGrid
    ) throws {
        let sampler = try configuration.sampler(steps: fixture.case.required("steps"))
        let inverted = try sampler.inverted(configuration.process.parameterization).grid
        let isWhole = configuration.prediction != .data || !configuration.endsAtData
        let expected = grid.steps.dropFirst(isWhole ? 0 : 1)
        #expect(inverted.steps.map(\.from) == expected.map(\.from), "\(fixture.name)")
        #expect(inverted.steps.map(\.to) == expected.map(\.to), "\(fixture.name)")
    }

    private func thresholded(
        _ denoiser: Denoiser, _ configuration: SchedulerConfiguration, _ recomputing: Bool
    ) -> Denoiser {
        // Where nothing is cut off, the noise that the data imply is the noise itself.
        configuration.thresholding.map { denoiser.thresholded($0, recomputingNoise: recomputing) } ?? denoiser
    }

    /// One step with the given noise instead of drawn noise.
    private func step(
        _ x: Tensor, _ step: StepGrid.Step, _ fixture: Fixture, _ configuration: SchedulerConfiguration,
        _ denoiser: Denoiser, fresh: Tensor
    ) throws -> (sample: Tensor, data: Tensor) {
        let recomputing: Bool = try fixture.case.optional("use_clipped_model_output") ?? false
        let whole = thresholded(denoiser, configuration, recomputing)
        let data = whole(x, step.from).data
        if configuration.kind == .ddpm {
            return (
                replayed(x, step, DDPMSolver(variance: configuration.variance ?? .fixedSmall), whole, fresh),
                data
            )
        }
        return (replayed(x, step, DDIMSolver(eta: try fixture.case.required("eta")), whole, fresh), data)
    }

    /// A step is linear in its noise: the drawn noise is taken out and the given one put in.
    private func replayed<Method: Solver>(
        _ x: Tensor, _ step: StepGrid.Step, _ method: Method, _ denoiser: Denoiser, _ fresh: Tensor
    ) -> Tensor {
        let count = x.shape[0]
        func source(_ seed: UInt64) -> NoiseSource {
            NoiseSource(seed: seed, count: count, elementType: .float64)
        }
        func result(_ seed: UInt64) -> Tensor {
            var memory = method.start()
            return method.step(x, step, &memory, denoiser: denoiser, noise: source(seed)).sample
        }
        let shape = Shape(x.shape.dropFirst().map { $0 })
        let (first, second) = (source(1).draw(shape), source(2).draw(shape))
        let (a, b) = (result(1), result(2))
        let deviation = (a - b) / (first - second)
        return a + deviation * (fresh - first)
    }
}
