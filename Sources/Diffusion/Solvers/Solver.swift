import Tensors

/// A way to take one step down the grid. An immutable value; what a method remembers between steps is
/// its `Memory`, passed in and out.
public protocol Solver<Memory>: Sendable {
    /// What the method remembers between steps.
    associatedtype Memory

    /// Whether the examples of a batch share what the method decides as it goes, such as the length of its
    /// steps. A picture would then depend on its companions, so pipelines take them one by one.
    var couplesExamples: Bool { get }

    /// η as the method has it, its share of fresh noise; `nil` for a method without one.
    var noiseShare: Double? { get }

    /// Whether a step is α·data + σ·noise and fresh noise, so that it reads the sample through the estimate alone.
    /// Only then may data and noise come from different branches (`ManifoldConstrainedGuidance`).
    var stepsFromEstimate: Bool { get }

    /// How the method climbs from data to noise; `nil` for one that cannot.
    var inversion: Inversion? { get }

    /// What it remembers before the first step.
    func start() -> Memory

    /// The sample at `step.to` from the sample at `step.from`.
    /// - Parameters:
    ///   - x: `[batch, …]`
    ///   - noise: asked only by methods that add noise.
    func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate)
}

extension Solver {
    /// Most methods treat each example by itself.
    public var couplesExamples: Bool { false }

    /// Most methods have none.
    public var noiseShare: Double? { nil }

    /// Most methods move the sample itself.
    public var stepsFromEstimate: Bool { false }

    /// Most methods add noise, or remember steps that lay closer together.
    public var inversion: Inversion? { nil }
}

extension Solver where Memory == Void {
    /// A method without memory remembers nothing.
    public func start() {}
}

/// What is known after a step of a run.
public struct SamplingProgress: Sendable {
    /// The number of steps taken.
    public let stepsDone: Int
    /// The number of steps in all.
    public let stepCount: Int
    /// The level that the sample is at.
    public let level: NoiseLevel
    /// The sample.
    public let sample: Tensor
    /// What the denoiser believed before the step.
    public let estimate: Estimate
}

/// A run down the grid as a sequence of its steps, so that progress, previews and cancelling are the
/// caller's `for` loop.
public struct Sampling<Method: Solver>: Sequence, IteratorProtocol {
    private let method: Method
    private let grid: StepGrid
    private let denoiser: Denoiser
    private let noise: NoiseSource
    private var memory: Method.Memory
    private var sample: Tensor
    private var stepsDone = 0

    /// A run from `sample` `[batch, …]`, which is at the level of the grid's first step.
    public init(
        _ sample: Tensor, through grid: StepGrid, by method: Method, denoiser: Denoiser, noise: NoiseSource
    ) {
        self.sample = sample
        self.grid = grid
        self.method = method
        self.denoiser = denoiser
        self.noise = noise
        memory = method.start()
    }

    /// Takes the next step, `nil` when the grid is done.
    public mutating func next() -> SamplingProgress? {
        guard stepsDone < grid.steps.count else { return nil }
        let step = grid.steps[stepsDone]
        let result = method.step(sample, step, &memory, denoiser: denoiser, noise: noise)
        sample = result.sample
        stepsDone += 1
        return SamplingProgress(
            stepsDone: stepsDone, stepCount: grid.steps.count, level: step.to, sample: sample,
            estimate: result.estimate)
    }
}

extension Solver {
    /// A run of this method with its type left out.
    public func sampling(
        _ sample: Tensor, through grid: StepGrid, denoiser: Denoiser, noise: NoiseSource
    ) -> AnySequence<SamplingProgress> {
        AnySequence(Sampling(sample, through: grid, by: self, denoiser: denoiser, noise: noise))
    }
}
