import Diffusion
import Foundation
import Tensors

/// Data that are N(0.7, 0.4²) in every element: the exact denoiser, and the exact flow from level to level.
struct ExactGaussian {
    let mean = 0.7
    let deviation = 0.4

    /// The perfect denoiser.
    var denoiser: Denoiser {
        Denoiser { x, level in
            let (alpha, sigma) = (level.alpha, level.sigma)
            let total = alpha * alpha * deviation * deviation + sigma * sigma
            let centred = x - alpha * mean
            return Estimate(
                data: centred * (alpha * deviation * deviation / total) + mean,
                noise: centred * (sigma / total))
        }
    }

    /// The sample at a level that is `unit` deviations from the mean, as it stays along the probability flow.
    func sample(_ unit: Tensor, at level: NoiseLevel) -> Tensor {
        let spread = (pow(level.alpha * deviation, 2) + pow(level.sigma, 2)).squareRoot()
        return unit * spread + level.alpha * mean
    }

    /// The last sample of a run from the exact sample at the grid's first level.
    ///
    /// A multistep method is given the exact samples of its first `exactSteps` steps.
    func run<Method: Solver>(
        _ method: Method, through grid: StepGrid, from unit: Tensor, exactSteps: Int = 0,
        noise: NoiseSource? = nil
    ) -> Tensor {
        let noise = noise ?? NoiseSource(seed: 1, count: 1, elementType: .float64)
        var memory = method.start()
        var x = sample(unit, at: grid.steps[0].from)
        for step in grid.steps {
            let result = method.step(x, step, &memory, denoiser: denoiser, noise: noise)
            x = step.index < exactSteps ? sample(unit, at: step.to) : result.sample
        }
        return x
    }
}
