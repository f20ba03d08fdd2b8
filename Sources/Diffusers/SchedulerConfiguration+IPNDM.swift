import Diffusion
import Foundation

// iPNDM: σ = sin²(πs/2), a process of its own.

extension SchedulerConfiguration {
    /// The sampler of `IPNDMScheduler`, which reads `trained_betas` as the σ of one run, however many steps
    /// are asked for.
    func sineSampler(_ steps: Int) -> Sampler {
        let shares = evenlySpaced(from: 1, to: 0, count: steps + 1)
        let sigmas = trainedBetas ?? shares.map { share in pow(sin(share * .pi / 2), 2) }
        let levels = sigmas.map { sigma in
            let alpha = (1 - sigma * sigma).squareRoot()
            return NoiseLevel(time: atan2(sigma, alpha) / .pi * 2, alpha: alpha, sigma: sigma)
        }
        return Sampler(StepGrid(through: levels), IPNDMSolver(combining: .noise))
    }
}
