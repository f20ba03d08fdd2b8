import Diffusers
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Continuous schedules as files name them, and the grids that they are sampled on.
@Suite struct ContinuousProcessTests {
    private func read(_ text: String) throws -> StoredProcess {
        try JSONDecoder().decode(StoredProcess.self, from: Data(text.utf8))
    }

    private func grid(_ text: String, _ steps: Int, _ name: Grid? = nil) throws -> StepGrid {
        try read(text).sampler(.euler, steps: steps, grid: name).grid
    }

    @Test func theGridsOfTheContract() throws {
        let edm = try grid("{\"kind\": \"edm\", \"sigma_min\": 0.01, \"sigma_max\": 50, \"rho\": 5}", 4)
        let karras = (0..<4).map { index in
            pow(pow(50, 0.2) + Double(index) / 3 * (pow(0.01, 0.2) - pow(50, 0.2)), 5)
        }
        expectClose(edm.steps.map(\.from.sigma), karras, relative: 1e-12)
        #expect(edm.steps.allSatisfy { $0.from.alpha == 1 })
        let ve = try grid("{\"kind\": \"ve\", \"sigma_min\": 0.1, \"sigma_max\": 10}", 3)
        expectClose(ve.steps.map(\.from.sigma), [10, 1, 0.1], relative: 1e-12)
        expectClose([edm.startScale, ve.startScale], [50, 10], relative: 1e-14)
        let vp = try grid("{\"kind\": \"vp-sde\"}", 3)
        expectClose(vp.steps.map { $0.from.time! }, [1, 0.5005, 1e-3], relative: 1e-12)
        expectClose(
            vp.steps.map { pow($0.from.alpha, 2) + pow($0.from.sigma, 2) }, [1, 1, 1], relative: 1e-14)
        #expect(vp.startScale == 1)
        let flow = try grid("{\"kind\": \"flow\", \"shift\": 3}", 4)
        expectClose(flow.steps.map(\.from.sigma), [1, 0.9, 0.75, 0.5], relative: 1e-14)
        #expect(flow.steps[0].from.alpha == 0 && flow.startScale == 1)
        for grid in [edm, ve, vp, flow] {
            let end = grid.steps[grid.steps.count - 1].to
            #expect(end.sigma == 0 && end.alpha == 1)
            #expect(zip(grid.steps, grid.steps.dropFirst()).allSatisfy { $0.to == $1.from })
        }
    }

    @Test func otherGridsAreTakenByName() throws {
        let text = "{\"kind\": \"edm\", \"sigma_min\": 0.1, \"sigma_max\": 10}"
        expectClose(
            try grid(text, 3, .exponential).steps.map(\.from.sigma), [10, 1, 0.1], relative: 1e-12)
        let schedule = VariancePreservingSchedule()
        let ends = [1, 1e-3].map { schedule.level(at: $0).noiseRatio }
        expectClose(
            try grid("{\"kind\": \"vp-sde\"}", 5, .karras).steps.map(\.from.noiseRatio),
            karrasSigmas(count: 5, from: ends[0], to: ends[1]), relative: 1e-11)
        #expect(throws: DiffusionError.self) { try grid("{\"kind\": \"flow\"}", 4, .karras) }
        #expect(throws: DiffusionError.self) { try grid(text, 4, .leading) }
        #expect(throws: DiffusionError.self) { try grid(text, 0) }
    }

    @Test func whatIsWrittenReadsBack() throws {
        for text in ["edm", "vp-sde", "ve", "flow"].map({ "{\"kind\": \"\($0)\"}" }) {
            let process = try read(text)
            let written = String(decoding: try JSONEncoder().encode(process), as: UTF8.self)
            #expect(try read(written) == process)
        }
        #expect(try read("{\"_class_name\": \"DDIMScheduler\"}") == .scheduler(SchedulerConfiguration(.ddim)))
    }

    @Test(arguments: [
        ("{\"kind\": \"edn\"}", "'edm'"), ("{\"kind\": 3}", "'kind'"), ("{}", "_class_name"),
        ("{\"kind\": \"edm\", \"sigma_mim\": 1}", "'sigma_min'"),
        ("{\"kind\": \"edm\", \"sigma_min\": \"x\"}", "'sigma_min'"),
        ("{\"kind\": \"edm\", \"sigma_min\": 90}", "sigma_max"),
        ("{\"kind\": \"edm\", \"rho\": 0}", "rho"), ("{\"kind\": \"flow\", \"shift\": -1}", "shift"),
        ("{\"kind\": \"vp-sde\", \"beta_min\": 0}", "beta_min"),
        ("{\"kind\": \"ve\", \"beta_min\": 0.1}", "\"beta_min\""),
    ])
    func whatWillNotDoIsRefused(text: String, words: String) {
        #expect { try read(text) } throws: { "\($0)".contains(words) }
    }

    /// The probability flow of one Gaussian maps quantiles to quantiles, whatever the path.
    @Test(arguments: ["edm", "vp-sde", "ve", "flow"])
    func samplesArriveWhereTheFlowLeads(kind: String) throws {
        let mixture = GaussianMixture(
            weights: Tensor([1.0]), means: Tensor([0.5, -0.2], shape: [1, 2]),
            covariances: Tensor([0.3, 0.0, 0.0, 0.3], shape: [1, 2, 2]))
        let sampler = try read("{\"kind\": \"\(kind)\"}").sampler(.ddim, steps: 400)
        let noise = RandomGenerator(seed: 6).normal([3, 2], .float64)
        let first = sampler.grid.steps[0].from
        let spread = (first.alpha * first.alpha * 0.3 + first.sigma * first.sigma).squareRoot()
        let mean = Tensor([0.5, -0.2])
        let exact =
            (noise * sampler.grid.startScale - mean * first.alpha) * (0.3.squareRoot() / spread) + mean
        var sample = noise
        let source = NoiseSource(seed: 0, count: 3, elementType: .float64)
        for step in sampler.sampling(noise, denoiser: mixture.denoiser(.velocity), source: source) {
            sample = step.sample
        }
        expectClose(sample, exact, absolute: 0.02)
    }
}

/// `--grid` over diffusers' classes.
@Suite struct GridNameTests {
    private func flags(_ kind: SchedulerClass, _ name: Method?, _ grid: Grid) -> SchedulerConfiguration {
        SchedulerConfiguration(kind).configured(for: name, grid: grid)
    }

    @Test func namesSetFlagsWhereTheClassHasThem() {
        #expect(flags(.ddim, nil, .trailing).spacing == .trailing)
        #expect(flags(.ddpm, .euler, .leading).spacing == .leading)
        #expect(flags(.ddim, .dpmPlusPlus2M, .karras).usesKarrasSigmas)
        #expect(flags(.ddim, .heun, .exponential).usesExponentialSigmas)
        #expect(flags(.ddim, .unipc, .beta).usesBetaSigmas)
        #expect(flags(.edmEuler, nil, .exponential).sigmaSpacing == .exponential)
        for grid in [Grid.leading, .trailing, .linspace] {
            #expect(flags(.ddim, nil, grid).gridName == grid)
        }
    }

    /// DDIM knows no Karras grid: the σ take the place of its own, in its own scaling.
    @Test func otherGridsTakeThePlaceOfTheClassesOwn() throws {
        let configuration = SchedulerConfiguration(.ddim)
        let schedule = configuration.schedule
        let grid = try configuration.sampler(nil, steps: 6, grid: .karras).grid
        let ends = [schedule.level(at: 999), schedule.level(at: 0)].map(\.noiseRatio)
        let sigmas = karrasSigmas(count: 6, from: ends[0], to: ends[1])
        expectClose(grid.steps.map(\.from.noiseRatio), sigmas, relative: 1e-12)
        expectClose(
            grid.steps.map { pow($0.from.alpha, 2) + pow($0.from.sigma, 2) }, Array(repeating: 1, count: 6),
            relative: 1e-14)
        #expect(grid.startScale == 1 && grid.steps[5].to.sigma == 0)
        expectClose([grid.steps[0].from.time!, grid.steps[5].from.time!], [999, 0], absolute: 1e-9)
        for other in [Grid.polyexponential, .sgmUniform, .alignedSteps] {
            #expect(try configuration.sampler(nil, steps: 6, grid: other).grid.steps.count == 6)
        }
        #expect(throws: DiffusionError.self) { try configuration.sampler(nil, steps: 6, grid: .shifted) }
        var zero = configuration
        zero.zeroTerminalSNR = true
        #expect(throws: DiffusionError.self) { try zero.sampler(nil, steps: 6, grid: .karras) }
    }
}
