import Foundation
import Tensors

/// The variational bound of bits as a loss, in bits per dimension: T times the term of the drawn time, so that its mean over
/// even times is the bound on −log₂ p(x₀).
///
///     L_{t−1} = KL(q(x_{t−1} | x_t, x₀) ‖ p(x_{t−1} | x_t)),   L₀ = −log p(x₀ | x₁)
///
/// with p(x_{t−1} | x_t) the average of q(x_{t−1} | x_t, x₀) over the network's bits of the data. Nothing of the data is left in
/// x_T, so that there is no L_T. The article's last step is the forward kernel of β₁; here it is learned like the others.
///
/// Data that are not below 0 are the bit 1, the others −1. What is drawn after the times are numbers in 0 ..< 1, shaped as the
/// data: a bit of x_t is 1 where its number is below ½·(1 + ā_t·x₀).
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), equation 14 and appendix B; Austin et al. 2021 (arXiv:2107.03006),
/// equation 1.
public struct BinomialObjective: TimedObjective {
    /// What is trained, and how its network takes a sample.
    public let process: Process
    /// How times are drawn.
    public let times: any TimeSampling

    /// An objective.
    /// - Throws: `DiffusionError` where samples of the process are no bits.
    public init(_ process: Process, times: (any TimeSampling)? = nil) throws {
        guard process.isOfBits else {
            throw DiffusionError(
                "the bound of bits is of a process that flips bits: use the binomial one")
        }
        self.process = process
        self.times = times ?? process.schedule.uniformTimes
    }

    /// T·L_{t−1}, or T·L₀ at the first time.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let schedule = process.schedule
        let (levels, before) = (times.map(schedule.level(at:)), times.map { schedule.level(at: $0 - 1) })
        // The chances of rare bits are differences of numbers near 1, and need float64.
        let data = example.data.to(.float64).bits
        func column(_ values: [Double]) -> Tensor { factorColumn(values, like: data) }
        let posterior = BitPosterior(
            kept: column(zip(levels, before).map { $0.alpha / $1.alpha }), before: column(before.map(\.alpha))
        )

        let uniform = generator.uniform(data.shape, .float64).sent(to: data.device)
        let x = ((1 + column(levels.map(\.alpha)) * data) / 2 - uniform).bits
        let batch = ProcessBatch(process, times: times, like: example.data)
        let logits = try batch.output(roles.student, x.to(example.data.elementType)).to(.float64)

        let q = posterior(x, data: data)
        let p = posterior.logarithms(x, dataLogits: logits)
        let terms = divergence(q, p.ofOne) + divergence(1 - q, p.ofMinusOne)
        let bits = terms.meanPerExample() * (Double(schedule.wholeTimeCount ?? 1) / log(2))
        return Losses(bits.to(example.data.elementType))
    }

    /// q·ln(q/p), nothing where q = 0.
    private func divergence(_ q: Tensor, _ logP: Tensor) -> Tensor {
        q * (q.clamped(from: 1e-300).log() - logP)
    }
}

extension BitPosterior {
    /// ln P(x_s = 1 | x_t) and ln P(x_s = −1 | x_t) where the data are 1 with odds of given logarithms.
    func logarithms(_ x: Tensor, dataLogits: Tensor) -> (ofOne: Tensor, ofMinusOne: Tensor) {
        let (one, minusOne) = self(x)
        let (logOne, logMinusOne) = (dataLogits.logSigmoid(), (-dataLogits).logSigmoid())
        func sum(_ a: Tensor, _ b: Tensor) -> Tensor {
            logarithmOfSum(.tensor(logOne + a.log()), .tensor(logMinusOne + b.log()))
        }
        return (sum(one, minusOne), sum(1 - one, 1 - minusOne))
    }
}

private let logarithmOfSum = Operator("aten::logaddexp")
