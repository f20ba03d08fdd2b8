import Diffusers
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// The kinds of processes of recipes and files.
@Suite struct ProcessDescriptionTests {
    /// What a network of a process is given for a sample at a time of its schedule.
    private func seen(_ process: Diffusion.Process, _ data: Tensor, _ noise: Tensor, at time: Double) throws
        -> (
            input: Tensor, time: Double, level: NoiseLevel
        )
    {
        let level = process.schedule.level(at: time)
        var found: (input: Tensor, time: Tensor)?
        let denoiser = Denoiser(process.parameterization) { input, time in
            found = (input, time)
            return input
        }
        _ = denoiser(data * level.alpha + noise * level.sigma, level)
        return (found!.input, try found!.time.item(Double.self), level)
    }

    /// Networks of EDM's and the variance-exploding process take samples of unit variance, whatever they predict.
    @Test(arguments: ["edm", "ve"], ProcessKind.predictions)
    func inputsOfExplodingProcessesHaveUnitVariance(kind: String, prediction: String) throws {
        let parts = whitened(500, 2, seed: 3).chunked(2, of: 1)
        let process = try ProcessDescription(kind, prediction: prediction).process
        let (input, time, level) = try seen(process, parts[0] * 0.5, parts[1], at: 0.6)
        #expect(abs(try input.squared().mean().item(Double.self) - 1) < 1e-12)
        #expect(level.alpha == 1 && abs(time - log(level.sigma) / 4) < 1e-7)
    }

    /// On every other process samples are handed over as they are.
    @Test(arguments: [
        ("betas", 1.0, 700.0), ("vp-sde", 999, 0.3), ("sub-vp-sde", 999, 0.3), ("flow", 1000, 0.3),
        ("cosine", 1000, 0.3),
    ])
    func otherSamplesAreHandedOverAsTheyAre(kind: String, factor: Double, time: Double) throws {
        let process = try ProcessDescription(kind).predicting(nil).process
        let data = RandomGenerator(seed: 1).normal([2, 3], .float64)
        let noise = RandomGenerator(seed: 2).normal([2, 3], .float64)
        let (input, given, level) = try seen(process, data, noise, at: time)
        let x = data * level.alpha + noise * level.sigma
        #expect(try input.array(of: Double.self) == x.array(of: Double.self))
        #expect(abs(given - factor * time) < 1e-4)
    }

    /// v is α·ε − σ·x₀ in the process's own scaling.
    @Test(arguments: ["edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine"])
    func velocityIsMeantInTheProcessesOwnScaling(kind: String) throws {
        let process = try ProcessDescription(kind, prediction: "v").process
        let data = RandomGenerator(seed: 1).normal([2, 3], .float64)
        let noise = RandomGenerator(seed: 2).normal([2, 3], .float64)
        let level = process.schedule.level(at: 0.3)
        let denoiser = Denoiser(process.parameterization) { _, _ in noise * level.alpha - data * level.sigma }
        let estimate = denoiser(data * level.alpha + noise * level.sigma, level)
        expectClose(estimate.data, data, absolute: 1e-12)
        expectClose(estimate.noise, noise, absolute: 1e-12)
    }

    /// A network that predicts exactly what is right samples as the exact model does, by every prediction.
    @Test(arguments: ["edm", "vp-sde", "sub-vp-sde", "ve", "cosine", "betas"], ProcessKind.predictions)
    func perfectNetworksSampleExactly(kind: String, prediction: String) throws {
        let mixture = GaussianMixture(
            weights: Tensor([0.5, 0.5]), means: Tensor([0.8, -0.2, -0.5, 0.3], shape: [2, 2]),
            covariances: Tensor([0.1, 0, 0, 0.1, 0.2, 0, 0, 0.1], shape: [2, 2, 2]))
        let process = try ProcessDescription(kind, prediction: prediction).process
        let sampler = try process.sampling.sampler(.ddim, steps: 8, grid: nil, options: SamplerOptions())
        let start = RandomGenerator(seed: 5).normal([3, 2], .float64)
        func end(_ denoiser: Denoiser) -> Tensor {
            let source = NoiseSource(seed: 0, count: 3, elementType: .float64)
            var last = start
            for step in sampler.sampling(start, denoiser: denoiser, source: source) { last = step.sample }
            return last
        }
        // The network finds its level by the order in which it is called, and inverts what it is handed.
        var calls = sampler.grid.steps.map(\.from).makeIterator()
        let parameterization = process.parameterization
        let network = Denoiser(parameterization) { input, _ in
            let level = calls.next()!
            let scale = parameterization.scaling.scale(of: level)
            let own = level.divided(by: scale)
            let estimate = mixture.estimate(input / parameterization.input(own), at: own)
            return parameterization.output.target(
                data: estimate.data, noise: estimate.noise, alpha: Tensor([own.alpha]),
                sigma: Tensor([own.sigma]))
        }
        expectClose(end(network), end(mixture.denoiser(.velocity)), absolute: 1e-7)
    }

    @Test func whatIsWrittenReadsBackWithItsPrediction() throws {
        for kind in ProcessKind.all {
            let process = try ProcessDescription(kind.word).predicting(nil)
            let text = String(decoding: try JSONEncoder().encode(process), as: UTF8.self)
            let read = try JSONDecoder().decode(StoredProcess.self, from: Data(text.utf8))
            #expect(read == .described(process) && read.process.stored == read)
            #expect(text.contains("\"prediction\":\"\(kind.prediction)\""))
        }
    }

    @Test(
        arguments: [
            ("flow", [:], "noise", "flow"), ("flow", [:], "score", "data, v, flow, edm"),
            ("betas", ["zero_terminal_snr": .flag(true)], "noise", "zero_terminal_snr"),
            ("betas", ["schedule": .word("linar")], "noise", "linear"),
            ("betas", ["train_steps": .number(1.5)], "v", "train_steps"),
            ("betas", ["beta_start": .number(0.5)], "v", "beta_end"),
            ("cosine", ["shift": .number(1)], "v", "shift"),
            ("ve", ["sigma_data": .number(0)], "v", "sigma_data"),
            ("edm", ["rho": .word("7")], "edm", "'rho'"), ("edm", [:], "nose", "noise"),
        ] as [(String, [String: ProcessValue], String, String)])
    func whatHasNoMeaningIsRefused(
        kind: String, values: [String: ProcessValue], prediction: String, words: String
    ) {
        #expect { try ProcessDescription(kind, values, prediction: prediction) } throws: {
            "\($0)".contains(words)
        }
    }

    /// A table of β is one of diffusers' classes, but for predictions that diffusers has no word for.
    @Test func tablesOfBetasAreKeptAsDiffusersHasThem() throws {
        let values: [String: ProcessValue] = [
            "schedule": .word("squaredcos_cap_v2"), "train_steps": .number(400),
            "zero_terminal_snr": .flag(true),
        ]
        let description = try ProcessDescription("betas", values, prediction: "v")
        var expected = SchedulerConfiguration(.ddpm)
        (expected.trainSteps, expected.betaSchedule, expected.prediction) = (400, .cosine, .velocity)
        (expected.zeroTerminalSNR, expected.spacing, expected.clipsData) = (true, .trailing, false)
        let stored = StoredProcess(trainedOn: description, sampledBy: .ddim)
        #expect(stored == .scheduler(expected))
        #expect(stored.process.schedule as? DiscreteSchedule == description.schedule as? DiscreteSchedule)
        let score = try ProcessDescription("betas", prediction: "score")
        #expect(StoredProcess(trainedOn: score) == .described(score))
    }
}

/// The cosine path between two log-SNR.
@Suite struct CosineScheduleTests {
    @Test func logSNRStaysWithinItsLimits() {
        let schedule = CosineSchedule(limit: 15)
        #expect(abs(schedule.level(at: 0).logSNR - 15) < 1e-9)
        #expect(abs(schedule.level(at: 1).logSNR + 15) < 1e-9)
        #expect(abs(schedule.level(at: 0.5).logSNR) < 1e-12)
        for time in [0.01, 0.3, 0.77] {
            let (level, step) = (schedule.level(at: time), 1e-6)
            #expect(abs(level.alpha * level.alpha + level.sigma * level.sigma - 1) < 1e-15)
            #expect(abs(schedule.time(logSNR: level.logSNR) - time) < 1e-12)
            let (before, after) = (schedule.level(at: time - step), schedule.level(at: time + step))
            let rates = schedule.rates(at: time)
            #expect(abs(rates.alpha - (after.alpha - before.alpha) / (2 * step)) < 1e-8)
            #expect(abs(rates.sigma - (after.sigma - before.sigma) / (2 * step)) < 1e-8)
        }
    }
}

/// Rows of methods and grids.
@Suite struct MethodTests {
    @Test func namesAreDistinctAndFindTheirRows() {
        #expect(Set(Method.allCases.map(\.name)).count == Method.allCases.count)
        #expect(Set(Grid.allCases.map(\.name)).count == Grid.allCases.count)
        for method in Method.allCases { #expect(Method(rawValue: method.name) == method) }
        #expect(Method(rawValue: "eular") == nil && Grid(rawValue: "karas") == nil)
    }

    private static func given(_ option: SamplerOption) -> SamplerOptions {
        var options = SamplerOptions()
        switch option {
        case .eta: options.eta = 0.5
        case .churn: options.churn = 3
        case .churnRange: options.churnRange = 0.5...2
        case .churnNoise: options.churnNoise = 1.1
        case .signalToNoise: options.signalToNoise = 0.05
        case .langevinSteps: options.langevinSteps = 2
        case .langevinStepSize: options.langevinStepSize = 0.05
        case .relativeTolerance: options.relativeTolerance = 1e-9
        case .absoluteTolerance: options.absoluteTolerance = 1e-9
        }
        return options
    }

    /// An option that a method reads changes what it does; one that it does not read is refused by its name, on
    /// processes of a kind and on diffusers' classes.
    @Test(arguments: Method.allCases.filter { !$0.isOfBits })
    func optionsActOrAreRefused(method: Method) throws {
        let mixture = GaussianMixture(
            weights: Tensor([1.0]), means: Tensor([0.4, 0.1], shape: [1, 2]),
            covariances: Tensor([0.3, 0, 0, 0.2], shape: [1, 2, 2]))
        let process = try ProcessDescription("edm", ["sigma_min": .number(0.1), "sigma_max": .number(5)])
        func end(_ options: SamplerOptions) throws -> [Double] {
            let sampler = try process.sampler(
                method, steps: method.convergence == .adaptive ? 2 : 7, options: options)
            let source = NoiseSource(seed: 1, count: 2, elementType: .float64)
            var last = Tensor.zeros([])
            let start = RandomGenerator(seed: 5).normal([2, 2], .float64)
            for step in sampler.sampling(start, denoiser: mixture.denoiser(.data), source: source) {
                last = step.sample
            }
            return try last.array(of: Double.self)
        }
        for option in SamplerOption.allCases {
            var options = Self.given(option)
            if method.reads.contains(option) {
                var plain = SamplerOptions()
                if option == .churnRange || option == .churnNoise { (plain.churn, options.churn) = (3, 3) }
                #expect(try end(options) != end(plain), "\(method.name) reads \(option.rawValue)")
            } else {
                #expect { try end(options) } throws: { ($0 as? DiffusionError)?.field == option.rawValue }
                #expect {
                    try SchedulerConfiguration(.ddim).sampler(method, steps: 7, options: options)
                } throws: {
                    ($0 as? DiffusionError)?.field == option.rawValue
                }
            }
        }
    }
}
