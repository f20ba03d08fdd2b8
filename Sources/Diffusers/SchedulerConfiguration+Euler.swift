import Diffusion
import Foundation

// Euler, Heun, DPM2, LMS and DPM-Solver++ SDE: a discrete process sampled as a variance-exploding one, α = 1 and
// σ = √((1 − ᾱ)/ᾱ), at times between the whole ones too.

extension SchedulerConfiguration {
    /// The sampler of `EulerDiscreteScheduler`, `EulerAncestralDiscreteScheduler`, `HeunDiscreteScheduler`,
    /// `KDPM2DiscreteScheduler`, `KDPM2AncestralDiscreteScheduler`, `LMSDiscreteScheduler` and
    /// `DPMSolverSDEScheduler`.
    func sigmaSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        let grid = try sigmaGrid(steps: steps)
        let name: Method =
            switch kind {
            case .eulerAncestral: .eulerAncestral
            case .heun: .heun
            case .dpm2: .dpm2
            case .dpm2Ancestral: .dpm2Ancestral
            case .lms: .lms
            case .dpmSolverSDE: .dpmPlusPlusSDE
            default: .euler
            }
        // Heun's alone cuts data off, and takes the noise from what is left.
        let cutsOff = kind == .heun && clipsData
        let skipped = grid.steps.prefix(options.skippedSteps).map(\.from)
        let solver =
            kind == .lms
            ? LinearMultistepSolver(earlier: skipped.reversed()) : try name.solver(on: grid, options)
        return Sampler(
            grid, solver, thresholding: cutsOff ? .fixed(range: clipRange) : nil,
            recomputesNoise: cutsOff)
    }

    /// The grid of a run of `steps` steps.
    private func sigmaGrid(steps: Int) throws -> StepGrid {
        let table = sigmaTable
        var times = try sigmaTimes(steps)
        // Even in ln σ from end to end, whatever the times: diffusers gives one σ more than there are times, and
        // so the run ends there.
        var sigmas =
            kind == .euler && interpolation == .logLinear
            ? exponentialSigmas(count: steps + 1, from: table.sigmas[trainSteps - 1], to: table.sigmas[0])
            : times.map(table.sigma)
        if let respaced = try respaced(sigmas, steps) {
            sigmas = respaced
            times = respaced.map(table.time)
            if usesKarrasSigmas, kind == .dpm2 || kind == .dpm2Ancestral {
                times = times.map { $0.rounded(.toNearestOrEven) }
            }
        }
        sigmas.append(kind == .euler && finalSigma == .sigmaMinimum ? table.sigmas[0] : 0)
        if kind == .euler, timeType == .continuous, prediction == .velocity {
            times = sigmas.dropLast().map { log($0) / 4 }
        }
        let isDistinct = zip(sigmas, sigmas.dropFirst()).allSatisfy { $0 > $1 }
        guard kind != .lms || isDistinct else {
            throw DiffusionError(
                "\(steps) steps of lms meet the same σ twice: use fewer steps or steps_offset 0")
        }
        let ends = (1..<sigmas.count).map { index in
            sigmas[index] == 0 ? -1 : index < times.count ? times[index] : table.time(sigmas[index])
        }
        let largest = sigmas.max() ?? 1
        return StepGrid(
            steps: times.indices.map { index in
                StepGrid.Step(
                    from: NoiseLevel(time: times[index], alpha: 1, sigma: sigmas[index]),
                    to: NoiseLevel(time: ends[index], alpha: 1, sigma: sigmas[index + 1]))
            },
            startScale: spacing == .leading ? (largest * largest + 1).squareRoot() : largest)
    }

    /// The σ of every time of the process.
    private var sigmaTable: SigmaTable {
        // These classes alone know the flag, and keep a little signal in the last time.
        let rescales = zeroTerminalSNR && (kind == .euler || kind == .eulerAncestral)
        var process = self
        process.zeroTerminalSNR = rescales
        var bars = process.schedule.alphaBars
        if rescales { bars[bars.count - 1] = 0x1p-24 }
        return SigmaTable(sigmas: bars.map { ((1 - $0) / $0).squareRoot() })
    }

    /// The times of the grid; those of `linspace` are not rounded.
    private func sigmaTimes(_ steps: Int) throws -> [Double] {
        if spacing == .linspace {
            return evenlySpaced(from: 0, to: Double(trainSteps - 1), count: steps).reversed()
        }
        if spacing == .leading { try checkSteps(steps) }
        return spacing.times(steps: steps, of: trainSteps, offset: stepsOffset).map(Double.init)
    }

    /// The σ as a flag spaces them, `nil` where none does.
    private func respaced(_ sigmas: [Double], _ steps: Int) throws -> [Double]? {
        guard kind != .eulerAncestral, usesKarrasSigmas || usesExponentialSigmas || usesBetaSigmas else {
            return nil
        }
        // Karras's σ of these two go between the process's own ends.
        let keepsEnds = usesKarrasSigmas && (kind == .lms || kind == .dpmSolverSDE)
        let first = (keepsEnds ? nil : sigmaMaximum) ?? sigmas[0]
        let last = (keepsEnds ? nil : sigmaMinimum) ?? sigmas[sigmas.count - 1]
        guard last > 0, last <= first || steps == 1 else {
            throw DiffusionError(
                "σ would go from \(first) to \(last): sigma_min must be above 0 and not above sigma_max")
        }
        if usesKarrasSigmas { return karrasSigmas(count: steps, from: first, to: last) }
        if usesExponentialSigmas { return exponentialSigmas(count: steps, from: first, to: last) }
        return betaSigmas(count: steps, from: first, to: last)
    }
}

/// The σ of the whole times of a process, with straight lines between them.
struct SigmaTable {
    /// σ of the times 0, 1, …, rising.
    let sigmas: [Double]
    private let logs: [Double]

    init(sigmas: [Double]) {
        self.sigmas = sigmas
        logs = sigmas.map { log($0) }
    }

    /// σ at a time, on straight lines in σ; beyond the ends, the ends.
    func sigma(at time: Double) -> Double {
        let place = min(max(time, 0), Double(sigmas.count - 1))
        let low = min(Int(place), sigmas.count - 1)
        guard low + 1 < sigmas.count else { return sigmas[low] }
        return sigmas[low] + (place - Double(low)) * (sigmas[low + 1] - sigmas[low])
    }

    /// The time of a σ, on straight lines in ln σ; beyond the ends, the ends.
    func time(_ sigma: Double) -> Double {
        guard sigmas.count > 1 else { return 0 }
        let value = log(sigma)
        let above = logs.firstIndex { $0 > value } ?? logs.count
        let low = min(max(above - 1, 0), logs.count - 2)
        let share = (value - logs[low]) / (logs[low + 1] - logs[low])
        return Double(low) + min(max(share, 0), 1)
    }
}
