import Diffusion
import Storage

/// One key of `scheduler_config.json`: its name there, and the property that holds it.
struct SchedulerFlag: Sendable {
    /// The name in the file.
    let key: String
    let read: @Sendable (inout SchedulerConfiguration, KeyedDecodingContainer<Key>) throws -> Void
    let write: @Sendable (SchedulerConfiguration, inout KeyedEncodingContainer<Key>) throws -> Void
    let copy: @Sendable (inout SchedulerConfiguration, SchedulerConfiguration) -> Void
    let agrees: @Sendable (SchedulerConfiguration, SchedulerConfiguration) -> Bool

    init<Value: Codable & Equatable & SendableMetatype>(
        _ key: String, _ path: any WritableKeyPath<SchedulerConfiguration, Value> & Sendable
    ) {
        self.key = key
        read = { configuration, values in
            do {
                configuration[keyPath: path] = try values.decode(Value.self, forKey: Key(key))
            } catch is DecodingError {
                let text = try? values.decode(String.self, forKey: Key(key))
                throw DiffusionError(
                    "the scheduler's flag '\(key)' \(text.map { "is \(quoted($0))" } ?? "will not do"): it must be \(words(for: Value.self))"
                )
            }
        }
        write = { configuration, values in
            try values.encode(configuration[keyPath: path], forKey: Key(key))
        }
        copy = { $0[keyPath: path] = $1[keyPath: path] }
        agrees = { $0[keyPath: path] == $1[keyPath: path] }
    }

    /// A key of the file.
    struct Key: CodingKey, ExpressibleByStringLiteral {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init(stringLiteral name: String) { stringValue = name }
        init(stringValue name: String) { stringValue = name }
        init?(intValue: Int) { nil }
    }

    /// Every flag of every class.
    static let all: [SchedulerFlag] = [
        .init("num_train_timesteps", \.trainSteps),
        .init("beta_start", \.betaStart),
        .init("beta_end", \.betaEnd),
        .init("beta_schedule", \.betaSchedule),
        .init("trained_betas", \.trainedBetas),
        .init("rescale_betas_zero_snr", \.zeroTerminalSNR),
        .init("sigma_min", \.sigmaMinimum),
        .init("sigma_max", \.sigmaMaximum),
        .init("sigma_data", \.sigmaData),
        .init("use_flow_sigmas", \.isFlow),
        .init("flow_shift", \.flowShift),
        .init("shift", \.shift),
        .init("prediction_type", \.prediction),
        .init("variance_type", \.variance),
        .init("clip_sample", \.clipsData),
        .init("clip_denoised", \.clipsDenoised),
        .init("clip_sample_range", \.clipRange),
        .init("thresholding", \.thresholds),
        .init("dynamic_thresholding_ratio", \.thresholdQuantile),
        .init("sample_max_value", \.thresholdMaximum),
        .init("timestep_spacing", \.spacing),
        .init("steps_offset", \.stepsOffset),
        .init("set_alpha_to_one", \.endsAtData),
        .init("use_karras_sigmas", \.usesKarrasSigmas),
        .init("use_exponential_sigmas", \.usesExponentialSigmas),
        .init("use_beta_sigmas", \.usesBetaSigmas),
        .init("use_lu_lambdas", \.usesLuLambdas),
        .init("rho", \.rho),
        .init("sigma_schedule", \.sigmaSpacing),
        .init("final_sigmas_type", \.finalSigma),
        .init("interpolation_type", \.interpolation),
        .init("timestep_type", \.timeType),
        .init("lambda_min_clipped", \.lambdaMinimum),
        .init("use_dynamic_shifting", \.usesDynamicShift),
        .init("time_shift_type", \.timeShift),
        .init("base_shift", \.baseShift),
        .init("max_shift", \.maximalShift),
        .init("base_image_seq_len", \.baseSequenceLength),
        .init("max_image_seq_len", \.maximalSequenceLength),
        .init("invert_sigmas", \.invertsSigmas),
        .init("shift_terminal", \.terminalShift),
        .init("scale_factors", \.scaleFactors),
        .init("upscale_mode", \.enlargement),
        .init("original_inference_steps", \.originalSteps),
        .init("timestep_scaling", \.timeScaling),
        .init("solver_order", \.solverOrder),
        .init("algorithm_type", \.algorithm),
        .init("solver_type", \.solverVariant),
        .init("lower_order_final", \.lowersOrderAtEnd),
        .init("euler_at_final", \.endsWithEuler),
        .init("predict_x0", \.predictsData),
        .init("disable_corrector", \.stepsWithoutCorrector),
        .init("skip_prk_steps", \.skipsRungeKutta),
        .init("predictor_order", \.predictorOrder),
        .init("corrector_order", \.correctorOrder),
        .init("stochastic_sampling", \.isStochastic),
        .init("s_noise", \.noiseScale),
        .init("noise_sampler_seed", \.noiseSeed),
        .init("snr", \.correctorSNR),
        .init("correct_steps", \.correctorSteps),
        .init("sampling_eps", \.samplingEpsilon),
        .init("eta", \.eta),
    ]

    /// Keys under which diffusers holds objects of a program; in a file they can only be `null`.
    static let objects: Set<String> = ["solver_p", "tau_func"]

    /// The flags by name.
    static let named = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

    /// The names among some that no class knows and none is a slip of: diffusers passes over them.
    ///
    /// Only the first thousand are compared with every name there is, which takes long; where there are more, they are no
    /// slips of a hand.
    static func foreign(among names: [String]) -> [String] {
        let unknown = names.filter { !$0.hasPrefix("_") && named[$0] == nil && !objects.contains($0) }
        return unknown.prefix(1000).filter { Diffusion.nearest(to: $0, in: named.keys) == nil }
            + unknown.dropFirst(1000)
    }

    /// The known name that needs the fewest changes to become another.
    static func nearest(to name: String) -> String {
        Diffusion.nearest(to: name, among: all.map(\.key)) ?? ""
    }
}
