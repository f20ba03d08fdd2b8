/// A method of sampling: a row with its name, how it converges, which options it reads, and how it is made.
///
/// A new method is a file in `Solvers/`, its test, and a row of `Method.allCases`.
public struct Method: Sendable {
    /// The name that users type (`--solver`).
    public let name: String
    /// How samples approach those of the exact probability flow as steps are added, with the method's own defaults.
    public let convergence: Convergence
    /// The options that change what it does; it refuses all others.
    public let reads: Set<SamplerOption>
    /// Whether its samples are bits ±1; others are of processes whose noise is Gaussian.
    public let isOfBits: Bool
    /// The grid that it wants in place of one of as many steps.
    private let regrid: @Sendable (StepGrid) -> StepGrid
    private let make: @Sendable (StepGrid, SamplerOptions) throws -> any Solver

    /// A method.
    /// - Parameters:
    ///   - reads: the options that `make` looks at.
    ///   - regrid: another grid in place of the one that is given.
    ///   - make: the method on a grid.
    public init(
        _ name: String, _ convergence: Convergence, reads: Set<SamplerOption> = [], isOfBits: Bool = false,
        regrid: @escaping @Sendable (StepGrid) -> StepGrid = { $0 },
        make: @escaping @Sendable (StepGrid, SamplerOptions) throws -> any Solver
    ) {
        self.name = name
        self.convergence = convergence
        self.reads = reads
        self.isOfBits = isOfBits
        self.regrid = regrid
        self.make = make
    }

    /// The grid that the method wants in place of one of as many steps.
    public func grid(_ grid: StepGrid) -> StepGrid { regrid(grid) }

    /// The method on a grid, as k-diffusion and the papers have it.
    /// - Throws: `DiffusionError` that names an option that is given and not read, or does not go with another.
    public func solver(on grid: StepGrid, _ options: SamplerOptions = SamplerOptions()) throws -> any Solver {
        try options.check(readBy: name, reads)
        return try make(grid, options)
    }

    /// The method on a grid, or on the one that it wants in place of it.
    /// - Throws: `DiffusionError` that names an option that is given and not read, or does not go with another.
    public func sampler(on grid: StepGrid, _ options: SamplerOptions = SamplerOptions()) throws -> Sampler {
        Sampler(self.grid(grid), try solver(on: grid, options))
    }
}

extension Method: RawRepresentable, CaseIterable, Codable, Hashable {
    /// The name.
    public var rawValue: String { name }

    /// The method of a name, `nil` where there is none.
    public init?(rawValue name: String) {
        guard let found = Method.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Methods are the same where their names are.
    public static func == (left: Method, right: Method) -> Bool { left.name == right.name }

    /// By the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
