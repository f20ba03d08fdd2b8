import Diffusion
import Foundation
import Tensors

/// Data of one dimension, the same for every element of a sample: a mixture of normal distributions, with the
/// exact denoiser of each element.
struct OneDimensional {
    var weights = [1.0]
    var means = [0.7]
    var deviations = [0.4]

    /// Two modes, so that no linear denoiser is right.
    static let pair = OneDimensional(weights: [0.35, 0.65], means: [-1, 0.8], deviations: [0.3, 0.5])

    var mixture: GaussianMixture {
        let count = weights.count
        return GaussianMixture(
            weights: Tensor(weights), means: Tensor(means, shape: [count, 1]),
            covariances: Tensor(deviations.map { $0 * $0 }, shape: [count, 1, 1]))
    }

    var denoiser: Denoiser {
        guard weights.count > 1 else { return normalDenoiser }
        let mixture = mixture
        return Denoiser { x, level in
            let estimate = mixture.estimate(x.reshaped([x.elementCount, 1]), at: level)
            return Estimate(data: estimate.data.reshaped(x.shape), noise: estimate.noise.reshaped(x.shape))
        }
    }

    /// The denoiser of one normal distribution, in three operations.
    private var normalDenoiser: Denoiser {
        let (mean, square) = (means[0], deviations[0] * deviations[0])
        return Denoiser { x, level in
            let total = level.alpha * level.alpha * square + level.sigma * level.sigma
            let centred = x - level.alpha * mean
            return Estimate(
                data: centred * (level.alpha * square / total) + mean, noise: centred * (level.sigma / total))
        }
    }

    /// The deviation of the first part with a level's noise.
    func spread(at level: NoiseLevel) -> Double { hypot(level.alpha * deviations[0], level.sigma) }

    /// Where the probability flow of one normal distribution carries a sample: quantiles to quantiles.
    func carried(_ x: Tensor, from t: NoiseLevel, to s: NoiseLevel) -> Tensor {
        (x - t.alpha * means[0]) * (spread(at: s) / spread(at: t)) + s.alpha * means[0]
    }

    /// The end of a run from samples at the grid's first level.
    func end(
        of x: Tensor, _ grid: StepGrid, _ solver: any Solver, denoiser: Denoiser? = nil, seed: UInt64 = 1
    ) -> Tensor {
        let noise = NoiseSource(seed: seed, count: x.shape[0], elementType: .float64)
        let steps = solver.sampling(x, through: grid, denoiser: denoiser ?? self.denoiser, noise: noise)
        return steps.reduce(x) { $1.sample }
    }
}

extension ContinuousSchedule {
    /// A grid of `count` steps even in time.
    func evenGrid(_ count: Int, from first: Double, to last: Double) -> StepGrid {
        StepGrid(
            through: (0...count).map { index in
                level(at: first + (last - first) * Double(index) / Double(count))
            })
    }
}

/// Karras's grid from 80, or another σ, without the step to the data.
func karrasGrid(_ count: Int, from first: Double = 80, to last: Double = 0.02) -> StepGrid {
    StepGrid(
        through: karrasSigmas(count: count + 1, from: first, to: last).map {
            NoiseLevel(time: $0, alpha: 1, sigma: $0)
        })
}

/// The order of convergence: the slope of ln error over ln step, by least squares.
func slope(_ errors: [(steps: Int, error: Double)]) -> Double {
    let x = errors.map { -log(Double($0.steps)) }
    let y = errors.map { log($0.error) }
    let (meanX, meanY) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
    let products = zip(x, y).map { ($0 - meanX) * ($1 - meanY) }.reduce(0, +)
    return products / x.map { ($0 - meanX) * ($0 - meanX) }.reduce(0, +)
}
