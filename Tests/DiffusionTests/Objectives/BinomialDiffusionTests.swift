import Diffusion
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct BinomialDiffusionTests {
    private let betas = [0.1, 0.3, 0.2, 0.6]

    /// All sequences of n bits, `[2ⁿ, n]`.
    private func sequences(_ count: Int) -> Tensor {
        let bits = (0..<(1 << count)).flatMap { number in (0..<count).map { Double((number >> $0) & 1) } }
        return Tensor(bits, shape: [1 << count, count])
    }

    /// P(each sequence) where each bit of row i is 1 with the probability in row i: `[rows, 2ⁿ]`.
    private func probabilities(_ ofOne: Tensor) -> Tensor {
        let all = sequences(ofOne.shape[1]).unsqueezed(0)
        let p = ofOne.unsqueezed(1)
        return (all * p + (1 - all) * (1 - p)).log().sum([2]).exp()
    }

    /// P(x_t | x_{t−1}) of all sequences, `[2ⁿ, 2ⁿ]`.
    private func kernel(_ beta: Double, _ count: Int) -> Tensor {
        probabilities(sequences(count) * (1 - beta) + beta / 2)
    }

    private func times(_ time: Int, _ count: Int) -> Tensor { Tensor(Array(repeating: time, count: count)) }

    /// Marginals and posteriors of the chain, by sums over every sequence.
    @Test(arguments: [1, 3, 6])
    func marginalsAndPosteriorsByEnumeration(count: Int) {
        let process = BinomialDiffusion(betas: betas, elementType: .float64)
        let (all, size) = (sequences(count), 1 << count)
        var chain = Tensor.identity(size, .float64)
        for (time, beta) in betas.enumerated() {
            let (before, step) = (chain, kernel(beta, count))
            chain = chain.matmul(step)
            let ofOne = process.marginal(all, times: times(time, size))
            expectClose(probabilities(ofOne), chain, absolute: 1e-14)
            // P(x_{t−1} | x_t, x₀) of one x₀ and every x_t: Bayes' rule on whole sequences.
            let start = size / 3
            let joint = before[start].unsqueezed(1) * step
            let exact = (joint / joint.sum([0])).transposed()
            let posterior = process.posterior(
                all[start].unsqueezed(0).repeated([size, 1]), sample: all, times: times(time, size))
            guard time > 0 else { continue }
            expectClose(probabilities(posterior), exact, absolute: 1e-13)
            // A certain estimate of x₀ gives the posterior.
            let certain = process.reverseStep(
                all, times: times(time, size), data: all[start].unsqueezed(0).repeated([size, 1]))
            expectClose(certain, posterior, absolute: 1e-14)
        }
    }

    @Test func drawsFollowTheMarginal() throws {
        let process = BinomialDiffusion(stepCount: 10, elementType: .float64)
        let data = Tensor([0.0, 1]).repeated([50_000, 1])
        let uniform = RandomGenerator(seed: 3).uniform([50_000, 2], .float64)
        // ā_t = (T − t)/T: after four steps six tenths are kept.
        let bits = process.noised(data, uniform: uniform, times: times(3, 50_000)).mean([0])
        expectClose(bits, Tensor([0.2, 0.8]), absolute: 4 * (0.16 / 50_000).squareRoot())
    }

    /// K ≤ ln p_θ(x₀) for every x₀ and any reverse process, both by sums over every sequence; and what the
    /// model draws has the shares that p_θ says.
    @Test func theBoundIsBelowTheLikelihood() throws {
        let (count, size) = (4, 16)
        let process = BinomialDiffusion(betas: betas, elementType: .float64)
        let all = sequences(count)
        for seed in 0..<5 {
            let tables = RandomGenerator(seed: UInt64(seed)).normal([4, size, count], .float64)
            let places = Tensor((0..<count).map { Double(1 << $0) })
            let reverse: BinomialDiffusion.Reverse = { x, times in
                let number = (x * places).sum([1]).to(.int64)
                return tables.reshaped([4 * size, count]).gathered((times * Double(size)).to(.int64) + number)
                    .sigmoid()
            }
            var likelihood = Tensor.full(1 / Double(size), [1, size], .float64)
            for time in [3, 2, 1] {
                likelihood = likelihood.matmul(probabilities(reverse(all, times(time, size))))
            }
            likelihood = likelihood.matmul(kernel(betas[0], count))[0]
            for start in 0..<size {
                let data = all[start].unsqueezed(0).repeated([size, 1])
                // The constants, by a reverse process that is the posterior; then each step's expectation.
                var bound = try process.bound(data, uniform: { _ in data * 0 + 0.5 }) { x, times in
                    process.posterior(data, sample: x, times: times)
                }[0].item(Double.self)
                for time in 1..<4 {
                    let steps = times(time, size)
                    let weights = probabilities(process.marginal(data, times: steps))[0]
                    let each = process.divergence(data, sample: all, times: steps, reverse: reverse)
                    bound -= try (weights * each).sum().item()
                }
                #expect(try bound <= log(likelihood[start].item()) + 1e-12)
            }
            guard seed == 0 else { continue }
            let samples = process.sample([40_000, count], RandomGenerator(seed: 9), reverse: reverse)
            let numbers = try (samples * places).sum([1]).array(of: Int.self)
            for start in 0..<size {
                let p = try likelihood[start].item(Double.self)
                let share = Double(numbers.count { $0 == start }) / 40_000
                #expect(abs(share - p) < 4.5 * (p * (1 - p) / 40_000).squareRoot())
            }
        }
    }

    @Test func gradientsAreThoseOfDifferences() throws {
        let process = BinomialDiffusion(betas: betas, elementType: .float64)
        let generator = RandomGenerator(seed: 2)
        let data = generator.coin([6, 3], probability: 0.4).to(.float64)
        let uniform = generator.uniform([6, 3], .float64)
        try expectGradient(at: generator.normal([3, 3], .float64)) { weights in
            process.bound(data, uniform: { _ in uniform }) { x, times in
                process.reverseStep(x, times: times, data: (x.matmul(weights) - 0.3).sigmoid())
            }.mean()
        }
    }

    /// Heartbeats: 20 bits, a one in every fifth place, five sequences in all. Source: the article's
    /// section 3.1.2, figure 2.
    @Test func heartbeatsAreRecovered() throws {
        let (steps, length, generator) = (400, 20, RandomGenerator(seed: 4))
        let beats = Tensor(
            (0..<5).flatMap { phase in (0..<length).map { $0 % 5 == phase ? Float(1) : 0 } },
            shape: [5, length])
        let process = BinomialDiffusion(stepCount: steps)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let layers = try store.build { weights in
            [
                Linear(inputs: length + 1, outputs: 64, weights["0"]),
                Linear(inputs: 64, outputs: 64, weights["1"]),
                Linear(inputs: 64, outputs: length, weights["2"]),
            ]
        }
        let reverse: BinomialDiffusion.Reverse = { x, times in
            let share = times.to(.float32).unsqueezed(1) / Double(steps)
            let input = concatenated([x * 2 - 1, share], along: 1)
            let logits = layers[2](layers[1](layers[0](input).silu()).silu())
            return process.reverseStep(x, times: times, data: logits.sigmoid())
        }
        let optimizer = AdamW(store, AdamW.Configuration(weightDecay: 0))
        for step in 0..<600 {
            let data = beats.gathered(generator.integers([256], in: 0..<5))
            let bound = process.bound(
                data, uniform: generator.uniform([256, length]),
                times: generator.integers([256], in: 1..<steps), reverse: reverse)
            try (bound.mean() * -1).backward()
            try optimizer.step(learningRate: 5e-3 * (1 - Double(step) / 600))
            try optimizer.clearGradients()
        }
        try inference {
            let bound = try process.bound(
                beats.repeated([40, 1]), uniform: { _ in generator.uniform([200, length]) }, reverse: reverse
            ).mean().item(Double.self)
            // The best is −ln 5 = −1.609.
            #expect(bound > -log(5) - 0.6 && bound < -log(5) + 0.05, "\(bound)")
            let samples = process.sample([200, length], generator, reverse: reverse)
            let distances = (samples.unsqueezed(1) - beats).magnitude().sum([2])
            let isBeat = (distances.min([1]) .== 0).to(.float32)
            #expect(try isBeat.mean().item() > 0.85)
            let phases = Set(try distances.indexOfMin(1).array(of: Int.self))
            #expect(phases.count == 5)
        }
    }
}
