import Diffusion
import Foundation

// The steps of the classes in log-SNR: times and σ̃ = σ/α (σ itself on the straight path), with the arithmetic of NumPy
// where a time is rounded.

/// The times that the network takes, and the σ̃ where steps begin and, one more, where the last one ends.
struct SigmaPath {
    /// What a σ̃ means.
    enum Scaling {
        case variancePreserving, varianceExploding, straight

        func level(_ sigma: Double, time: Double?) -> NoiseLevel {
            switch self {
            case .variancePreserving:
                let alpha = 1 / (sigma * sigma + 1).squareRoot()
                return NoiseLevel(time: time, alpha: alpha, sigma: sigma * alpha)
            case .varianceExploding: return NoiseLevel(time: time, alpha: 1, sigma: sigma)
            case .straight: return NoiseLevel(time: time, alpha: 1 - sigma, sigma: sigma)
            }
        }
    }

    var scaling: Scaling
    var times: [Double]
    var sigmas: [Double]

    /// Throws where diffusers divides by nothing in a step that is taken. Steps may begin twice at one time: they are
    /// distinguished by their places. A last step of no length, which some classes of diffusers turn into NaN, leaves the
    /// sample as it is.
    /// - Parameter first: the first step that is taken.
    func check(from first: Int, severalPoints: Bool, isStochastic: Bool) throws {
        let steps = times.count
        guard steps > 0 else { throw DiffusionError("the grid has no step: use more steps") }
        let sigmas = sigmas.dropFirst(first)
        let starts = sigmas.prefix(max(0, steps - first))
        // A last step of no length may climb by rounding.
        if isStochastic, let climb = zip(sigmas, sigmas.dropFirst()).first(where: { $0 * (1 + 1e-6) < $1 }) {
            throw DiffusionError(
                "a step leads from σ = \(climb.0) up to \(climb.1), where a stochastic method has none: use fewer steps, final_sigmas_type 'zero', or an algorithm_type without sde"
            )
        }
        if severalPoints, let twice = zip(starts, starts.dropFirst()).first(where: { $0 == $1 }) {
            throw DiffusionError(
                "two of \(steps) steps begin at one level, σ = \(twice.0), and this method divides by the way between them: use fewer steps, or solver_order 1"
            )
        }
    }

    func grid(startScale: Double) -> StepGrid {
        let ends = [sigmas[times.count]].map { sigma in
            sigma == 0 ? NoiseLevel.data : scaling.level(sigma, time: nil)
        }
        let starts = zip(sigmas, times).map { scaling.level($0, time: $1) }
        return StepGrid(through: starts + ends, startScale: startScale)
    }
}

extension SchedulerConfiguration {
    private var isInverse: Bool { kind == .dpmSolverMultistepInverse }
    private var isMultistep: Bool { kind == .dpmSolverMultistep }

    /// σ̃ of every time of the discrete process.
    private func sigmaTable() throws -> [Double] {
        guard betaSchedule != .sigmoid || trainedBetas != nil else {
            throw DiffusionError("beta_schedule 'sigmoid' is not known to \(kind.rawValue)")
        }
        var process = self
        process.zeroTerminalSNR = zeroTerminalSNR && (isMultistep || kind == .uniPC)
        var bars = process.schedule.alphaBars
        // A little is left of the data, so that log-SNR stays finite.
        if process.zeroTerminalSNR { bars[bars.count - 1] = pow(2, -24) }
        return bars.map { ((1 - $0) / $0).squareRoot() }
    }

    private func checkRange() throws {
        for (name, sigma) in [("sigma_min", sigmaMinimum), ("sigma_max", sigmaMaximum)] {
            guard let sigma, !(sigma > 0) else { continue }
            throw DiffusionError("\(name) is \(sigma): it must be above 0")
        }
    }

    /// The path of all classes but EDM's.
    func logSNRPath(_ steps: Int, _ options: SamplerOptions) throws -> SigmaPath {
        try checkRange()
        let table = try sigmaTable()
        try checkChoices(options)
        guard let spaced = try spacedSigmas(steps, table) else {
            return isFlow
                ? try straightPath(steps, options, table)
                : try timedPath(try logSNRTimes(steps, table), table)
        }
        let logs = table.map { log($0) }
        let times = spaced.map { time(ofSigma: $0, logs) }
        guard usesKarrasSigmas || usesLuLambdas, !(isMultistep && betaSchedule == .cosine) else {
            return path(hasSingleTables ? try cutTimes(steps, table) : times, spaced, table)
        }
        return path(times.map { $0.rounded(.toNearestOrEven) }, spaced, table)
    }

    /// The times of σ̃ whose fractions are cut off. The first one is the last time of the process but for rounding,
    /// and whether it is that time or the one before is decided by the single precision of diffusers' tables.
    private func cutTimes(_ steps: Int, _ table: [Double]) throws -> [Double] {
        let single = table.map { Double(Float($0)) }
        let logs = single.map { Double(Float(log($0))) }
        return try (spacedSigmas(steps, single) ?? []).map { time(ofSigma: $0, logs) }
    }

    /// Throws where flags exclude each other.
    private func checkChoices(_ options: SamplerOptions) throws {
        let usesLu = usesLuLambdas && isMultistep
        let chosen = [
            ("use_karras_sigmas", usesKarrasSigmas && !(kind == .uniPC && isFlow)),
            ("use_exponential_sigmas", usesExponentialSigmas), ("use_beta_sigmas", usesBetaSigmas),
            ("use_lu_lambdas", usesLu), ("use_flow_sigmas", isFlow),
        ].filter(\.1).map(\.0)
        guard chosen.count <= 1 else {
            throw DiffusionError("\(chosen.joined(separator: " and ")) exclude each other: keep one of them")
        }
        guard options.shiftExponent == nil || usesDynamicShift else {
            throw DiffusionError("a shift by the picture's size needs use_dynamic_shifting")
        }
        guard kind != .uniPC || terminalShift == nil || isFlow else {
            throw DiffusionError("shift_terminal needs use_flow_sigmas")
        }
        guard kind != .uniPC || !usesDynamicShift || options.shiftExponent != nil else {
            throw DiffusionError("use_dynamic_shifting needs the shift of the picture's size")
        }
    }

    // MARK: Times of the discrete process

    /// The whole times of `timestep_spacing`, as these classes compute them.
    private func logSNRTimes(_ steps: Int, _ table: [Double]) throws -> [Double] {
        let clips = kind != .uniPC && kind != .deis
        // Times whose λ = −ln σ̃ is below the least are left out.
        let last = trainSteps - (clips ? table.count { -log($0) < lambdaMinimum } : 0)
        guard last > 0 else {
            throw DiffusionError("lambda_min_clipped is \(lambdaMinimum): no time of the process has more")
        }
        switch kind == .dpmSolverSinglestep ? .linspace : spacing {
        case .linspace:
            let times = arithmeticLinspace(0, Double(last - 1), steps + 1).map {
                $0.rounded(.toNearestOrEven)
            }
            return isInverse ? times.dropLast() : times.dropFirst().reversed()
        case .leading:
            let ratio = last / (steps + 1)
            let places = isInverse ? Array(0..<steps) : (1..<steps + 1).reversed()
            return places.map { Double($0 * ratio + stepsOffset) }
        case .trailing:
            let (total, ratio) = (Double(last), Double(trainSteps) / Double(steps))
            let stride = (total - ratio) - total
            let times = (0..<Int((total / ratio).rounded(.up))).map { index in
                (total + Double(index) * stride).rounded(.toNearestOrEven) - 1
            }
            return isInverse ? times.reversed() : times
        }
    }

    private func timedPath(_ times: [Double], _ table: [Double]) throws -> SigmaPath {
        path(times, times.map { table[min(max(Int($0), 0), table.count - 1)] }, table)
    }

    /// The time of a σ̃ on straight lines through ln σ̃, in diffusers' order of operations.
    private func time(ofSigma sigma: Double, _ logs: [Double]) -> Double {
        guard logs.count > 1 else { return 0 }
        let logSigma = log(max(sigma, 1e-10))
        let low = min(logs.lastIndex { logSigma - $0 >= 0 } ?? 0, logs.count - 2)
        let share = min(max((logs[low] - logSigma) / (logs[low] - logs[low + 1]), 0), 1)
        return (1 - share) * Double(low) + share * Double(low + 1)
    }

    // MARK: σ̃

    /// The σ̃ of a named spacing, `nil` where none is chosen. The inverse class reads the table from its
    /// other end.
    private func spacedSigmas(_ steps: Int, _ table: [Double]) throws -> [Double]? {
        let (low, high) = isInverse ? (table[table.count - 1], table[0]) : (table[0], table[table.count - 1])
        let (last, first) = (sigmaMinimum ?? low, sigmaMaximum ?? high)
        if usesKarrasSigmas && !isFlow { return karrasSigmas(count: steps, from: first, to: last) }
        if usesLuLambdas && isMultistep { return luSigmas(count: steps, from: high, to: low) }
        if usesExponentialSigmas { return exponentialSigmas(count: steps, from: first, to: last) }
        return usesBetaSigmas ? betaSigmas(count: steps, from: first, to: last) : nil
    }

    /// A path with the end that the class gives it.
    private func path(_ times: [Double], _ sigmas: [Double], _ table: [Double]) -> SigmaPath {
        let isSpaced = usesKarrasSigmas || usesExponentialSigmas || usesBetaSigmas || isFlow
        let least = kind.leastSigma(self, isSpaced ? sigmas.last ?? 0 : nil, table)
        let endsAtData =
            [.dpmSolverMultistep, .dpmSolverSinglestep, .uniPC].contains(kind) && finalSigma == .zero
        var kept = times
        if isInverse {
            // Each time once, though the σ̃ stay: the levels that are left over at the end are not reached.
            var seen: Set<Double> = []
            kept = times.filter { seen.insert($0).inserted }
        }
        // diffusers cuts what is left of fractions off.
        return SigmaPath(
            scaling: isFlow ? .straight : .variancePreserving, times: kept.map { $0.rounded(.towardZero) },
            sigmas: sigmas + [endsAtData ? 0 : least])
    }

    /// σ̃ of the noisiest time that λ admits.
    func inversionEnd(_ table: [Double]) -> Double {
        table[max(table.count - 1 - table.count { -log($0) < lambdaMinimum }, 0)]
    }

    // MARK: The straight path

    private func straightPath(_ steps: Int, _ options: SamplerOptions, _ table: [Double]) throws -> SigmaPath
    {
        let count = Double(trainSteps)
        var sigmas = arithmeticLinspace(1, 1 / count, steps + 1)
        if kind == .uniPC {
            sigmas = try unifiedSigmas(sigmas.dropLast(), steps, options, table)
        } else {
            let shift = try straightShift(options)
            // The inverse class forgets to turn this one round.
            sigmas = sigmas.map { shifted(1 - $0, by: shift) }.dropFirst().reversed()
        }
        return path(sigmas.map { $0 * count }, sigmas, table)
    }

    private func shifted(_ sigma: Double, by shift: Double) -> Double {
        shift * sigma / (1 + (shift - 1) * sigma)
    }

    private func straightShift(_ options: SamplerOptions) throws -> Double {
        guard let exponent = options.shiftExponent else { return flowShift }
        guard [.dpmSolverMultistep, .dpmSolverSinglestep, .deis].contains(kind), timeShift == .exponential
        else {
            throw DiffusionError(
                "a shift by the picture's size needs time_shift_type 'exponential', and a class other than \(kind.rawValue)"
            )
        }
        return exp(exponent)
    }

    /// UniPC's σ: shifted, stretched, and never all noise.
    private func unifiedSigmas(
        _ even: [Double], _ steps: Int, _ options: SamplerOptions, _ table: [Double]
    ) throws -> [Double] {
        if usesKarrasSigmas {
            return karrasSigmas(
                count: steps, from: sigmaMaximum ?? table[table.count - 1], to: sigmaMinimum ?? table[0]
            ).map { $0 / ($0 + 1) }
        }
        var sigmas = even.map { shifted($0, by: flowShift) }
        if let exponent = options.shiftExponent {
            let factor = timeShift == .exponential ? exp(exponent) : exponent
            sigmas = even.map { factor / (factor + (1 / $0 - 1)) }
        }
        if let terminalShift, terminalShift != 0 {
            let scale = (1 - sigmas[steps - 1]) / (1 - terminalShift)
            sigmas = sigmas.map { 1 - (1 - $0) / scale }
        }
        if abs(sigmas[0] - 1) < 1e-6 { sigmas[0] -= 1e-6 }
        return sigmas
    }

    // MARK: EDM

    /// The standard deviation of a sample at the largest σ of data of unit variance.
    var edmStartScale: Double { ((sigmaMaximum ?? 80) * (sigmaMaximum ?? 80) + 1).squareRoot() }

    /// The path of `EDMDPMSolverMultistepScheduler`, whose network takes ¼·ln σ.
    func edmPath(_ steps: Int) throws -> SigmaPath {
        try checkRange()
        let (last, first) = (sigmaMinimum ?? 0.002, sigmaMaximum ?? 80)
        let sigmas =
            switch sigmaSpacing {
            case .karras: karrasSigmas(count: steps, from: first, to: last, rho: rho)
            // Up and turned round: one step alone begins at the least σ.
            case .exponential: Array(exponentialSigmas(count: steps, from: last, to: first).reversed())
            }
        return SigmaPath(
            scaling: .varianceExploding, times: sigmas.map { log($0) / 4 },
            sigmas: sigmas + [finalSigma == .zero ? 0 : last])
    }
}

/// Evenly spaced numbers as NumPy's `linspace` has them to the last bit, for times that are rounded.
private func arithmeticLinspace(_ start: Double, _ stop: Double, _ count: Int) -> [Double] {
    let stride = (stop - start) / Double(count - 1)
    return (0..<count - 1).map { Double($0) * stride + start } + [stop]
}
