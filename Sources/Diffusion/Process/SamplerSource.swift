/// Cuts a process into steps, and chooses the method that takes them.
public protocol SamplerSource: Sendable {
    /// The word for the process in files and receipts: a class of diffusers or a kind of process.
    var name: String { get }

    /// The sampler of a run of `steps` steps.
    /// - Parameters:
    ///   - method: a method; by default the process's own.
    ///   - grid: another grid than the process's own.
    /// - Throws: `DiffusionError` where method, process and grid do not fit, or an option is not read.
    func sampler(_ method: Method?, steps: Int, grid: Grid?, options: SamplerOptions) throws -> Sampler

    /// What a run is called that leaves method and grid to the process, or names them.
    func words(for method: Method?, grid: Grid?) -> SamplingWords

    /// The number of steps of a run that names none.
    func usualSteps(_ method: Method?) -> Int
}

/// The words for a run: what a receipt says of its process, method and grid.
public struct SamplingWords: Sendable, Equatable {
    /// The process: a class of diffusers or a kind of process.
    public var process: String
    /// The method; `nil` where a class of diffusers stands for none of them, or for several.
    public var method: String?
    /// The grid.
    public var grid: String

    /// The words for a run.
    public init(process: String, method: String?, grid: String) {
        self.process = process
        self.method = method
        self.grid = grid
    }
}
