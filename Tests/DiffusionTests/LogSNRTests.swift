import Diffusers
import Diffusion
import Foundation
import Tensors
import Testing

/// Grids, ends, refusals and inversion of the methods in log-SNR.
@Suite struct LogSNRTests {
    private let mixture = GaussianMixture(
        weights: Tensor([0.4, 0.6]), means: Tensor([1.0, -0.5, -0.7, 0.8]).reshaped([2, 2]),
        covariances: Tensor([0.3, 0.1, 0.1, 0.2, 0.25, -0.05, -0.05, 0.4]).reshaped([2, 2, 2]))
    private let start = RandomGenerator(seed: 7).normal([6, 2], .float64)
    private let names: [Method] = [
        .dpmPlusPlus2M, .dpmSingle, .dpmPlusPlusSingle, .unipc, .deis, .stochasticAdams,
    ]

    private func end(_ x: Tensor, _ grid: StepGrid, _ solver: any Solver) -> Tensor {
        let noise = NoiseSource(seed: 3, count: x.shape[0], elementType: .float64)
        var last = x
        for progress in solver.sampling(x, through: grid, denoiser: mixture.denoiser(), noise: noise) {
            last = progress.sample
        }
        return last
    }

    /// DPM-Solver++(2M) as its authors state it for α = 1: algorithm 2 with λ = −ln σ.
    @Test func secondOrderMultistepIsAlgorithmTwo() throws {
        let sigmas =
            (0...12).map { pow(80, 1 / 7.0) + Double($0) / 12 * (pow(0.002, 1 / 7.0) - pow(80, 1 / 7.0)) }
            .map { pow($0, 7) } + [0]
        let grid = StepGrid(through: sigmas.map { NoiseLevel(alpha: 1, sigma: $0) })
        var x = start * 80
        var before: Tensor?
        for (index, sigma) in sigmas.dropLast().enumerated() {
            let next = sigmas[index + 1]
            let data = mixture.estimate(x, at: NoiseLevel(alpha: 1, sigma: sigma)).data
            var combined = data
            if let before, next > 0 {
                let r = log(sigmas[index - 1] / sigma) / log(sigma / next)
                combined = data * (1 + 1 / (2 * r)) - before * (1 / (2 * r))
            }
            x = x * (next / sigma) + combined * (1 - next / sigma)
            before = data
        }
        let found = end(start * 80, grid, try Method.dpmPlusPlus2M.solver(on: grid))
        #expect(try (found - x).norm().item() < 1e-12)
    }

    /// From pure noise to pure data on a straight path: every step is finite, the first is DDIM's, and more
    /// steps come nearer to the flow.
    @Test func bothEndsAreLevelsLikeOthers() throws {
        func grid(_ steps: Int) -> StepGrid {
            StepGrid(
                through: (0...steps).map { index in
                    let time = 1 - Double(index) / Double(steps)
                    return NoiseLevel(time: time, alpha: 1 - time, sigma: time)
                })
        }
        let exact = end(start, grid(1500), UniPCSolver(lowersOrderAtEnd: true))
        for name in names where name != .stochasticAdams {
            let solver = try name.solver(on: grid(10))
            let one = StepGrid(through: [grid(10).steps[0].from, grid(10).steps[0].to])
            #expect(try (end(start, one, solver) - end(start, one, DDIMSolver())).norm().item() < 1e-14)
            let errors = try [16, 64].map {
                try (end(start, grid($0), solver) - exact).norm().item() as Double
            }
            #expect(errors[1] < errors[0] / 6 && errors[1] < 0.02, "\(name.rawValue): \(errors)")
        }
        for name in names {
            let found = end(start, grid(20), try name.solver(on: grid(20)))
            #expect(try found.isFinite().all().item() != 0.0, "\(name.rawValue)")
        }
    }

    /// Stochastic methods keep the mean and variance of Gaussian data.
    @Test func stochasticMethodsKeepTheMoments() throws {
        let data = GaussianMixture(
            weights: Tensor([1.0]), means: Tensor([0.7]).reshaped([1, 1]),
            covariances: Tensor([0.16]).reshaped([1, 1, 1]))
        let levels = (0...150).map { index -> NoiseLevel in
            let ratio = exp(4 - 9 * Double(index) / 150)
            let alpha = 1 / (1 + ratio * ratio).squareRoot()
            return NoiseLevel(alpha: alpha, sigma: alpha * ratio)
        }
        let grid = StepGrid(through: levels + [.data])
        let count = 20_000
        let solvers: [any Solver] = [
            DPMSolverMultistep(isStochastic: true), DPMSolverMultistep(variant: .heun, isStochastic: true),
            DPMSolverMultistep(order: 3, isStochastic: true),
            StochasticAdamsSolver(predictorOrder: 3, correctorOrder: 3) { _ in 1 },
            StochasticAdamsSolver(integrand: .noise) { $0.sigma == 0 ? 0 : 0.5 },
        ]
        for solver in solvers {
            let noise = NoiseSource(seed: 5, count: 1, elementType: .float64)
            // One picture of many pixels: each is a sample of its own.
            let wide = Denoiser { x, level in
                let estimate = data.estimate(x.reshaped([count, 1]), at: level)
                return Estimate(
                    data: estimate.data.reshaped([1, count]), noise: estimate.noise.reshaped([1, count]))
            }
            var x = noise.draw([count])
            for progress in solver.sampling(x, through: grid, denoiser: wide, noise: noise) {
                x = progress.sample
            }
            let (mean, variance): (Double, Double) = (try x.mean().item(), try x.variance().item())
            // Four standard errors, and the steps' own bias.
            #expect(abs(mean - 0.7) < 4 * 0.4 / Double(count).squareRoot() + 0.004, "\(solver): \(mean)")
            #expect(
                abs(variance / 0.16 - 1) < 4 * (2 / Double(count)).squareRoot() + 0.02,
                "\(solver): \(variance)")
        }
    }

    @Test func timesAreRoundedHalfToEven() throws {
        let sampler = try SchedulerConfiguration(.dpmSolverMultistep).sampler(steps: 10)
        #expect(
            sampler.grid.steps.map { $0.from.time ?? -1 } == [
                999, 899, 799, 699, 599, 500, 400, 300, 200, 100,
            ])
        #expect(sampler.grid.steps[9].to == .data)
    }

    @Test func objectsOfAProgramAreNotInFiles() throws {
        func read(_ value: String) throws -> SchedulerConfiguration {
            let file = #"{"_class_name": "UniPCMultistepScheduler", "solver_p": \#(value)}"#
            return try JSONDecoder().decode(SchedulerConfiguration.self, from: Data(file.utf8))
        }
        #expect(try read("null") == SchedulerConfiguration(.uniPC))
        #expect(throws: DiffusionError.self) { try read("{}") }
    }

    /// A last step of no length, where some classes of diffusers divide by it, leaves the sample as it is.
    @Test func aStepOfNoLengthChangesNothing() throws {
        let levels = [2.0, 1.0, 0.5, 0.2, 0.2].map { NoiseLevel(alpha: 1, sigma: $0) }
        let solvers: [any Solver] = [
            DPMSolverMultistep(order: 3), DEISSolver(order: 3),
            DPMSolverMultistep(integrand: .noise, variant: .heun, isStochastic: true),
        ]
        for solver in solvers {
            let states = solver.sampling(
                start * 2, through: StepGrid(through: levels), denoiser: mixture.denoiser(),
                noise: NoiseSource(seed: 3, count: 6, elementType: .float64)
            ).map(\.sample)
            #expect(try (states[3] - states[2]).norm().item() < 1e-14, "\(solver)")
        }
    }

    @Test(arguments: [
        ("DPMSolverMultistepScheduler", #""algorithm_type": "dpmsolver""#, "final_sigmas_type"),
        ("DPMSolverMultistepScheduler", #""algorithm_type": "deis""#, "final_sigmas_type"),
        ("DPMSolverMultistepScheduler", #""solver_order": 4"#, "solver_order"),
        (
            "DPMSolverMultistepScheduler",
            #""algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min", "solver_order": 3"#,
            "solver_order"
        ),
        ("DPMSolverMultistepScheduler", #""prediction_type": "flow_prediction""#, "use_flow_sigmas"),
        (
            "DPMSolverMultistepScheduler", #""prediction_type": "v_prediction", "use_flow_sigmas": true"#,
            "v_prediction"
        ),
        (
            "DPMSolverMultistepScheduler", #""use_karras_sigmas": true, "use_lu_lambdas": true"#,
            "use_karras_sigmas and use_lu_lambdas"
        ),
        ("DPMSolverMultistepScheduler", #""beta_schedule": "sigmoid""#, "beta_schedule"),
        ("DPMSolverMultistepScheduler", #""lambda_min_clipped": 100"#, "lambda_min_clipped"),
        ("DPMSolverMultistepScheduler", #""num_train_timesteps": 5"#, "fewer steps"),
        ("DPMSolverMultistepInverseScheduler", #""algorithm_type": "sde-dpmsolver++""#, "algorithm_type"),
        ("DPMSolverSinglestepScheduler", #""algorithm_type": "sde-dpmsolver""#, "algorithm_type"),
        (
            "DPMSolverSinglestepScheduler",
            #""algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "thresholding": true"#,
            "thresholding"
        ),
        ("UniPCMultistepScheduler", #""solver_type": "bh1""#, "solver_type"),
        ("UniPCMultistepScheduler", #""predict_x0": false"#, "predict_x0"),
        ("UniPCMultistepScheduler", #""lower_order_final": false"#, "lower_order_final"),
        ("UniPCMultistepScheduler", #""shift_terminal": 0.1"#, "shift_terminal"),
        ("UniPCMultistepScheduler", #""use_dynamic_shifting": true"#, "use_dynamic_shifting"),
        ("DEISMultistepScheduler", #""algorithm_type": "sde-dpmsolver++""#, "algorithm_type"),
        ("SASolverScheduler", #""algorithm_type": "dpmsolver++""#, "algorithm_type"),
        ("SASolverScheduler", #""predictor_order": 5"#, "predictor_order"),
        (
            "SASolverScheduler", #""algorithm_type": "noise_prediction", "thresholding": true"#,
            "thresholding"
        ),
        ("EDMDPMSolverMultistepScheduler", #""prediction_type": "sample""#, "prediction_type"),
        (
            "EDMDPMSolverMultistepScheduler", #""algorithm_type": "sde-dpmsolver++", "solver_order": 3"#,
            "solver_order"
        ),
    ])
    func whatHasNoMeaningIsRefused(kind: String, flags: String, word: String) throws {
        let file = #"{"_class_name": "\#(kind)", \#(flags)}"#
        let configuration = try JSONDecoder().decode(SchedulerConfiguration.self, from: Data(file.utf8))
        let error = #expect(throws: DiffusionError.self) { try configuration.sampler(steps: 12) }
        #expect(error?.description.contains(word) ?? false, "\(error?.description ?? "no error")")
    }

    @Test(arguments: [false, true])
    func inversionReturnsAndTheErrorFallsWithSteps(usesKarras: Bool) throws {
        var forward = SchedulerConfiguration(.dpmSolverMultistep)
        forward.usesKarrasSigmas = usesKarras
        forward.finalSigma = .sigmaMinimum
        let backward = forward.converted(to: .dpmSolverMultistepInverse)
        let picture = start * 0.5
        let errors = try [10, 40, 160].map { steps -> Double in
            let up = try backward.sampler(steps: steps)
            let down = try forward.sampler(steps: steps)
            let noise = end(picture, up.grid, up.solver)
            return try (end(noise, down.grid, down.solver) - picture).norm().item()
        }
        #expect(errors[0] > 2 * errors[1] && errors[1] > 2 * errors[2] && errors[2] < 0.1, "\(errors)")
    }
}
