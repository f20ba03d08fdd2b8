/// A process of any kind, and how to sample it: what an exact model's `schedule` says.
///
/// In a file an object with `_class_name`, as diffusers writes one, or with `kind`.
public enum DiffusionProcess: Sendable, Equatable {
    /// One of diffusers' classes.
    case discrete(SchedulerConfiguration)
    /// A stochastic differential equation or a path.
    case continuous(ContinuousProcess)

    /// The sampler of a run of `steps` steps by a named method, or the process's own.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    public func sampler(
        _ name: SolverName?, steps: Int, grid: GridName? = nil, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        switch self {
        case .discrete(let configuration):
            try configuration.sampler(name, steps: steps, grid: grid, options: options)
        case .continuous(let process):
            try process.sampler(name, steps: steps, grid: grid, options: options)
        }
    }

    /// The method that is taken where none is named; `nil` where a class of diffusers has no such name.
    public var solverName: SolverName? {
        switch self {
        case .discrete(let configuration): configuration.solverName
        case .continuous(let process): process.solverName
        }
    }

    /// The word for it in a file: diffusers' class or the kind.
    public var name: String {
        switch self {
        case .discrete(let configuration): configuration.kind.rawValue
        case .continuous(let process): process.kind
        }
    }
}

extension DiffusionProcess: Codable {
    /// Reads either form.
    /// - Throws: `DiffusionError` where neither a class nor a kind is named, or what is named will not do.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: SchedulerFlag.Key.self)
        if values.contains("_class_name") {
            self = .discrete(try SchedulerConfiguration(from: decoder))
        } else if values.contains("kind") {
            self = .continuous(try ContinuousProcess(from: decoder))
        } else {
            throw DiffusionError(
                "the schedule names neither a class of diffusers (_class_name) nor a kind: add one of them")
        }
    }

    /// Writes the form that it was read from.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .discrete(let configuration): try configuration.encode(to: encoder)
        case .continuous(let process): try process.encode(to: encoder)
        }
    }
}
