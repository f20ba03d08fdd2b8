import Diffusion
import Foundation

// The variance-exploding process of Song et al. with their predictor and corrector.

extension SchedulerConfiguration {
    /// The sampler of `ScoreSdeVeScheduler`, as diffusers' pipeline runs it: the last step adds no noise.
    ///
    /// The network is asked at the σ of a continuous time, and the predictor takes away the noise between
    /// two σ of a table; a step ends at the σ that is left.
    func scoreSDESampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        let correctorSteps = options.langevinSteps ?? self.correctorSteps
        let (low, high) = (sigmaMinimum ?? 0.01, sigmaMaximum ?? 1348)
        guard 0 < low, low < high, (0...1).contains(samplingEpsilon) else {
            throw DiffusionError(
                "sigma_min, sigma_max and sampling_eps are \(low), \(high) and \(samplingEpsilon): they must be 0 < sigma_min < sigma_max and in 0 … 1"
            )
        }
        guard (0...1000).contains(correctorSteps) else {
            throw DiffusionError("correct_steps is \(correctorSteps): it must be between 0 and 1000")
        }
        let table = exponentialSigmas(count: steps, from: low, to: high)
        let times = evenlySpaced(from: 1, to: samplingEpsilon, count: steps)
        let grid = times.map { time in
            let index = Int(time * Double(steps - 1))
            let asked = low * pow(high / low, time)
            let below = index == 0 ? 0 : table[index - 1]
            let left = asked * asked - (table[index] * table[index] - below * below)
            return StepGrid.Step(
                from: NoiseLevel(time: asked, alpha: 1, sigma: asked),
                to: NoiseLevel(time: below, alpha: 1, sigma: max(0, left).squareRoot()))
        }
        let solver = PredictorCorrectorSolver(
            signalToNoise: options.signalToNoise ?? correctorSNR, correctorSteps: correctorSteps,
            sharesStepSize: true)
        return Sampler(StepGrid(steps: grid, startScale: high), solver)
    }
}
