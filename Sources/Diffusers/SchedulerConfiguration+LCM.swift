import Diffusion
import Foundation

// LCM, TCD: a few of the times that a consistency model was distilled at.

extension SchedulerConfiguration {
    /// The sampler of `LCMScheduler` and `TCDScheduler`.
    func latentConsistencySampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        let schedule = self.schedule
        let levels = try distilledTimes(steps).map { schedule.level(at: Double($0)) }
        if kind == .lcm {
            return Sampler(
                StepGrid(through: levels + [.data]), LCMSolver(timeScaling: timeScaling),
                thresholding: thresholding)
        }
        let grid = StepGrid(through: levels + [schedule.level(at: 0)])
        let eta = try share(options.eta, or: 0.3)
        let solver = TCDSolver(eta: eta) { level in
            schedule.level(at: ((1 - eta) * (level.time ?? 0)).rounded(.down))
        }
        // diffusers' class has flags for a range and does not read them.
        return Sampler(grid, solver)
    }

    /// `steps` of the times that the model was distilled at, most noise first.
    private func distilledTimes(_ steps: Int) throws -> [Int] {
        guard (1...trainSteps).contains(originalSteps) else {
            throw DiffusionError(
                "original_inference_steps is \(originalSteps): it must be between 1 and num_train_timesteps (\(trainSteps))"
            )
        }
        guard steps <= originalSteps else {
            throw DiffusionError(
                "\(steps) steps were asked of a model with original_inference_steps \(originalSteps): give 1 to \(originalSteps)"
            )
        }
        let stride = trainSteps / originalSteps
        let ratio = Double(originalSteps) / Double(steps)
        return (0..<steps).map { index in
            (originalSteps - Int((Double(index) * ratio).rounded(.down))) * stride - 1
        }
    }
}
