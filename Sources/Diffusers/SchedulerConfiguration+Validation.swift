import Diffusion
import Foundation

extension SchedulerConfiguration {
    /// Throws what makes this configuration meaningless.
    /// - Throws: `DiffusionError`, one sentence that names the flag.
    public func validate() throws {
        let most = DiscreteSchedule.maximalCount
        guard (1...most).contains(trainSteps) else {
            throw DiffusionError("num_train_timesteps is \(trainSteps): it must be between 1 and \(most)")
        }
        try validateBetas()
        guard clipRange > 0, thresholdMaximum > 0, (0...1).contains(thresholdQuantile) else {
            throw DiffusionError(
                "clip_sample_range and sample_max_value must be positive and dynamic_thresholding_ratio in 0 … 1"
            )
        }
        for (name, bound) in [("clip_sample_range", clipRange), ("sample_max_value", thresholdMaximum)]
        where bound.isFinite && !Float(bound).isFinite {
            throw DiffusionError("\(name) is \(bound): it must be a number that single precision holds")
        }
        guard (0..<trainSteps).contains(stepsOffset) else {
            throw DiffusionError(
                "steps_offset is \(stepsOffset): it must be at least 0 and below num_train_timesteps")
        }
        guard Float(pow(timeScaling * Double(trainSteps), 2)).isFinite else {
            throw DiffusionError(
                "timestep_scaling is \(timeScaling): squares of times multiplied with it must be finite in single precision"
            )
        }
        let chosen = [
            "use_karras_sigmas": usesKarrasSigmas, "use_exponential_sigmas": usesExponentialSigmas,
            "use_beta_sigmas": usesBetaSigmas,
        ].filter(\.value).keys.sorted()
        guard chosen.count <= 1 else {
            throw DiffusionError("\(chosen.joined(separator: " and ")) exclude each other: keep one of them")
        }
        for (name, shift) in [("shift", shift), ("flow_shift", flowShift)] where !(shift > 0) {
            throw DiffusionError("\(name) is \(shift): it must be above 0")
        }
    }

    private func validateBetas() throws {
        if let trainedBetas, trainedBetas.count != trainSteps {
            throw DiffusionError(
                "trained_betas has \(trainedBetas.count) entries and num_train_timesteps is \(trainSteps): they must agree"
            )
        }
        let betas = trainedBetas ?? [betaStart, betaEnd]
        guard betas.allSatisfy({ $0 > 0 && $0 < 1 }) else {
            throw DiffusionError("every β (beta_start, beta_end, trained_betas) must lie between 0 and 1")
        }
        guard trainedBetas != nil || betaStart <= betaEnd else {
            throw DiffusionError(
                "beta_end (\(betaEnd)) is less than beta_start (\(betaStart)): exchange them")
        }
    }
}
