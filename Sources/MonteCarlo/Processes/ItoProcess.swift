import Tensors

/// A stochastic differential equation dx = f(x, t)·dt + g(x, t)·dB, in Itô's sense, of one number a path
/// (or of independent numbers).
public protocol ItoProcess: Sendable {
    /// f, of the shape of x.
    func drift(_ x: Tensor, at time: Double) -> Tensor

    /// g, of the shape of x or a scalar.
    func diffusion(_ x: Tensor, at time: Double) -> Tensor
}

/// A process whose transitions are known in closed form.
public protocol ExactProcess: ItoProcess {
    /// A draw of x at time t + duration given x at time t.
    func transition(_ x: Tensor, duration: Double, _ random: RandomGenerator) -> Tensor

    /// E[x(t)] from x at time 0, of the shape of x.
    func mean(from x: Tensor, after time: Double) -> Tensor

    /// var[x(t)] from x at time 0, of the shape of x or a scalar.
    func variance(from x: Tensor, after time: Double) -> Tensor
}

/// A batch of paths at a time.
public struct PathState: Sendable {
    /// x, `[paths]` or any shape.
    public var position: Tensor
    /// t
    public var time: Double

    /// Paths at a time.
    public init(position: Tensor, time: Double = 0) {
        self.position = position
        self.time = time
    }
}

/// A way to draw paths of a process. An immutable value; what the next step depends on is a `PathState`.
public protocol PathSampler: Sendable {
    /// The paths at a later time.
    func advance(_ state: PathState, to time: Double, _ random: RandomGenerator) -> PathState
}

extension PathSampler {
    /// Paths at ascending times, `[times, paths]`.
    public func paths(from start: PathState, at times: [Double], _ random: RandomGenerator) -> Tensor {
        var state = start
        return stacked(
            times.map { time in
                state = advance(state, to: time, random)
                return state.position
            })
    }
}

/// Paths by the process's own transitions: exact at any times.
public struct ExactPaths<Process: ExactProcess>: PathSampler {
    /// The process.
    public var process: Process

    /// Paths of a process.
    public init(_ process: Process) {
        self.process = process
    }

    /// One transition.
    public func advance(_ state: PathState, to time: Double, _ random: RandomGenerator) -> PathState {
        PathState(
            position: process.transition(state.position, duration: time - state.time, random), time: time)
    }
}

/// Paths by x + f·Δ + g·ΔB, in equal steps of at most a given length.
/// Source: Maruyama 1955; Kloeden and Platen 1992, section 10.2: of strong order ½, 1 where g is constant.
public struct EulerMaruyama<Process: ItoProcess>: PathSampler {
    /// The process.
    public var process: Process
    /// The longest Δ.
    public var stepSize: Double

    /// Paths of a process in steps.
    public init(_ process: Process, stepSize: Double) {
        self.process = process
        self.stepSize = stepSize
    }

    /// As many steps as are needed.
    public func advance(_ state: PathState, to time: Double, _ random: RandomGenerator) -> PathState {
        let length = time - state.time
        let count = stepCount(length, stepSize)
        let delta = length / Double(count)
        var next = state
        for index in 0..<count {
            let x = next.position
            next = step(
                next, by: delta, increment: random.normal(x.shape, x.elementType) * delta.squareRoot())
            next.time = state.time + Double(index + 1) * delta
        }
        return next
    }

    /// One step with a given increment ΔB ~ N(0, Δ) of the Brownian motion.
    public func step(_ state: PathState, by delta: Double, increment: Tensor) -> PathState {
        let x = state.position
        let moved = x.adding(process.drift(x, at: state.time), scale: delta)
        return PathState(
            position: moved + process.diffusion(x, at: state.time) * increment, time: state.time + delta)
    }
}

/// How many equal steps of at most `stepSize` make a length of time. A length that is a whole number of steps but for
/// rounding takes no more.
/// - Precondition: there are such steps, and fewer than 2⁶³.
func stepCount(_ length: Double, _ stepSize: Double) -> Int {
    guard let count = Int(exactly: (length / stepSize - 1e-9).rounded(.up)) else {
        preconditionFailure("steps of \(stepSize) do not make a time of \(length)")
    }
    return max(1, count)
}
