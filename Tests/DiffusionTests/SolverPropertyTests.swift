import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// What must hold of every solver, over a thousand random cases each.
@Suite struct SolverPropertyTests {
    private static let deterministic = Method.allCases.filter {
        if case .order = $0.convergence { return true }
        return false
    }

    /// Adding noise and taking it off are inverse: where the denoiser knows which data and which noise made a
    /// sample, every deterministic method arrives at α·x₀ + σ·ε, whatever the path and its steps.
    @Test func stepsInvertTheAddingOfNoise() throws {
        var generator = SplitMix(seed: 11)
        for index in 0..<1000 {
            let name = Self.deterministic[index % Self.deterministic.count]
            let levels = randomLevels(&generator)
            let draw = RandomGenerator(seed: UInt64(index))
            let (data, noise) = (draw.normal([2, 3], .float64), draw.normal([2, 3], .float64))
            let knowing = Denoiser { _, _ in Estimate(data: data, noise: noise) }
            func sample(_ level: NoiseLevel) -> Tensor {
                (data * level.alpha).adding(noise, scale: level.sigma)
            }
            let found = try end(of: name, from: sample(levels[0]), through: levels, knowing)
            expectClose(
                found, sample(levels[levels.count - 1]), relative: 1e-9, absolute: 1e-9,
                "\(name.rawValue), case \(index)")
        }
    }

    /// What the network predicts is no matter of the solver: through any two predictions the same sample comes
    /// out, also where noise is drawn.
    @Test func solversDoNotSeeThePrediction() throws {
        let names = Method.allCases.filter {
            $0.convergence != .adaptive && $0 != .annealedLangevin && !$0.isOfBits
        }
        let predictions = Prediction.allCases
        var generator = SplitMix(seed: 12)
        for index in 0..<1000 {
            let name = names[index % names.count]
            let levels = randomLevels(&generator)
            let draw = RandomGenerator(seed: UInt64(index))
            let data = GaussianMixture(
                weights: draw.uniform([2], .float64) + 0.1, means: draw.normal([2, 2], .float64),
                covariances: (draw.uniform([2, 2], .float64) + 0.1).diagonalMatrix())
            let start = draw.normal([1, 2], .float64) * hypot(levels[0].alpha, levels[0].sigma)
            let first = Int.random(in: 0..<predictions.count, using: &generator)
            let second =
                (first + Int.random(in: 1..<predictions.count, using: &generator)) % predictions.count
            let samples = try [first, second].map {
                try end(of: name, from: start, through: levels, data.denoiser(predictions[$0]))
            }
            expectClose(
                samples[0], samples[1], relative: 1e-8, absolute: 1e-8,
                "\(name.rawValue), \(predictions[first]) and \(predictions[second]), case \(index)")
        }
    }

    /// Three to five levels that hold data and noise, down a random path of a random scale.
    private func randomLevels(_ generator: inout SplitMix) -> [NoiseLevel] {
        let count = Int.random(in: 3...5, using: &generator)
        let kind = Int.random(in: 0..<3, using: &generator)
        let ratios = (0..<count).map { _ in exp(Double.random(in: -1.5...1.5, using: &generator)) }
        // Equal or nearly equal levels are a step of no length, which multistep methods refuse.
        let spread = ratios.sorted(by: >).enumerated().map { $1 * exp(-0.2 * Double($0)) }
        return spread.map { ratio in
            let scale = [1, 1 + ratio, hypot(1, ratio)][kind]
            return NoiseLevel(alpha: 1 / scale, sigma: ratio / scale)
        }
    }

    private func end(
        of name: Method, from start: Tensor, through levels: [NoiseLevel], _ denoiser: Denoiser
    ) throws -> Tensor {
        let sampler = try name.sampler(on: StepGrid(through: levels))
        let noise = NoiseSource(seed: 3, count: start.shape[0], elementType: .float64)
        var sample = start
        for step in sampler.sampling(start, denoiser: denoiser, source: noise) { sample = step.sample }
        return sample
    }
}
