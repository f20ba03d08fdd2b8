import Foundation
import Tensors

/// The variational bound on −log₂ p(x₀) of a discrete process, in bits per dimension:
/// L = L_T + Σ L_{t−1} + L₀.
///
/// L_T is the divergence of q(x_T | x₀) from the standard normal, L_{t−1} that of the posterior
/// q(x_{t−1} | x_t, x₀) from the model's step, L₀ the discrete decoder's −log p(x₀ | x₁).
/// Source: Ho et al. 2020 (arXiv:2006.11239), equation 5; Nichol and Dhariwal 2021 (arXiv:2102.09672),
/// section 2.1, for the variances.
public struct VariationalBound: Sendable {
    /// What the variance of the model's steps can be.
    public typealias Variance = ReverseVariance

    /// What −log p(x₀ | x₁) is of.
    public enum Decoder: Sendable {
        /// The bin of 1/127.5 around each value of a pixel in −1 … 1, the outermost ones to infinity.
        case pixels
        /// The same with Φ in the approximation of the articles' code.
        case approximatePixels
        /// The density at each value, for data that are no pixels.
        case density
    }

    /// The process.
    public let schedule: DiscreteSchedule
    /// What the network's output means.
    public let prediction: any OutputMeaning
    /// The variance of the model's steps; under `learned` and `learnedRange` the second half of the
    /// output's channels gives it.
    public let variance: Variance
    /// Whether estimated data are cut off at ±1.
    public let clipsData: Bool
    /// What L₀ is.
    public let decoder: Decoder
    private let tables: BoundTables

    /// A bound.
    /// - Precondition: the process has at least two steps, for the first takes the second's variance.
    public init(
        schedule: DiscreteSchedule, prediction: any OutputMeaning, variance: Variance = .fixedSmall,
        clipsData: Bool = false, decoder: Decoder = .pixels
    ) {
        self.schedule = schedule
        self.prediction = prediction
        self.variance = variance
        self.clipsData = clipsData
        self.decoder = decoder
        tables = BoundTables(schedule, variance)
    }

    /// Whether the network gives the variance too.
    public var learnsVariance: Bool { variance == .learned || variance == .learnedRange }

    /// The network's output as prediction and the channels of the variance, `nil` where it is fixed.
    func parts(_ output: Tensor) -> (prediction: Tensor, variance: Tensor?) {
        guard learnsVariance else { return (output, nil) }
        let halves = output.chunked(2, of: 1)
        return (halves[0], halves[1])
    }

    /// Mean and logarithm of the variance of the model's step down from `times`.
    /// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 15, with the network's number in
    /// −1 … 1 for the share 0 … 1 of ln β.
    public func step(_ x: Tensor, times: Tensor, output: Tensor) -> (mean: Tensor, logVariance: Tensor) {
        let at = tables.columns(of: times, like: x)
        let (predicted, share) = parts(output)
        let (alpha, sigma) = (at(tables.alpha), at(tables.sigma))
        let data = prediction.data(predicted, sample: x, alpha: alpha, sigma: sigma)
        let mean =
            at(tables.dataFactor) * (clipsData ? data.clamped(to: -1...1) : data)
            + at(tables.sampleFactor) * x
        guard let share else {
            return (mean, at(tables.logFixedVariance).expanded(to: x.shape))
        }
        guard variance == .learnedRange else { return (mean, share) }
        let fraction = (share + 1) * 0.5
        let range = at(tables.logBeta) * fraction + at(tables.logPosteriorVariance) * (1 - fraction)
        return (mean, range)
    }

    /// L_{t−1} of each example, L₀ where its time is the first: `[batch]` in bits per dimension.
    /// - Parameters:
    ///   - data: x₀ `[batch, …]`
    ///   - x: the noisy sample at `times`
    ///   - output: what the network gave for it
    public func term(_ data: Tensor, sample x: Tensor, times: Tensor, output: Tensor) -> Tensor {
        let at = tables.columns(of: times, like: x)
        let model = step(x, times: times, output: output)
        let divergence = normalDivergence(
            mean: at(tables.dataFactor) * data + at(tables.sampleFactor) * x,
            logVariance: at(tables.logPosteriorVariance), from: model.mean, logVariance: model.logVariance)
        let surprise = -decoded(data, mean: model.mean, logDeviation: model.logVariance * 0.5)
        let isFirst = (times .== 0).sent(to: x.device).broadcast(toRank: x.rank)
        return isFirst.choosing(surprise, otherwise: divergence).meanPerExample() / log(2)
    }

    /// ln p(x₀ | x₁) of each element.
    private func decoded(_ data: Tensor, mean: Tensor, logDeviation: Tensor) -> Tensor {
        switch decoder {
        case .pixels: return discreteLogLikelihood(of: data, mean: mean, logDeviation: logDeviation)
        case .approximatePixels:
            return discreteLogLikelihood(
                of: data, mean: mean, logDeviation: logDeviation, approximate: true)
        case .density:
            let square = ((data - mean) * (-logDeviation).exp()).squared()
            return -0.5 * (square + log(2 * Double.pi)) - logDeviation
        }
    }

    /// L_T of each example: `[batch]` in bits per dimension.
    public func prior(_ data: Tensor) -> Tensor {
        let last = schedule.level(at: schedule.start)
        let zero = data * 0
        return normalDivergence(
            mean: data * last.alpha, logVariance: zero + 2 * log(last.sigma), from: zero, logVariance: zero
        ).meanPerExample() / log(2)
    }

    /// The whole bound, each step with one draw of noise.
    /// - Parameters:
    ///   - noise: ε `[batch, …]` for a time; a function, so that all steps need not be held at once.
    ///   - network: `(x_t, times [batch]) → output`
    public func evaluate(
        _ data: Tensor, noise: (_ time: Int) -> Tensor, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Terms {
        let steps = (0..<schedule.count).map { time in
            let level = schedule.level(at: Double(time))
            let x = (data * level.alpha).adding(noise(time), scale: level.sigma)
            let times = Tensor(Array(repeating: time, count: data.shape[0])).to(data.device)
            return term(data, sample: x, times: times, output: network(x, times))
        }
        return Terms(prior: prior(data), steps: stacked(steps, along: 1))
    }

    /// The terms of a bound, in bits per dimension.
    public struct Terms: Sendable {
        /// L_T, `[batch]`
        public let prior: Tensor
        /// L₀, L₁ … L_{T−1}, `[batch, T]`
        public let steps: Tensor
        /// Their sum, `[batch]`
        public var total: Tensor { prior + steps.sum([1]) }
    }
}

/// What the terms read of each time, `[T]` in float64.
private struct BoundTables: Sendable {
    let alpha: Tensor
    let sigma: Tensor
    let dataFactor: Tensor
    let sampleFactor: Tensor
    let logBeta: Tensor
    /// ln β̃; the first step, whose β̃ is 0, has the second's.
    let logPosteriorVariance: Tensor
    /// ln of the fixed variance: β̃, or β with the first step's as above, for the decoder's sake.
    let logFixedVariance: Tensor

    init(_ schedule: DiscreteSchedule, _ variance: VariationalBound.Variance) {
        precondition(schedule.count > 1, "a bound needs at least two steps")
        func column(_ value: (Int) -> Double) -> Tensor { Tensor((0..<schedule.count).map(value)) }
        let levels = (0..<schedule.count).map { schedule.level(at: Double($0)) }
        let transitions = levels.indices.map { time in
            Transition(from: levels[time], to: time == 0 ? .data : levels[time - 1])
        }
        func logPosterior(_ time: Int) -> Double { log(transitions[max(time, 1)].posteriorVariance) }
        alpha = column { levels[$0].alpha }
        sigma = column { levels[$0].sigma }
        dataFactor = column { transitions[$0].dataFactor }
        sampleFactor = column { transitions[$0].sampleFactor }
        logBeta = column { log(schedule.betas[$0]) }
        logPosteriorVariance = column(logPosterior)
        switch variance {
        case .fixedLarge, .fixedLargeLog:
            logFixedVariance = column { $0 == 0 ? logPosterior(0) : log(schedule.betas[$0]) }
        case .fixedSmall, .fixedSmallLog, .learned, .learnedRange:
            logFixedVariance = logPosteriorVariance
        }
    }
    /// A table's numbers at the times of examples, `[batch, 1, …]`, where samples are and of their type.
    func columns(of times: Tensor, like x: Tensor) -> (_ table: Tensor) -> Tensor {
        let times = times.to(.cpu)
        return { $0.gathered(times).to(x.elementType).sent(to: x.device).broadcast(toRank: x.rank) }
    }
}
