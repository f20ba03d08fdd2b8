import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Bits ±1 as a process of recipes: its loss and its method, by sums over every sequence of bits.
@Suite struct BinomialObjectiveTests {
    private static let steps = 4

    private func process() throws -> Diffusion.Process {
        try ProcessDescription("binomial", ["train_steps": .number(Double(Self.steps))], prediction: "logit")
            .process
    }

    /// All sequences of n bits ±1, `[2ⁿ][n]`.
    private func sequences(_ count: Int) -> [[Double]] {
        (0..<(1 << count)).map { number in (0..<count).map { (number >> $0) & 1 == 1 ? 1 : -1 } }
    }

    /// P(x_t | x_{t−1}) of one bit in the article's words: kept with 1 − β, otherwise a coin, β_t = 1/(T − t + 1).
    private func kernel(_ time: Int, from before: Double, to after: Double) -> Double {
        let beta = 1 / Double(Self.steps - time)
        return (before == after ? 1 - beta : 0) + beta / 2
    }

    /// P(x_t | x₀) of one bit after the steps 0 … `time`.
    private func marginal(_ time: Int, of data: Double, _ x: Double) -> Double {
        guard time >= 0 else { return data == x ? 1 : 0 }
        return [-1.0, 1].reduce(0) {
            $0 + marginal(time - 1, of: data, $1) * kernel(time, from: $1, to: x)
        }
    }

    /// q(x_{t−1} | x_t, x₀) of one bit, by Bayes' rule.
    private func posterior(_ time: Int, _ before: Double, from x: Double, data: Double) -> Double {
        marginal(time - 1, of: data, before) * kernel(time, from: before, to: x) / marginal(time, of: data, x)
    }

    /// Logarithms of odds that depend on every bit and the time.
    private func logits(_ bits: [Double], _ time: Int) -> [Double] {
        bits.indices.map { place in
            let neighbour = bits[(place + 1) % bits.count]
            return 0.7 * bits[place] - 0.4 * neighbour + 0.3 * Double(time) - 0.5 * Double(place)
        }
    }

    private func network(_ x: Tensor, _ time: Tensor) -> Tensor {
        let next = concatenated([x.slice(1..<x.shape[1], of: 1), x.slice(0..<1, of: 1)], along: 1)
        let places = Tensor((0..<x.shape[1]).map(Double.init)).to(x.elementType)
        let times = time.to(x.elementType).expanded(to: [x.shape[0]]).unsqueezed(1)
        return x * 0.7 - next * 0.4 + times * 0.3 - places * 0.5
    }

    /// p(x_{t−1} | x_t) of one bit: the posterior, averaged over the network's bit of the data.
    private func model(_ time: Int, _ before: Double, from x: Double, logit: Double) -> Double {
        let one = 1 / (1 + exp(-logit))
        return [1.0, -1].reduce(0) { sum, data in
            // A bit that cannot have come from these data has no posterior.
            sum + (data == 1 ? one : 1 - one) * posterior(time, before, from: x, data: data)
        }
    }

    @Test func levelsAreTheShareThatIsKept() throws {
        let schedule = BinomialSchedule(count: 4)
        for time in 0..<4 {
            let level = schedule.level(at: Double(time))
            #expect(abs(marginal(time, of: 1, 1) - (1 + level.alpha) / 2) < 1e-15)
            #expect(abs(level.alpha * level.alpha + level.sigma * level.sigma - 1) < 1e-15)
            if time < 3 { #expect(abs(schedule.time(logSNR: level.logSNR) - Double(time)) < 1e-9) }
        }
        #expect(schedule.level(at: 3).alpha == 0 && schedule.level(at: -1).sigma == 0)
    }

    /// Each loss is T/ln 2 times the divergence of the article's posterior from the averaged one, at the bits that the
    /// network was shown.
    @Test(arguments: 0..<4)
    func lossesAreDivergencesByEnumeration(time: Int) throws {
        let objective = try BinomialObjective(process())
        let data = RandomGenerator(seed: UInt64(time)).normal([64, 3], .float64)
        var shown = data
        let roles = Roles { x, time in
            shown = x
            return network(x, time)
        }
        let times = Array(repeating: Double(time), count: 64)
        let losses = try objective.losses(Example(data: data), roles, at: times, RandomGenerator(seed: 9))
        let bits = try shown.array(of: Double.self)
        let signs = try data.array(of: Double.self).map { $0 < 0 ? -1.0 : 1 }
        let found = try losses.total.array(of: Double.self)
        #expect(Set(bits) == [-1, 1])
        for example in 0..<64 {
            let (x, x0) = (
                Array(bits[3 * example..<3 * example + 3]), Array(signs[3 * example..<3 * example + 3])
            )
            let outputs = logits(x, time)
            var divergence = 0.0
            for place in 0..<3 {
                for before in [-1.0, 1] {
                    let q = posterior(time, before, from: x[place], data: x0[place])
                    guard q > 0 else { continue }
                    divergence += q * log(q / model(time, before, from: x[place], logit: outputs[place]))
                }
            }
            let exact = divergence / 3 * Double(Self.steps) / log(2)
            #expect(abs(found[example] - exact) < 1e-9 + 1e-9 * exact)
        }
    }

    /// p(x₀) of every sequence by the model's reverse process from coins.
    private func likelihoods(_ count: Int) -> [Double] {
        let all = sequences(count)
        var law = Array(repeating: 1 / Double(all.count), count: all.count)
        for time in (0..<Self.steps).reversed() {
            law = all.map { before in
                zip(all, law).reduce(0) { sum, pair in
                    let outputs = logits(pair.0, time)
                    return sum
                        + before.indices.reduce(pair.1) {
                            $0 * model(time, before[$1], from: pair.0[$1], logit: outputs[$1])
                        }
                }
            }
        }
        return law
    }

    /// The mean of the losses is a bound on −log₂ p(x₀), and bits of data are drawn as they should be.
    @Test func theMeanLossIsAboveTheNegativeLogLikelihood() throws {
        let objective = try BinomialObjective(process())
        let law = likelihoods(3)
        #expect(abs(law.reduce(0, +) - 1) < 1e-12)
        for (sequence, likelihood) in zip(sequences(3), law) {
            let data = Tensor(sequence, shape: [1, 3]).repeated([8000, 1])
            let times = (0..<8000).map { Double($0 % Self.steps) }
            let losses = try objective.losses(
                Example(data: data), Roles(student: network), at: times, RandomGenerator(seed: 4))
            let bound = try losses.total.mean().item(Double.self) * 3
            #expect(bound > -log2(likelihood) - 0.05, "\(sequence): \(bound), \(-log2(likelihood))")
            #expect(bound < -log2(likelihood) + 2.5)
        }
    }

    /// Samples have the shares that the reverse process gives them, with all steps.
    @Test func samplesFollowTheReverseProcess() throws {
        let (count, process) = (20_000, try process())
        let sampler = try process.sampling.sampler(
            nil, steps: Self.steps, grid: nil, options: SamplerOptions())
        let denoiser = Denoiser(process.parameterization) { x, time in network(x, time) }
        let noise = NoiseSource(seed: 2, count: count, elementType: .float64)
        var last = Tensor.zeros([])
        for step in sampler.sampling(noise.draw([3]), denoiser: denoiser, source: noise) {
            last = step.sample
        }
        let bits = try last.array(of: Double.self)
        #expect(Set(bits) == [-1, 1])
        let numbers = (0..<count).map { example in
            (0..<3).reduce(0) { $0 + (bits[3 * example + $1] == 1 ? 1 << $1 : 0) }
        }
        for (number, p) in likelihoods(3).enumerated() {
            let share = Double(numbers.count { $0 == number }) / Double(count)
            #expect(abs(share - p) < 4.5 * (p * (1 - p) / Double(count)).squareRoot())
        }
    }

    /// Fewer steps than the table has still draw data that a network is sure of.
    @Test func fewerStepsArriveAtCertainData() throws {
        let process = try process()
        let data = Tensor([1.0, -1, 1, 1, -1, -1], shape: [2, 3])
        for steps in 1...3 {
            let sampler = try process.sampling.sampler(
                nil, steps: steps, grid: nil, options: SamplerOptions())
            let noise = NoiseSource(seed: 2, count: 2, elementType: .float64)
            let sure = Denoiser { x, _ in Estimate(data: data, noise: x * 0) }
            var last = Tensor.zeros([])
            for step in sampler.sampling(noise.draw([3]), denoiser: sure, source: noise) {
                last = step.sample
            }
            expectClose(last, data, absolute: 0)
        }
    }

    @Test func gradientsAreThoseOfDifferences() throws {
        let objective = try BinomialObjective(process())
        let data = RandomGenerator(seed: 5).normal([8, 3], .float64)
        for time in [0.0, 1, 3] {
            try expectGradient(at: RandomGenerator(seed: 6).normal([3, 3], .float64)) { weights in
                let roles = Roles { x, _ in x.matmul(weights) - 0.3 }
                let times = Array(repeating: time, count: 8)
                return try! objective.losses(
                    Example(data: data), roles, at: times, RandomGenerator(seed: 7)
                ).total.mean()
            }
        }
    }

    @Test func otherLossesMethodsAndPredictionsAreRefused() throws {
        let bits = try process()
        let context = ObjectiveContext(bits, word: "binomial")
        for word in ObjectiveWords.kinds.words where word != "binomial" {
            #expect(throws: DiffusionError.self) { try ObjectiveSettings(kind: word).objective(on: context) }
        }
        let flow = ObjectiveContext(try ProcessDescription("flow", prediction: "v").process, word: "flow")
        #expect { try ObjectiveSettings(kind: "binomial").objective(on: flow) } throws: {
            "\($0)".contains("use diffusion.process binomial")
        }
        #expect { try ProcessDescription("binomial", prediction: "noise") } throws: {
            "\($0)".contains("use logit")
        }
        #expect(throws: DiffusionError.self) { try ProcessDescription("edm", prediction: "logit") }
        for (process, method) in [("binomial", Method.ddim), ("edm", .binomial)] {
            #expect {
                try ProcessDescription(process).sampler(method, steps: 4)
            } throws: { ($0 as? DiffusionError)?.field == "solver" }
        }
    }
}
