import Diffusers
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// What diffusers answers with an exception or with NaN is an error in one sentence that names the flag.
@Suite struct SchedulerRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kind: SchedulerClass
        var steps = 5
        var options = SamplerOptions()
        var change: @Sendable (inout SchedulerConfiguration) -> Void = { _ in }
    }

    static let cases: [Case] = [
        Case(testDescription: "fixed_large_log", kind: .ddpm) { $0.variance = .fixedLargeLog },
        Case(testDescription: "variance_type 'fixed_large'", kind: .unCLIP) { $0.variance = .fixedLarge },
        Case(testDescription: "'v_prediction'", kind: .unCLIP) { $0.prediction = .velocity },
        Case(testDescription: "beta_schedule 'linear'", kind: .unCLIP) { $0.betaSchedule = .linear },
        Case(testDescription: "1 step", kind: .unCLIP, steps: 1),
        Case(testDescription: "1000", kind: .ddpm, steps: 1001),
        Case(testDescription: "steps_offset", kind: .ddim) { $0.stepsOffset = 900 },
        Case(testDescription: "'linspace'", kind: .ddimInverse) { $0.spacing = .linspace },
        Case(testDescription: "skip_prk_steps", kind: .pndm, steps: 3),
        Case(testDescription: "'sample'", kind: .pndm) { $0.prediction = .data },
        Case(testDescription: "original_inference_steps", kind: .lcm, steps: 51),
        Case(testDescription: "original_inference_steps", kind: .tcd) { $0.originalSteps = 1001 },
        Case(testDescription: "η", kind: .tcd, options: eta(1.5)),
        Case(testDescription: "η", kind: .ddim, options: eta(-0.1)),
        Case(testDescription: "use_dynamic_shifting", kind: .flowEuler) { $0.usesDynamicShift = true },
        Case(testDescription: "shift_terminal", kind: .flowEuler, steps: 1) { $0.terminalShift = 0.1 },
        Case(testDescription: "scale_factors", kind: .flowLCM) { $0.scaleFactors = [1, 2] },
        Case(testDescription: "sigma_min", kind: .scoreSDEVarianceExploding) { $0.sigmaMinimum = 2000 },
        Case(testDescription: "steps is 0", kind: .ipndm, steps: 0),
    ]

    private static func eta(_ eta: Double) -> SamplerOptions {
        var options = SamplerOptions()
        options.eta = eta
        return options
    }

    @Test(arguments: cases) func isRefusedInOneSentence(_ refused: Case) throws {
        var configuration = SchedulerConfiguration(refused.kind)
        refused.change(&configuration)
        let error = #expect(throws: DiffusionError.self) {
            try configuration.sampler(steps: refused.steps, options: refused.options)
        }
        #expect(
            try #require(error).description.contains(refused.testDescription), "\(String(describing: error))")
    }

    /// A start in the middle leaves out steps, and what is undefined in them alone is not refused.
    @Test(arguments: [
        (SchedulerClass.uniPC, 4, true), (.uniPC, 3, false), (.dpmSolverMultistep, 3, true),
        (.dpmSolverMultistep, 1, false), (.deis, 14, true), (.deis, 0, false),
    ])
    func onlyStepsThatAreTakenCount(kind: SchedulerClass, skipped: Int, isTaken: Bool) throws {
        var (configuration, options) = (SchedulerConfiguration(kind), SamplerOptions())
        options.skippedSteps = skipped
        var steps = 5
        if kind == .uniPC {
            // A corrector of the second order has nothing to divide by where a step ends at the data.
            (configuration.finalSigma, configuration.lowersOrderAtEnd) = (.zero, false)
        } else if kind == .dpmSolverMultistep {
            // diffusers has no third order of this algorithm.
            (configuration.algorithm, configuration.solverOrder) = (.stochasticDPMSolver, 3)
            (configuration.finalSigma, configuration.lowersOrderAtEnd) = (.sigmaMinimum, false)
        } else {
            // More steps than times: some begin at one level.
            (configuration.trainSteps, steps) = (10, 15)
            configuration.spacing = .trailing
        }
        guard isTaken else {
            _ = #expect(throws: DiffusionError.self) {
                try configuration.sampler(steps: steps, options: options)
            }
            return
        }
        let sampler = try configuration.sampler(steps: steps, options: options)
        let source = NoiseSource(seed: 1, count: 2, elementType: .float64)
        let taken = Array(
            sampler.sampling(source.draw([3]), denoiser: OneDimensional().denoiser, source: source))
        #expect(taken.count == sampler.grid.steps.count && taken.count <= steps - skipped)
        #expect(try taken[taken.count - 1].sample.isFinite().all().item(Bool.self))
    }

    /// A grid that the class has no flag for has the steps of the middle, too.
    @Test(arguments: [Method.ddim, .plms, .lms, .dpmPlusPlus2M, .heun])
    func anotherGridIsBegunInTheMiddle(method: Method) throws {
        let configuration = SchedulerConfiguration(.ddim)
        let own = Grid.allCases.first { name in
            configuration.configured(for: method, grid: name).gridName != name
                && (try? configuration.sampler(method, steps: 8, grid: name)) != nil
        }
        let grid = try #require(own)
        var options = SamplerOptions()
        options.skippedSteps = 5
        let whole = try configuration.sampler(method, steps: 8, grid: grid)
        let rest = try configuration.sampler(method, steps: 8, grid: grid, options: options)
        #expect(rest.grid.steps == Array(whole.grid.steps.suffix(3)), "\(method.name), \(grid.name)")
    }

    /// Noise says nothing of the data where no signal is left, nor data of the noise where there is none: no class
    /// asks there, unless it cuts the data off.
    @Test(arguments: [
        (SchedulerClass.ddim, Prediction.noise, true), (.ddpm, .noise, true), (.lcm, .noise, true),
        (.tcd, .noise, true), (.pndm, .noise, false), (.ddimInverse, .data, true),
    ])
    func aPredictionThatSaysNothingIsRefused(kind: SchedulerClass, prediction: Prediction, refuses: Bool)
        throws
    {
        var configuration = SchedulerConfiguration(kind)
        (configuration.zeroTerminalSNR, configuration.clipsData) = (true, false)
        if kind == .ddim || kind == .ddpm { configuration.spacing = .trailing }
        configuration.prediction = prediction
        let sampler = try configuration.sampler(steps: 5)
        if refuses {
            let error = #expect(throws: DiffusionError.self) { try sampler.check(prediction) }
            #expect(try #require(error).description.contains("predicted \(prediction.word) says nothing of"))
        } else {
            try sampler.check(prediction)
        }
        try sampler.check(Prediction.velocity)
        guard prediction == .noise, kind != .tcd else { return }
        configuration.clipsData = true
        let cutting = try configuration.sampler(steps: 5)
        try cutting.check(Prediction.noise)
        if refuses {
            #expect(throws: DiffusionError.self) { try cutting.check(Prediction.noise, isExact: true) }
        }
    }

    /// The same classes without the flag are sampled, so that it is the flag that is refused.
    @Test(arguments: [
        SchedulerClass.ddpm, .unCLIP, .ddim, .ddimInverse, .pndm, .lcm, .tcd, .ipndm, .flowEuler, .flowHeun,
        .flowLCM,
        .scoreSDEVarianceExploding,
    ])
    func theDefaultsAreSampled(kind: SchedulerClass) throws {
        let sampler = try SchedulerConfiguration(kind).sampler(steps: 5)
        let source = NoiseSource(seed: 1, count: 2, elementType: .float64)
        let steps = Array(
            sampler.sampling(source.draw([3]), denoiser: OneDimensional().denoiser, source: source))
        #expect(steps.count == 5)
        #expect(try steps[4].sample.isFinite().all().item(Bool.self))
    }

    /// Where the last time carries no signal, every method begins with noise alone and stays finite.
    @Test(arguments: [
        Method.ddpm, .ddim, .lcm, .tcd, .plms, .ipndm, .flowHeun, .rk45, .eulerMaruyama,
        .predictorCorrector,
    ])
    func methodsBeginWithoutSignal(name: Method) throws {
        var configuration = SchedulerConfiguration(.ddim)
        (configuration.zeroTerminalSNR, configuration.spacing) = (true, .trailing)
        configuration.prediction = .velocity
        let data = OneDimensional()
        for grid in [try configuration.grid(steps: 100), StraightSchedule().evenGrid(100, from: 1, to: 0)] {
            #expect(grid.steps[0].from.alpha == 0)
            let start = RandomGenerator(seed: 18).normal([1, 4000], .float64)
            let found = data.end(of: start, grid, try name.solver(on: grid))
            // A consistency model would have to be one: the mean alone says that nothing was lost.
            #expect(abs(try found.mean().item() - data.means[0]) < 0.05, "\(name)")
        }
    }

    @Test func theShiftOfManyTokensIsOnTheLine() {
        let configuration = SchedulerConfiguration(.flowEuler)
        #expect(abs(configuration.shiftExponent(tokens: 256) - 0.5) < 1e-15)
        #expect(abs(configuration.shiftExponent(tokens: 4096) - 1.15) < 1e-15)
        #expect(abs(configuration.shiftExponent(tokens: 2176) - 0.825) < 1e-15)
    }
}
