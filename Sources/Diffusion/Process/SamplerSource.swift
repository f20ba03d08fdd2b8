/// Cuts a process into steps, and chooses the method that takes them.
public protocol SamplerSource: Sendable {
    /// The sampler of a run of `steps` steps.
    /// - Parameters:
    ///   - method: a method's name; by default the process's own.
    ///   - grid: another grid than the process's own.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    func sampler(_ method: SolverName?, steps: Int, grid: GridName?, options: SamplerOptions) throws
        -> Sampler
}
