import Diffusion

/// A process as `scheduler_config.json` holds it, or the `schedule` of an exact model: one of diffusers' classes
/// (`_class_name`), or a process by its kind (`kind`) where diffusers has no class for it.
public enum StoredProcess: Sendable, Equatable {
    /// One of diffusers' classes.
    case scheduler(SchedulerConfiguration)
    /// A kind of process.
    case described(ProcessDescription)

    private var source: any SamplerSource {
        switch self {
        case .scheduler(let configuration): configuration
        case .described(let process): process
        }
    }

    /// The process.
    public var process: Process {
        switch self {
        case .scheduler(let configuration): configuration.process
        case .described(let description): description.process
        }
    }

    /// The process that a training run of a description has, in the form that diffusers opens where it has a class
    /// for it: a table of β whose networks predict noise, data, v or flow.
    /// - Parameter method: how the run's own pictures are sampled.
    public init(trainedOn description: ProcessDescription, sampledBy method: Method? = nil) {
        guard let configuration = SchedulerConfiguration(description, sampledBy: method) else {
            self = .described(description)
            return
        }
        self = .scheduler(configuration)
    }
}

extension StoredProcess: SamplerSource {
    /// The class of diffusers or the kind.
    public var name: String { source.name }

    /// The sampler of a run of `steps` steps by a method, or by the process's own.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    public func sampler(
        _ method: Method?, steps: Int, grid: Grid? = nil, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        try source.sampler(method, steps: steps, grid: grid, options: options)
    }

    /// The words for a run.
    public func words(for method: Method?, grid: Grid?) -> SamplingWords {
        source.words(for: method, grid: grid)
    }

    /// The number of steps of a run that names none.
    public func usualSteps(_ method: Method?) -> Int { source.usualSteps(method) }
}

extension StoredProcess: Codable {
    /// Reads either form.
    /// - Throws: `DiffusionError` where neither a class nor a kind is named, or what is named will not do.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: SchedulerFlag.Key.self)
        if values.contains("_class_name") {
            self = .scheduler(try SchedulerConfiguration(from: decoder))
        } else if values.contains("kind") {
            self = .described(try ProcessDescription(from: decoder))
        } else {
            throw DiffusionError(
                "the schedule names neither a class of diffusers (_class_name) nor a kind: add one of them")
        }
    }

    /// Writes the form that it was read from.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .scheduler(let configuration): try configuration.encode(to: encoder)
        case .described(let process): try process.encode(to: encoder)
        }
    }
}

extension Process {
    /// The file form; `nil` for a process that was made of parts that no file names.
    public var stored: StoredProcess? {
        switch sampling {
        case let stored as StoredProcess: stored
        case let configuration as SchedulerConfiguration: .scheduler(configuration)
        case let description as ProcessDescription: .described(description)
        default: nil
        }
    }
}
