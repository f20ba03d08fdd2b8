import Diffusers
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// The grids of diffusers' σ-space classes where they are easy to get wrong, and what is refused.
@Suite struct SigmaFamilyTests {
    private func sampler(
        _ kind: SchedulerClass, _ steps: Int, _ change: (inout SchedulerConfiguration) -> Void = { _ in }
    ) throws -> Sampler {
        var configuration = SchedulerConfiguration(kind)
        change(&configuration)
        return try configuration.sampler(steps: steps)
    }

    private let family: [SchedulerClass] = [
        .euler, .eulerAncestral, .heun, .dpm2, .dpm2Ancestral, .lms, .dpmSolverSDE,
    ]

    @Test func samplesStartAsNoisyAsTheirFirstLevel() throws {
        for kind in family {
            let linspace = try sampler(kind, 10).grid
            #expect(linspace.startScale == linspace.steps[0].from.sigma, "\(kind)")
            #expect(linspace.steps.map(\.from.time)[0] == 999 && linspace.steps[9].to == .data)
            let leading = try sampler(kind, 10) { $0.spacing = .leading }.grid
            let first = leading.steps[0].from.sigma
            #expect(leading.startScale == (first * first + 1).squareRoot(), "\(kind)")
        }
    }

    /// diffusers gives this interpolation one σ more than the run has steps, so it ends before the data.
    @Test func logLinearRunsEndAtTheLeastSigma() throws {
        let grid = try sampler(.euler, 7) { $0.interpolation = .logLinear }.grid
        let bars = SchedulerConfiguration(.euler).schedule.alphaBars
        #expect(grid.steps.count == 7)
        expectClose([grid.steps[6].to.sigma], [((1 - bars[0]) / bars[0]).squareRoot()], relative: 1e-12)
        // Told ¼·ln σ of every σ, it takes the further step.
        let sampled = try sampler(.euler, 7) {
            $0.interpolation = .logLinear
            $0.timeType = .continuous
            $0.prediction = .velocity
        }.grid
        #expect(sampled.steps.count == 8 && sampled.steps[7].to == .data)
        expectClose(
            sampled.steps.map { $0.from.time ?? .nan }, sampled.steps.map { log($0.from.sigma) / 4 },
            absolute: 1e-15)
    }

    @Test func zeroSignalKeepsALittle() throws {
        let grid = try sampler(.euler, 5) { $0.zeroTerminalSNR = true }.grid
        expectClose([grid.startScale], [(1 / 0x1p-24 - 1).squareRoot()], relative: 1e-14)
        // The other classes do not know the flag.
        #expect(try sampler(.heun, 5) { $0.zeroTerminalSNR = true }.grid == sampler(.heun, 5).grid)
    }

    @Test func whatHasNoMeaningIsRefused() {
        func refuses(_ word: String, _ kind: SchedulerClass, _ change: (inout SchedulerConfiguration) -> Void)
        {
            let error = #expect(throws: DiffusionError.self) { _ = try sampler(kind, 20, change) }
            #expect(error?.description.contains(word) == true, "\(String(describing: error))")
        }
        refuses("sigma_min", .euler) {
            $0.usesKarrasSigmas = true
            ($0.sigmaMinimum, $0.sigmaMaximum) = (3, 2)
        }
        refuses("sigma_min", .edmEuler) { $0.sigmaMinimum = -1 }
        refuses("sigma_max", .consistency) { $0.sigmaMaximum = 0.001 }
        refuses("steps", .consistency) { $0.trainSteps = 19 }
        refuses("steps", .heun) {
            $0.trainSteps = 19
            $0.spacing = .leading
        }
        refuses("lms", .lms) {
            $0.trainSteps = 20
            $0.spacing = .leading
            $0.stepsOffset = 2
        }
    }

    /// Against `betas_for_alpha_bar(6, alpha_transform_type=…)` of diffusers in float64.
    @Test func rareTablesOfBetasAgree() {
        expectClose(
            BetaSchedule.exponential.betas(count: 6, from: 0, to: 0),
            Array(repeating: 0.8646647167633873, count: 6), relative: 1e-14)
        expectClose(
            BetaSchedule.laplace.betas(count: 6, from: 0, to: 0),
            [
                0.2033769885397848, 0.068148248682662, 0.04697934461632436, 0.0518543985842308,
                0.09760674978561479, 0.9477571163639688,
            ], relative: 1e-13)
    }

    /// c_skip = 1 and c_out = 0 at ε, so a consistency function is the sample there, whatever its network.
    @Test func consistencyFunctionsMeetTheirBoundary() throws {
        let preconditioning = ConsistencyPreconditioning(sigmaData: 0.7, sigmaMinimum: 0.01)
        let denoiser = Denoiser(preconditioning.parameterization) { x, time in (x * 3).sin() + time }
        let x = RandomGenerator(seed: 3).normal([2, 3], .float64)
        let scaled = denoiser(x / 2, NoiseLevel(alpha: 0.5, sigma: 0.005))
        expectClose(scaled.data, x, absolute: 1e-15)
        // Above it: diffusers' `get_scalings_for_boundary_condition(1.3)` for these numbers.
        let above = Denoiser(preconditioning.parameterization) { x, _ in x }(
            x, NoiseLevel(alpha: 1, sigma: 1.3))
        let (square, variance) = (0.49, 1.3 * 1.3 + 0.49)
        let factor = square / (1.29 * 1.29 + square) + 1.29 * 0.7 / variance
        expectClose(above.data, x * factor, absolute: 1e-14)
        expectClose(above.data + above.noise * 1.3, x, absolute: 1e-14)
    }
}
