import Diffusion

/// The words that `scheduler_config.json` uses, each with the meaning that diffusers gives it.
public enum SchedulerWords {
    /// How σ are chosen (`sigma_schedule`).
    public enum SigmaSpacing: String, Codable, Sendable, CaseIterable {
        /// Even in σ^{1/ρ}.
        case karras
        /// Even in ln σ.
        case exponential
    }

    /// Where the last step ends (`final_sigmas_type`).
    public enum FinalSigma: String, Codable, Sendable, CaseIterable {
        /// At the data.
        case zero
        /// At the process's least σ.
        case sigmaMinimum = "sigma_min"
    }

    /// How σ between whole times are found (`interpolation_type`).
    public enum Interpolation: String, Codable, Sendable, CaseIterable {
        /// By straight lines in σ.
        case linear
        /// Even in ln σ from end to end.
        case logLinear = "log_linear"
    }

    /// What the network is told (`timestep_type`).
    public enum TimeType: String, Codable, Sendable, CaseIterable {
        /// A time of the table.
        case discrete
        /// ¼·ln σ
        case continuous
    }

    /// How a shift that depends on the size is applied (`time_shift_type`).
    public enum TimeShift: String, Codable, Sendable, CaseIterable {
        /// By e^μ
        case exponential
        /// By μ
        case linear
    }

    /// The family of a multistep method (`algorithm_type`).
    public enum Algorithm: String, Codable, Sendable, CaseIterable {
        /// DPM-Solver, on noise.
        case dpmSolver = "dpmsolver"
        /// DPM-Solver++, on data.
        case dpmSolverPlusPlus = "dpmsolver++"
        /// DPM-Solver for the stochastic equation.
        case stochasticDPMSolver = "sde-dpmsolver"
        /// DPM-Solver++ for the stochastic equation.
        case stochasticDPMSolverPlusPlus = "sde-dpmsolver++"
        /// DEIS.
        case deis
        /// A stochastic Adams method on data.
        case dataPrediction = "data_prediction"
        /// A stochastic Adams method on noise.
        case noisePrediction = "noise_prediction"
    }

    /// The variant of a multistep method (`solver_type`).
    public enum SolverVariant: String, Codable, Sendable, CaseIterable {
        /// The midpoint variant of DPM-Solver.
        case midpoint
        /// The Heun variant of DPM-Solver.
        case heun
        /// DEIS, integrating in ln ρ.
        case logRho = "logrho"
        /// UniPC with B(h) = h.
        case bh1
        /// UniPC with B(h) = eʰ − 1.
        case bh2
    }
}
