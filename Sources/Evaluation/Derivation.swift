import Diffusion
import Foundation
import Tensors

/// The derivation of diffusion models checked in numbers on one process, with the estimates of one denoiser.
///
/// Each step of it is worked out a second time, from its definition, in float64.
/// Source: Ho et al. 2020 (arXiv:2006.11239), sections 2 and 3; Song et al. 2021 (arXiv:2010.02502), section 4.
public struct Derivation {
    private let chain: CodingChain
    private let denoiser: Denoiser
    /// x₀ and ε, `[2, …]`
    private let (data, noise): (Tensor, Tensor)
    /// The places in the chain where estimates are looked at.
    private let places: [Int]

    /// The fewest steps of a table.
    private static let fewest = 5
    /// The number of levels of a continuous process.
    private static let levels = 50

    /// The derivation on a process.
    /// - Parameters:
    ///   - shape: of one example.
    ///   - denoiser: must take float64 samples of α² + σ² = 1.
    /// - Throws: `DiffusionError` where the process has no chain of steps.
    public init(_ schedule: any NoiseSchedule, shape: Shape, denoiser: Denoiser, seed: UInt64 = 0) throws {
        let isTable = schedule is DiscreteSchedule
        chain = try CodingChain(schedule, count: isTable ? nil : Self.levels)
        guard chain.levels.count >= Self.fewest else {
            throw DiffusionError(
                "a process of \(chain.levels.count) steps is too short for its derivation to be checked: \(Self.fewest) are needed"
            )
        }
        self.denoiser = denoiser
        let generator = RandomGenerator(seed: seed)
        let batch = Shape([2] + shape.extents)
        data = (generator.normal(batch, .float64) * 0.5).clamped(to: -1...1)
        noise = generator.normal(batch, .float64)
        let last = chain.levels.count - 1
        // Where no signal is left, a predicted noise says nothing, so the very end is not looked at.
        places = [max(1, last / 4), max(1, last / 2), max(1, last * 3 / 4)].reduce(into: []) {
            if !$0.contains($1) { $0.append($1) }
        }
    }

    private var betas: [Double] { chain.table.betas }
    private var bars: [Double] { chain.table.alphaBars }

    /// Every check.
    /// - Throws: the error that a tensor carries.
    public func checks() throws -> [DerivationCheck] {
        try inference {
            let states = places.map(state)
            for state in states { try state.estimate.data.rethrow() }
            return try [
                forward(), marginal(states), posterior(states), posteriorByNoise(states), divergence(states),
                meanError(states), noiseError(states), predictions(states), tweedie(states),
                ancestral(states), strided(states), climb(states), prior(),
            ]
        }
    }

    /// A sample at a place, with its estimate.
    private struct State {
        let place: Int
        let level: NoiseLevel
        let before: NoiseLevel
        let x: Tensor
        let estimate: Estimate
    }

    private func state(_ place: Int) -> State {
        let (level, before) = (chain.levels[place], chain.levels[place - 1])
        let x = (data * level.alpha).adding(noise, scale: level.sigma)
        return State(place: place, level: level, before: before, x: x, estimate: denoiser(x, level))
    }

    private func check(
        _ statement: String, _ source: String, _ pairs: [(Tensor, Tensor)], limit: Double = 1e-8
    ) throws -> DerivationCheck {
        let differences = try pairs.map { found, wanted in
            let size = maximum(wanted.magnitude(), Tensor.ones(wanted.shape, .float64))
            return try ((found - wanted).magnitude() / size).max().item(Double.self)
        }
        return DerivationCheck(
            statement, source: source, difference: differences.max() ?? 0, limit: limit)
    }

    private func check(_ statement: String, _ source: String, _ pairs: [(Double, Double)]) -> DerivationCheck
    {
        let difference = pairs.map { abs($0 - $1) / max(1, abs($1)) }.max() ?? 0
        return DerivationCheck(statement, source: source, difference: difference)
    }

    // MARK: The forward process

    /// Mean and variance by recursion, x_t = √(1 − β)·x_{t−1} + √β·ε.
    private func forward() -> DerivationCheck {
        var (mean, variance, pairs) = (1.0, 0.0, [(Double, Double)]())
        for (beta, bar) in zip(betas, bars) {
            (mean, variance) = (mean * (1 - beta).squareRoot(), (1 - beta) * variance + beta)
            pairs += [(mean, bar.squareRoot()), (variance, 1 - bar)]
        }
        return check(
            "the forward process in one step is the forward process step by step, at all \(betas.count) times",
            "DDPM, equation 4", pairs)
    }

    private func marginal(_ states: [State]) throws -> DerivationCheck {
        try check(
            "the sample is α·x̂₀ + σ·ε̂ of the model's own estimate", "DDPM, equation 9",
            states.map { ($0.estimate.data * $0.level.alpha + $0.estimate.noise * $0.level.sigma, $0.x) },
            limit: 1e-5)
    }

    // MARK: The posterior

    private func bound(_ variance: ReverseVariance = .fixedSmall) -> VariationalBound {
        VariationalBound(
            schedule: chain.table, prediction: Prediction.data, variance: variance, decoder: .density)
    }

    private func times(_ state: State) -> Tensor { Tensor([state.place, state.place]) }

    /// Mean and variance of q(x_{t−1} | x_t, x₀), by the product of two Gaussians.
    private func bayes(_ state: State) -> (mean: Tensor, variance: Double) {
        let (beta, before) = (betas[state.place], bars[state.place - 1])
        let precision = (1 - beta) / beta + 1 / (1 - before)
        let sum =
            state.x * ((1 - beta).squareRoot() / beta) + data * (before.squareRoot() / (1 - before))
        return (sum / precision, 1 / precision)
    }

    private func posterior(_ states: [State]) throws -> DerivationCheck {
        let pairs = states.flatMap { state -> [(Tensor, Tensor)] in
            let step = bound().step(state.x, times: times(state), output: data)
            let wanted = bayes(state)
            return [
                (step.mean, wanted.mean),
                (step.logVariance.exp() / wanted.variance, Tensor.ones(data.shape, .float64)),
            ]
        }
        return try check(
            "posterior mean and variance are those of Bayes's rule on two Gaussians",
            "DDPM, equations 6 and 7",
            pairs)
    }

    /// (x_t − β/√(1 − ᾱ)·ε)/√(1 − β)
    private func meanByNoise(_ state: State, _ noise: Tensor) -> Tensor {
        let (beta, bar) = (betas[state.place], bars[state.place])
        return state.x.adding(noise, scale: -beta / (1 - bar).squareRoot()) / (1 - beta).squareRoot()
    }

    private func posteriorByNoise(_ states: [State]) throws -> DerivationCheck {
        try check(
            "the posterior mean by the noise is the posterior mean by the data", "DDPM, equation 10",
            states.map { (meanByNoise($0, noise), bayes($0).mean) })
    }

    // MARK: The bound

    /// The divergence of a few elements against a fine sum over the line.
    private func divergence(_ states: [State]) throws -> DerivationCheck {
        let pairs = try states.flatMap { state -> [(Double, Double)] in
            let (mean, variance) = bayes(state)
            let own = bound(.fixedLarge).step(state.x, times: times(state), output: state.estimate.data)
            func few(_ tensor: Tensor) throws -> [Double] {
                try Array(tensor.flattened().array(of: Double.self).prefix(4))
            }
            return try zip(few(mean), zip(few(own.mean), few(own.logVariance))).map { q, p in
                let closed = normalDivergence(
                    mean: Tensor(q), logVariance: Tensor(log(variance)), from: Tensor(p.0),
                    logVariance: Tensor(p.1))
                return (try closed.item(Double.self), Self.summed(q, variance, p.0, exp(p.1)))
            }
        }
        return check(
            "the divergence of two Gaussians in closed form is E[ln q − ln p] by a sum over the line",
            "DDPM, equation 5", pairs)
    }

    /// ∫ q·(ln q − ln p), by trapezoids that converge faster than any power for such functions.
    private static func summed(_ m1: Double, _ v1: Double, _ m2: Double, _ v2: Double) -> Double {
        let (count, reach) = (2000, 12.0)
        return (0...count).reduce(0) { sum, index in
            let z = reach * (2 * Double(index) / Double(count) - 1)
            let x = m1 + z * v1.squareRoot()
            let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            let difference = (-z * z - log(v1) + (x - m2) * (x - m2) / v2 + log(v2)) / 2
            return sum + density * difference * 2 * reach / Double(count)
        }
    }

    /// L_{t−1} in nats an element, with the variance of the posterior.
    private func term(_ state: State) -> Tensor {
        bound().term(data, sample: state.x, times: times(state), output: state.estimate.data) * log(2)
    }

    private func meanError(_ states: [State]) throws -> DerivationCheck {
        let pairs = states.map { state in
            let (mean, variance) = bayes(state)
            let own = bound().step(state.x, times: times(state), output: state.estimate.data).mean
            return (term(state), (mean - own).squared().meanPerExample() / (2 * variance))
        }
        return try check(
            "a term of the bound with fixed variance is the squared error of the mean over 2σ²",
            "DDPM, equation 8", pairs)
    }

    private func noiseError(_ states: [State]) throws -> DerivationCheck {
        let pairs = states.map { state in
            let (beta, bar) = (betas[state.place], bars[state.place])
            let weight = beta * beta / (2 * bayes(state).variance * (1 - beta) * (1 - bar))
            let own = state.x.adding(state.estimate.data, scale: -state.level.alpha) / state.level.sigma
            return (term(state), (noise - own).squared().meanPerExample() * weight)
        }
        return try check(
            "the same term is the squared error of the noise, times the weight that L_simple leaves out",
            "DDPM, equations 12 and 14", pairs)
    }

    private func prior() -> DerivationCheck {
        let bar = bars[bars.count - 1]
        let mean = (try? data.squared().mean().item(Double.self)) ?? .nan
        let closed = (bar * mean - bar - log(1 - bar)) / 2
        let found = (try? (bound().prior(data).mean() * log(2)).item(Double.self)) ?? .nan
        return check(
            "L_T, which nothing can change, is \(String(format: "%.2e", closed / log(2))) bits per dimension: what is left of the data in the most noise",
            "DDPM, equation 5", [(found, closed)])
    }

    // MARK: Predictions

    private func predictions(_ states: [State]) throws -> DerivationCheck {
        let pairs = states.flatMap { state in
            let own = consistent(state)
            return Prediction.allCases.filter { $0.isDefined(at: state.level) }.flatMap { prediction in
                let back = prediction.estimate(
                    prediction.output(own, at: state.level), sample: state.x, at: state.level)
                return [(back.data, own.data), (back.noise, own.noise)]
            }
        }
        return try check(
            "noise, data, v, flow and score are one prediction: each gives the same data and noise",
            "DDPM, section 3.2; Salimans and Ho 2022, appendix D", pairs)
    }

    /// The estimate with the noise that its data imply.
    private func consistent(_ state: State) -> Estimate {
        Estimate(
            data: state.estimate.data,
            noise: state.x.adding(state.estimate.data, scale: -state.level.alpha) / state.level.sigma)
    }

    private func tweedie(_ states: [State]) throws -> DerivationCheck {
        try check(
            "the score −ε̂/σ is (α·x̂₀ − x)/σ²", "Tweedie's formula; Song et al. 2021, section 3",
            states.map { state in
                let own = consistent(state)
                let score = Prediction.score.output(own, at: state.level)
                let wanted =
                    (own.data * state.level.alpha - state.x) / (state.level.sigma * state.level.sigma)
                return (score, wanted)
            })
    }

    // MARK: DDIM

    private func stepped(
        _ solver: some Solver<Void>, _ x: Tensor, _ step: StepGrid.Step, _ denoiser: Denoiser
    ) -> Tensor {
        var memory: Void = ()
        let source = NoiseSource(seed: 1, count: x.shape[0], elementType: .float64)
        return solver.step(x, step, &memory, denoiser: denoiser, noise: source).sample
    }

    private func ancestral(_ states: [State]) throws -> DerivationCheck {
        let pairs = states.map { state in
            let step = StepGrid(through: [state.level, state.before]).steps[0]
            let own = consistent(state)
            let fixed = Denoiser { _, _ in own }
            return (
                stepped(DDIMSolver(eta: 1), state.x, step, fixed),
                stepped(DDPMSolver(variance: .fixedSmall), state.x, step, fixed)
            )
        }
        return try check(
            "a step of DDIM with η = 1 is a step of DDPM, the same noise added",
            "DDIM, section 4.1", pairs)
    }

    private func strided(_ states: [State]) throws -> DerivationCheck {
        let known = Denoiser { [data, noise] _, _ in Estimate(data: data, noise: noise) }
        let pairs = states.map { state in
            let end = chain.levels[state.place / 2]
            let step = StepGrid(through: [state.level, end]).steps[0]
            return (
                stepped(DDIMSolver(), state.x, step, known),
                (data * end.alpha).adding(noise, scale: end.sigma)
            )
        }
        return try check(
            "a step of DDIM over many times keeps to q(x_s | x₀) where data and noise are known",
            "DDIM, equations 7 and 12", pairs)
    }

    /// x_{t+1} − x_t = √ᾱ_{t+1}·[(√(1/ᾱ_t) − √(1/ᾱ_{t+1}))·x_t + (√(1/ᾱ_{t+1} − 1) − √(1/ᾱ_t − 1))·ε̂]
    private func climb(_ states: [State]) throws -> DerivationCheck {
        let pairs = states.filter { bars[$0.place + 1] > 0 }.map { state in
            let next = chain.levels[state.place + 1]
            let (bar, above) = (bars[state.place], bars[state.place + 1])
            let own = consistent(state)
            let step = StepGrid(through: [state.level, next]).steps[0]
            let found = stepped(DDIMSolver(), state.x, step, Denoiser { _, _ in own })
            let move =
                state.x * ((1 / bar).squareRoot() - (1 / above).squareRoot())
                + own.noise * ((1 / above - 1).squareRoot() - (1 / bar - 1).squareRoot())
            return (found, state.x.adding(move, scale: above.squareRoot()))
        }
        return try check(
            "DDIM's step towards noise is the formula of its inversion", "DDIM, section 4.3", pairs)
    }
}
