import Diffusion

// The class of diffusers for a method: `--solver` over a configuration of another class means
// `NewClass.from_config(configuration)`.

/// A method's row: the class that it is, and the flags that make another class's configuration this method's.
private struct MethodClass: Sendable {
    let method: Method
    let kind: SchedulerClass
    let change: @Sendable (inout SchedulerConfiguration) -> Void

    init(
        _ method: Method, _ kind: SchedulerClass,
        _ change: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in }
    ) {
        (self.method, self.kind, self.change) = (method, kind, change)
    }

    static let all: [MethodClass] = [
        .init(.ddpm, .ddpm), .init(.ddim, .ddim),
        .init(.plms, .pndm) { $0.skipsRungeKutta = true },
        .init(.euler, .euler), .init(.eulerAncestral, .eulerAncestral), .init(.heun, .heun),
        .init(.dpm2, .dpm2), .init(.dpm2Ancestral, .dpm2Ancestral), .init(.lms, .lms),
        .init(.dpmPlusPlusSDE, .dpmSolverSDE),
        .init(.dpmPlusPlus2M, .dpmSolverMultistep) { $0.algorithm = .dpmSolverPlusPlus },
        .init(.dpmPlusPlus2MSDE, .dpmSolverMultistep) { $0.algorithm = .stochasticDPMSolverPlusPlus },
        .init(.dpmSingle, .dpmSolverSinglestep) {
            ($0.algorithm, $0.finalSigma) = (.dpmSolver, .sigmaMinimum)
        },
        .init(.dpmPlusPlusSingle, .dpmSolverSinglestep) { $0.algorithm = .dpmSolverPlusPlus },
        .init(.unipc, .uniPC), .init(.deis, .deis), .init(.stochasticAdams, .stochasticAdams),
        .init(.ipndm, .ipndm), .init(.consistency, .consistency), .init(.lcm, .lcm), .init(.tcd, .tcd),
        .init(.flowEuler, .flowEuler), .init(.flowHeun, .flowHeun),
    ]
}

extension SchedulerConfiguration {
    /// The configuration of diffusers' class for a method, `nil` where diffusers has none.
    func named(_ method: Method) -> SchedulerConfiguration? {
        guard let row = MethodClass.all.first(where: { $0.method == method }) else { return nil }
        guard row.kind != kind else { return self }
        var configuration = converted(to: row.kind)
        row.change(&configuration)
        return configuration
    }

    /// The name of the method of this class; `nil` where none, or more than one, stands for it.
    public var solverName: Method? {
        let methods = MethodClass.all.filter { $0.kind == kind }.map(\.method)
        return methods.count == 1 ? methods[0] : nil
    }

    /// The sampler of a run by a method, or by the configuration's own class.
    /// - Throws: `DiffusionError` where method and process do not fit.
    public func sampler(
        _ method: Method?, steps: Int, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        guard let method else { return try sampler(steps: steps, options: options) }
        if let configuration = named(method) {
            return try configuration.sampler(steps: steps, options: options)
        }
        guard !method.isOfBits else {
            throw DiffusionError(
                field: "solver",
                "is \(method.name), whose samples are bits, and \(kind.rawValue) adds Gaussian noise")
        }
        // The methods of k-diffusion run on the variance-exploding grid that diffusers' Euler uses.
        var own = SamplerOptions()
        own.skippedSteps = options.skippedSteps
        return try method.sampler(on: converted(to: .euler).sampler(steps: steps, options: own).grid, options)
    }
}
