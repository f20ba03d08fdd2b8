import Diffusion
import Foundation

extension SchedulerConfiguration {
    /// How a sample of this process is scaled, and so what path the process takes.
    public var path: SampleScaling { kind.path(self) }

    /// The name of the grid that the flags say.
    public var gridName: Grid {
        if kind.takesSigmaFlags {
            if usesKarrasSigmas { return .karras }
            if usesExponentialSigmas || usesLuLambdas { return .exponential }
            if usesBetaSigmas { return .beta }
        }
        switch path {
        case .straight: return .shifted
        case .varianceExploding: return sigmaSpacing == .karras ? .karras : .exponential
        case .variancePreserving, .subVariancePreserving: return Grid(spacing)
        }
    }

    /// This configuration as the class of a method (`nil` for its own), with the flags of a grid where the
    /// class has them.
    public func configured(for name: Method?, grid: Grid?) -> SchedulerConfiguration {
        // The methods of k-diffusion run on the grid that diffusers' Euler uses.
        let own = name.map { named($0) ?? converted(to: .euler) } ?? self
        return grid.flatMap(own.flagged) ?? own
    }

    /// The sampler of a run by a named method, or by the configuration's own class, on a named grid, or on
    /// its own.
    ///
    /// A grid for which the method's class has a flag is what that flag makes. Any other takes the place of
    /// the class's σ, as diffusers' `set_timesteps(sigmas=…)` does, and ends at the data.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    public func sampler(
        _ name: Method?, steps: Int, grid: Grid?, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        var sampler = try gridSampler(name, steps: steps, grid: grid, options)
        sampler.hasTimesOfProcess = configured(for: name, grid: grid).path == path
        return sampler
    }

    private func gridSampler(
        _ name: Method?, steps: Int, grid: Grid?, _ options: SamplerOptions
    ) throws -> Sampler {
        guard let grid else { return try sampler(name, steps: steps, options: options) }
        let configuration = configured(for: name, grid: nil)
        if let flagged = configuration.flagged(grid) {
            return try flagged.sampler(name, steps: steps, options: options)
        }
        if let times = grid.times(trainSteps) {
            return try configuration.sampler(name, at: times, steps: steps, grid: grid, options)
        }
        guard configuration.path == .variancePreserving else {
            throw DiffusionError(
                "the grid '\(grid.name)' does not fit \(configuration.kind.rawValue): choose another")
        }
        var sampler = try configuration.sampler(name, steps: steps, options: options)
        let schedule = configuration.schedule
        let sigmas = try grid.sigmas(
            count: steps, of: schedule, from: schedule.noiseRatio(at: schedule.start),
            to: schedule.noiseRatio(at: 0))
        // The class's own scaling of samples: α = 1 or α² + σ² = 1.
        let isExploding = sampler.grid.steps.first?.from.alpha == 1
        let levels = sigmas.map { sigma in
            let scale = isExploding ? 1 : (1 + sigma * sigma).squareRoot()
            return NoiseLevel(
                time: schedule.time(logSNR: -2 * log(sigma)), alpha: 1 / scale, sigma: sigma / scale)
        }
        let taken = StepGrid(through: levels + [.data], startScale: isExploding ? sigmas[0] : 1)
            .dropping(first: options.skippedSteps)
        // Methods without a class, and those whose class is made for its own grid, are made anew.
        let isTied = [.pndm, .ipndm, .lms].contains(configuration.kind)
        if let method = name ?? configuration.solverName, isTied || named(method) == nil {
            let made = try method.sampler(on: taken, options)
            (sampler.grid, sampler.solver) = (made.grid, made.solver)
        } else {
            sampler.grid = taken
        }
        return try sampler.checked()
    }

    /// The sampler of a class of whole times at given ones, each step ending where the next begins and the last at the data.
    /// - Throws: `DiffusionError` where the class has no whole times, or a run another number of steps.
    private func sampler(
        _ name: Method?, at times: [Int], steps: Int, grid: Grid, _ options: SamplerOptions
    ) throws -> Sampler {
        guard kind == .ddpm || kind == .ddim else {
            throw DiffusionError(
                field: "grid",
                "is '\(grid.name)', which is of whole times, and \(kind.rawValue) takes others: use the solver ddpm or ddim, or another grid"
            )
        }
        guard steps == times.count else {
            throw DiffusionError(
                field: "steps",
                "is \(steps), and the grid '\(grid.name)' has \(times.count): give \(times.count), or another grid"
            )
        }
        var sampler = try sampler(name, steps: steps, options: options)
        let schedule = self.schedule
        let levels = times.map { startLevel(at: $0, schedule) } + [.data]
        sampler.grid = StepGrid(through: levels).dropping(first: options.skippedSteps)
        return try sampler.checked()
    }

    /// This configuration with the flags that make a grid; `nil` where the class has no such flag.
    private func flagged(_ grid: Grid) -> SchedulerConfiguration? {
        var changed = self
        changed.usesLuLambdas = false
        (changed.usesKarrasSigmas, changed.usesExponentialSigmas) = (grid == .karras, grid == .exponential)
        changed.usesBetaSigmas = grid == .beta
        if let spacing = TimeSpacing(rawValue: grid.name) {
            // These two classes know no other.
            let isOwn = spacing == .linspace && (kind == .dpmSolverSinglestep || kind == .ipndm)
            let isRead = kind.takesTimeSpacing && path == .variancePreserving
            changed.spacing = spacing
            return isOwn || isRead ? changed : nil
        }
        if path == .varianceExploding, let spacing = SchedulerWords.SigmaSpacing(rawValue: grid.name) {
            changed.sigmaSpacing = spacing
            return changed
        }
        if [.karras, .exponential, .beta].contains(grid) { return kind.takesSigmaFlags ? changed : nil }
        return grid == .shifted && path == .straight ? changed : nil
    }
}

extension Grid {
    /// The grid of a `timestep_spacing`.
    init(_ spacing: TimeSpacing) {
        self =
            [TimeSpacing.leading: Grid.leading, .trailing: .trailing, .linspace: .linspace][spacing]
            ?? .linspace
    }
}
