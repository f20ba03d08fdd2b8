import Foundation
import Tensors

/// The density of a one-dimensional process in time: ∂p/∂t = −∂(f·p)/∂x + ½·∂²(g²·p)/∂x², on an interval that nothing
/// leaves.
///
/// Finite volumes: what flows out of a cell flows into its neighbour, so that mass is kept to rounding. The flux
/// between cells is that of Chang and Cooper, which keeps the density positive and is exact in the stationary state
/// of locally constant coefficients; the steps in time are Crank–Nicolson's, or implicit.
/// Source: Chang and Cooper 1970, equations 10 to 18; Scharfetter and Gummel 1969 write the same flux.
public struct FokkerPlanck<Process: ItoProcess>: Sendable {
    /// A density at a time.
    public struct State: Sendable {
        /// p in each cell.
        public var density: [Double]
        /// t
        public var time: Double
    }

    /// The process.
    public let process: Process
    /// The interval.
    public let interval: ClosedRange<Double>
    /// The number of cells.
    public let cells: Int
    /// The share of a step's end in its flux: ½ is Crank–Nicolson's, of second order; 1 is implicit, of first order
    /// and positive for any step.
    public var implicitness: Double

    /// The equation of a process on an interval in equal cells.
    public init(_ process: Process, on interval: ClosedRange<Double>, cells: Int, implicitness: Double = 0.5)
    {
        precondition(cells > 1 && (0.5...1).contains(implicitness), "an unstable scheme")
        self.process = process
        self.interval = interval
        self.cells = cells
        self.implicitness = implicitness
    }

    /// Δx
    public var width: Double { (interval.upperBound - interval.lowerBound) / Double(cells) }

    /// The middle of each cell.
    public var centres: [Double] { (0..<cells).map { interval.lowerBound + (Double($0) + 0.5) * width } }

    /// A start from a density, scaled to mass 1.
    public func start(at time: Double = 0, _ density: (Double) -> Double) -> State {
        let values = centres.map(density)
        let mass = values.reduce(0, +) * width
        return State(density: values.map { $0 / mass }, time: time)
    }

    /// The mass in the interval.
    public func mass(_ state: State) -> Double { state.density.reduce(0, +) * width }

    /// The density a step later.
    /// - Throws: the error that the process's drift or diffusion carries.
    public func step(_ state: State, by delta: Double) throws -> State {
        let flux = try coefficients(at: state.time + implicitness * delta)
        let (explicit, implicit) = ((1 - implicitness) * delta / width, implicitness * delta / width)
        // What the flux of the known density brings to each cell.
        var right = state.density
        for (face, (up, down)) in flux.enumerated() {
            let flow = (up * state.density[face] - down * state.density[face + 1]) * explicit
            right[face] -= flow
            right[face + 1] += flow
        }
        var (lower, diagonal, upper) = ([0.0], [Double](repeating: 1, count: cells), [Double]())
        for (face, (up, down)) in flux.enumerated() {
            diagonal[face] += up * implicit
            diagonal[face + 1] += down * implicit
            lower.append(-up * implicit)
            upper.append(-down * implicit)
        }
        return State(
            density: solved(lower: lower, diagonal: diagonal, upper: upper, right: right),
            time: state.time + delta)
    }

    /// The density at a later time, in equal steps of at most a given length.
    /// - Throws: the error that the process's drift or diffusion carries.
    public func advance(_ state: State, to time: Double, stepSize: Double) throws -> State {
        let count = stepCount(time - state.time, stepSize)
        let delta = (time - state.time) / Double(count)
        return try (0..<count).reduce(state) { state, _ in try step(state, by: delta) }
    }

    /// At each face between cells the factors (a, b) of the flux J = a·p_left − b·p_right.
    private func coefficients(at time: Double) throws -> [(up: Double, down: Double)] {
        let faces = (1..<cells).map { interval.lowerBound + Double($0) * width }
        let (inner, middle) = (Tensor(faces), Tensor(centres))
        func diffusivity(_ x: Tensor) throws -> [Double] {
            let g = process.diffusion(x, at: time)
            return try (g.squared() * 0.5).expanded(to: x.shape).array()
        }
        let drift = try process.drift(inner, at: time).array(of: Double.self)
        let (d, atCentres) = (try diffusivity(inner), try diffusivity(middle))
        return (0..<cells - 1).map { face in
            // −∂(f·p) + ∂²(D·p) = −∂[(f − D′)·p − D·∂p]
            let velocity = drift[face] - (atCentres[face + 1] - atCentres[face]) / width
            guard d[face] > 0 else { return (max(velocity, 0), max(-velocity, 0)) }
            let w = velocity * width / d[face]
            return (d[face] / width * bernoulli(-w), d[face] / width * bernoulli(w))
        }
    }
}

/// w/(e^w − 1), 1 at w = 0.
private func bernoulli(_ w: Double) -> Double { abs(w) < 1e-8 ? 1 - w / 2 : w / expm1(w) }

/// The solution of a tridiagonal system by elimination; `lower[0]` is not read.
private func solved(lower: [Double], diagonal: [Double], upper: [Double], right: [Double]) -> [Double] {
    var (diagonal, x) = (diagonal, right)
    for i in 1..<x.count {
        let factor = lower[i] / diagonal[i - 1]
        diagonal[i] -= factor * upper[i - 1]
        x[i] -= factor * x[i - 1]
    }
    x[x.count - 1] /= diagonal[x.count - 1]
    for i in stride(from: x.count - 2, through: 0, by: -1) {
        x[i] = (x[i] - upper[i] * x[i + 1]) / diagonal[i]
    }
    return x
}
